"""What people write into forms: each field checked by name, all of them at once, and what is wrong said with its rule."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.guests import MAX_NAME_CHARS, GuestError, checked_name
from gateway.problems import Problem
from stores.users import LOGIN, name_key

MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 256
RESERVED: Final = frozenset(
    {"admin", "administrator", "logcast", "me", "mod", "moderator", "operator", "root", "system"}
)
COMMON: Final = frozenset(
    [
        "password",
        "passw0rd",
        "password1",
        "password12",
        "password123",
        "12345678",
        "123456789",
        "1234567890",
        "11111111",
        "00000000",
        "87654321",
        "qwertyui",
        "qwertyuiop",
        "qwerty123",
        "1q2w3e4r",
        "1qaz2wsx",
        "iloveyou",
        "sunshine",
        "princess",
        "football",
        "baseball",
        "superman",
        "trustno1",
        "letmein1",
        "welcome1",
        "abcd1234",
        "abc12345",
        "asdfghjkl",
        "zaq12wsx",
        "starwars",
        "whatever",
        "computer",
        "michelle",
        "jennifer",
        "internet",
        "88888888",
        "99999999",
        "12341234",
        "qazwsxedc",
        "dragon12",
        "monkey12",
        "changeme",
        "logcast1",
    ]
)
"""Of the most used passwords those that are long enough."""

_COLOUR: Final = re.compile(r"(#[0-9a-f]{6})?")
_AVATAR: Final = re.compile(r"(https://[a-z0-9.-]{1,200}(:[0-9]{1,5})?(/[A-Za-z0-9._~:/?#@!$&*+,;=%-]*)?)?")
_EMAIL: Final = re.compile(r"([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8})?")


class Wrong(Exception):  # noqa: N818  (what is wrong with a field)
    """A field does not keep to a rule, named for programs and said for people."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


Check = Callable[[Any], Any]


def checked(values: Mapping[str, Any], required: Mapping[str, Check], optional: Mapping[str, Check]) -> dict[str, Any]:
    """The fields of a body, each through its check; optional ones only if they are there.

    Raises:
        Problem: 422; `errors` has every wrong field with its rule, `field` and `rule` are the first's.
    """
    found: dict[str, Any] = {}
    wrong: list[dict[str, str]] = []
    for field in [*required, *(name for name in values if name not in required)]:
        try:
            found[field] = _field(field, values, required, optional)
        except Wrong as error:
            wrong.append({"field": field[:40], "rule": error.rule, "message": error.message})
    if wrong:
        raise wrong_fields(wrong)
    return found


def _field(field: str, values: Mapping[str, Any], required: Mapping[str, Check], optional: Mapping[str, Check]) -> Any:
    check = required.get(field) or optional.get(field)
    if check is None:
        raise Wrong("unknown", f"expected some of {', '.join([*required, *optional])}")
    if field not in values:
        raise Wrong("required", "expected a value, found none")
    return check(values[field])


def wrong_fields(wrong: list[dict[str, str]], status: int = 422) -> Problem:
    """The answer to wrong fields: `[{field, rule, message}]`."""
    first = wrong[0]
    extra = {"field": first["field"], "rule": first["rule"], "errors": wrong}
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in wrong)
    return Problem(
        status, f"bad_{first['field']}" if first["field"].isidentifier() else "bad_field", detail, extra=extra
    )


def login(value: Any) -> str:
    """What one signs in with: 2 to 32 of a-z, 0-9, '-', '_'."""
    found = text(value, 2, 32)
    if LOGIN.fullmatch(found) is None:
        raise Wrong("characters", "expected 2 to 32 of a-z, 0-9, '-' and '_', the first a letter or digit")
    if name_key(found) in RESERVED:
        raise Wrong("reserved", "this name is kept for the operator")
    return found


def password(value: Any) -> str:
    """A password in NFKC (NIST SP 800-63B): 8 to 256 characters, not one that everybody tries first."""
    found = unicodedata.normalize("NFKC", text(value, MIN_PASSWORD, MAX_PASSWORD))
    if found.casefold() in COMMON or len(set(found)) < 3:
        raise Wrong("common", "this is one of the passwords that are tried first; choose another")
    return found


def given_password(value: Any) -> str:
    """A password that is compared only: any text that could be one."""
    return unicodedata.normalize("NFKC", text(value, 1, MAX_PASSWORD))


def display_name(value: Any) -> str:
    """What people read: 1 to 32 characters, without control characters, '<' and '>'."""
    try:
        found = checked_name(value)
    except GuestError as error:
        raise Wrong("length", f"expected 1 to {MAX_NAME_CHARS} characters") from error
    if "<" in found or ">" in found:
        raise Wrong("characters", "expected no '<' and no '>'")
    if name_key(found) in RESERVED:
        raise Wrong("reserved", "this name is kept for the operator")
    return found


def colour(value: Any) -> str:
    """`#rrggbb`, or nothing."""
    return _like(_COLOUR, text(value, 0, 7).lower(), "expected #rrggbb, or an empty text")


def avatar(value: Any) -> str:
    """An https address, or nothing."""
    return _like(_AVATAR, text(value, 0, 500), "expected an address that begins with https://, or an empty text")


def email(value: Any) -> str:
    """An address for mail, or nothing."""
    return _like(_EMAIL, text(value, 0, 254), "expected an address such as ann@example.org, or an empty text")


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Wrong("type", "expected true or false")
    return value


def token(value: Any) -> str:
    """A token: up to 100 characters of ASCII."""
    found = text(value, 1, 100)
    if not found.isascii():
        raise Wrong("characters", "expected ASCII")
    return found


def text(value: Any, least: int, most: int) -> str:
    """A text of so many characters.

    Raises:
        Wrong: it is none, too short or too long, or has a NUL.
    """
    if not isinstance(value, str):
        raise Wrong("type", f"expected a text, found {type(value).__name__}")
    if not least <= len(value) <= most:
        raise Wrong("length", f"expected {least} to {most} characters, found {len(value)}")
    if "\0" in value:
        raise Wrong("characters", "expected no NUL")
    return value


def _like(pattern: re.Pattern[str], found: str, message: str) -> str:
    if pattern.fullmatch(found) is None:
        raise Wrong("form", message)
    return found


def yes_or_no(value: Any) -> bool:
    """True or false, and nothing that only looks like it."""
    if not isinstance(value, bool):
        raise Wrong("type", "expected true or false")
    return value
