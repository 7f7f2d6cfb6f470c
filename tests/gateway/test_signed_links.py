"""The token of a signed link: what it opens, until when, and that nobody else can make one."""

import base64
import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signed_links import CLOCK_LEEWAY_S, Link, LinkError, LinkKey, link_of, split, token_of

VIDEO, OTHER = "0123456789abcdefghjk", "z" * 20
KEY, OLD = LinkKey("k2", b"n" * 43), LinkKey("k1", b"o" * 43)
KEYS = {KEY.id: KEY, OLD.id: OLD}
NOW_S = 1_800_000_000


def test_the_signature_is_hmac_sha256_over_everything_before_it() -> None:
    token = token_of(Link(NOW_S, VIDEO, tag="ann"), KEY)
    digest = hmac.new(b"n" * 43, f"logcast-link.1\nk2.{NOW_S}.v{VIDEO}.ann".encode(), sha256).digest()
    assert token == f"k2.{NOW_S}.v{VIDEO}.ann." + base64.urlsafe_b64encode(digest).decode().rstrip("=")


@pytest.mark.parametrize("link", [Link(NOW_S, VIDEO), Link(NOW_S, channel="ann-1_x"), Link(NOW_S, VIDEO, tag="a_B-9")])
@pytest.mark.parametrize("key", [KEY, OLD])
def test_a_link_of_any_key_that_is_kept_is_read_as_it_was_made(link: Link, key: LinkKey) -> None:
    assert link_of(token_of(link, key), KEYS, NOW_S) == link


def test_a_link_works_a_little_longer_than_it_says_and_then_no_more() -> None:
    token = token_of(Link(NOW_S, VIDEO), KEY)
    assert link_of(token, KEYS, NOW_S + CLOCK_LEEWAY_S)
    with pytest.raises(LinkError, match="ended 11 s ago") as caught:
        link_of(token, KEYS, NOW_S + CLOCK_LEEWAY_S + 1)
    assert caught.value.reason == "link_expired"


def test_a_link_whose_key_is_gone_opens_nothing() -> None:
    with pytest.raises(LinkError, match="no longer used") as caught:
        link_of(token_of(Link(NOW_S, VIDEO), OLD), {KEY.id: KEY}, NOW_S)
    assert caught.value.reason == "bad_link"


@given(st.data())
def test_a_token_with_any_other_character_opens_nothing(data: st.DataObject) -> None:
    token = token_of(Link(NOW_S, VIDEO, tag="ann"), KEY)
    at = data.draw(st.integers(0, len(token) - 2))  # the last character has bits that no byte uses
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != token[at]))
    with pytest.raises(LinkError):
        link_of(token[:at] + other + token[at + 1 :], KEYS, 0)


@given(st.text(max_size=300))
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(LinkError):
        link_of(text, KEYS, NOW_S)


def test_a_video_s_link_opens_the_video_and_a_channel_s_link_all_of_its_videos() -> None:
    assert Link(0, VIDEO).opens(VIDEO, "ann")
    assert not Link(0, VIDEO).opens(OTHER, "ann")
    assert Link(0, channel="ann").opens(VIDEO, "ann")
    assert not Link(0, channel="ann").opens(VIDEO, "ben")


@pytest.mark.parametrize("link", [Link(NOW_S, "x"), Link(NOW_S, VIDEO, tag=""), Link(NOW_S), Link(-1, VIDEO)])
def test_what_no_token_can_say_is_not_signed(link: Link) -> None:
    with pytest.raises(ValueError, match="expected a video id"):
        token_of(link, KEY)


def test_secrets_are_not_shown() -> None:
    assert "nnn" not in repr(KEY)


def test_a_signed_path_is_a_token_and_the_path_that_it_opens() -> None:
    assert split("/s/a.b/v1/videos/x") == ("a.b", "/v1/videos/x")
    assert split("/s/a.b") == ("a.b", "/")
    assert split("/static/x") is None
