"""Only the gateways make guests, and a guest stays who it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guests import LIFETIME_MS, Guest, GuestError, checked_name, guest_of, new_guest, token_of
from schemas.ids import UserId

SECRET = b"a secret of the gateways"
ANN = Guest(UserId("g_0123456789abcdef"), "Ann")


@given(name=st.text(min_size=1, max_size=32), random=st.binary(min_size=10, max_size=10))
def test_a_token_gives_its_guest_back(name: str, random: bytes) -> None:
    try:
        guest = new_guest(name, random)
    except GuestError:
        return  # nothing but control characters
    assert guest_of(token_of(guest, SECRET, 1_000), SECRET, 2_000) == guest


def test_a_token_of_another_secret_is_refused() -> None:
    with pytest.raises(GuestError, match="not one of ours"):
        guest_of(token_of(ANN, b"another", 0), SECRET, 0)


@given(position=st.integers(0, 100), to=st.characters(codec="ascii", min_codepoint=33))
def test_a_changed_token_is_refused(position: int, to: str) -> None:
    token = token_of(ANN, SECRET, 0)
    at = position % len(token)
    changed = token[:at] + to + token[at + 1 :]
    if changed != token:
        with pytest.raises(GuestError):
            guest_of(changed, SECRET, 0)


@pytest.mark.parametrize("token", [None, 7, "", ".", "a.b", "ä.b", "x" * 5_000])
def test_what_is_no_token_is_refused(token: object) -> None:
    with pytest.raises(GuestError):
        guest_of(token, SECRET, 0)


def test_a_token_ends_after_its_lifetime() -> None:
    token = token_of(ANN, SECRET, 0)
    assert guest_of(token, SECRET, LIFETIME_MS) == ANN
    with pytest.raises(GuestError, match="too old"):
        guest_of(token, SECRET, LIFETIME_MS + 1)


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [("  Ann   Lee ", "Ann Lee"), ("A\x00n\u200bn", "A n n"), ("\u202eevil", "evil"), ("名前", "名前")],
)
def test_names_lose_control_characters_and_extra_space(given_name: str, kept: str) -> None:
    assert checked_name(given_name) == kept


@pytest.mark.parametrize("name", ["", " ", "\x00", "x" * 33, None, 5, ["Ann"]])
def test_other_names_are_refused_with_the_rule(name: object) -> None:
    with pytest.raises(GuestError, match="1 to 32 characters"):
        checked_name(name)
