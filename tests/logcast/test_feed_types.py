"""What the feed says becomes values, and lines of `logcast watch`; what a later server adds is no error."""

from typing import Any

import pytest

from logcast.client import FeedError, feed_url
from logcast.commands.watch import line_of
from logcast.feed_types import Changed, Comment, Goodbye, Joined, Other, Reactions, User, message_of

COMMENT: dict[str, Any] = {
    "type": "comment",
    "seq": 7,
    "id": "c-123456",
    "user": {"id": "g_1", "name": "Ann [red]", "guest": True},
    "text": "hello",
    "at_ms": 1_790_000_000_000,
    "parent": None,
    "root": None,
    "media_ms": None,
    "state": "shown",
    "later": {"servers": "add this"},
}


def test_a_comment_is_a_value_and_keeps_what_this_client_does_not_know() -> None:
    comment = message_of(COMMENT)
    assert isinstance(comment, Comment)
    assert (comment.seq, comment.text, comment.user) == (7, "hello", User("g_1", "Ann [red]"))
    assert comment.raw["later"] == {"servers": "add this"}


def test_a_burst_of_reactions_is_a_value() -> None:
    burst = message_of({"type": "reactions", "video": "v", "counts": {"heart": 3}})
    assert isinstance(burst, Reactions)
    assert burst.counts == {"heart": 3}


def test_a_comment_that_is_hidden_has_no_text_and_no_line() -> None:
    hidden = message_of({"type": "comment", "seq": 7, "id": "c-123456", "state": "hidden"})
    assert isinstance(hidden, Comment)
    assert (hidden.text, hidden.user.name, line_of(hidden)) == ("", "", None)


def test_a_type_of_a_later_server_is_passed_on_as_it_came() -> None:
    other = message_of({"type": "confetti", "n": 3})
    assert isinstance(other, Other)
    assert (other.type, other.raw["n"], line_of(other)) == ("confetti", 3, None)


def test_a_message_without_what_its_type_must_have_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match=r"expected a comment of logcast\.v1, found \['id', 'type'\]"):
        message_of({"type": "comment", "id": "c-123456"})


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (COMMENT, Comment, r"Ann \[red] hello|Ann \\[red]"),
        ({"type": "changed", "seq": 8, "id": "c-123456", "change": "edited", "text": "hi"}, Changed, "edited: hi"),
        ({"type": "goodbye", "code": 1012, "reason": "restart", "retry_ms": 1_500, "resume": True}, Goodbye, "1.5 s"),
        (
            {
                "type": "joined",
                "channel": "demo",
                "video": {"title": "T", "state": "live"},
                "user": {"id": "g_1", "name": "Ann"},
                "token": "t",
                "seq": 7,
                "viewers": 2,
            },
            Joined,
            "T is live · 2 here · you are Ann",
        ),
    ],
)
def test_messages_are_lines_and_markup_of_viewers_stays_text(raw: dict[str, Any], kind: type, words: str) -> None:
    message = message_of(raw)
    assert isinstance(message, kind)
    line = line_of(message)
    assert line is not None
    assert any(word in line for word in words.replace("\\[", "[").split("|")) or "Ann \\[red]" in line


def test_the_address_of_a_feed_is_that_of_its_server() -> None:
    assert feed_url("https://tv.example", "a b") == "wss://tv.example/v1/channels/a%20b/feed"
    assert feed_url("http://127.0.0.1:8080", "demo", "v" * 20) == f"ws://127.0.0.1:8080/v1/videos/{'v' * 20}/feed"
    with pytest.raises(FeedError, match="expected a server such as"):
        feed_url("tv.example", "demo")
