"""docs/asyncapi.yaml says all that there is: each type of message, each error, each close code."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.audience import Audience
from gateway.audience_routes import install
from gateway.feed_handlers import add_handlers
from gateway.state import GatewayState
from schemas.events import Change
from stores.settings import Settings
from tests.gateway.feed_document import document, names_of, validator

GATEWAY = Path(__file__).parents[2] / "gateway"
SOURCE = "\n".join(path.read_text() for path in sorted(GATEWAY.rglob("*.py")) if "openapi" not in path.parts)


def kinds_of(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the gateway as it is put together can be told."""
    made: list[Audience] = []

    class Noted(Audience):
        def __init__(self, state: GatewayState) -> None:
            super().__init__(state)
            made.append(self)

    monkeypatch.setattr("gateway.audience_routes.Audience", Noted)
    install(GatewayState(settings))
    return made[0].actions.kinds


def test_every_message_that_a_client_can_say_is_in_the_document(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = {name if name != "sayComment" else "comment" for name in names_of("hear")}
    assert set(kinds_of(settings, monkeypatch)) | {"join"} <= heard


def test_every_message_that_the_gateway_makes_is_in_the_document() -> None:
    made = set(re.findall(r'"type": "([a-z_]+)"', SOURCE))
    assert {"joined", "comment", "goodbye", "part"} <= made
    assert made - {"object"} <= set(names_of("say"))


def test_every_close_code_is_in_the_document() -> None:
    codes = {
        int(code) for code in re.findall(r"(?:_Closed\(|refuse\(socket, |\.end\(|DENIED: Final = )(\d{4})", SOURCE)
    }
    assert {4400, 4403, 4413, 1009} <= codes
    assert codes | {1011, 1012, 1013} <= set(document()["x-close-codes"])


def test_every_error_of_the_feed_is_in_the_document() -> None:
    feed = "\n".join(path.read_text() for path in sorted(GATEWAY.glob("feed*.py")))
    codes = set(re.findall(r'(?:\berror\(|MessageError\(\s*|Problem\(\d+, )"([a-z_]+)"', feed))
    assert {"bad_json", "too_fast", "token_lapsed", "other_user"} <= codes
    only_at_join = {"bad_name", "bad_video"}  # these close the connection
    assert codes - only_at_join <= set(document()["x-errors"])


def test_every_reference_of_the_document_leads_somewhere_and_both_channels_have_all_messages() -> None:
    whole = document()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [ref for inner in value.values() for ref in references(inner)]
        return [ref for inner in value for ref in references(inner)] if isinstance(value, list) else []

    for reference in references(whole):
        place = whole
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    assert whole["asyncapi"].startswith("3.")
    assert set(whole["channels"]["channelFeed"]["messages"]) == set(whole["components"]["messages"])
    assert set(whole["channels"]["channelFeed"]["messages"]) == set(names_of("say") + names_of("hear"))
    assert whole["channels"]["videoFeed"]["messages"] == whole["channels"]["channelFeed"]["messages"]


def test_the_document_knows_every_change_of_a_comment_and_refuses_what_is_none() -> None:
    changed = {"type": "changed", "seq": 2, "id": "c-123456"}
    assert all(validator("changed").is_valid(changed | {"change": change.value}) for change in Change)
    assert not validator("changed").is_valid(changed | {"change": "eaten"})
    assert not validator("comment").is_valid({"type": "comment", "id": "c-123456"})


def test_an_action_can_be_added_once(make_settings: Callable[..., Settings]) -> None:
    state = GatewayState(make_settings())
    audience = Audience(state)
    add_handlers(audience.actions, audience)
    with pytest.raises(ValueError, match="two actions"):
        add_handlers(audience.actions, audience)
