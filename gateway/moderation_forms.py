"""What moderators write, checked field by field."""

from typing import Any, Final

from gateway import auth_forms as forms
from gateway.moderation import Order, Selection
from schemas.acts import OF_ADDRESSES, OF_COMMENTS
from schemas.events import Act
from schemas.ids import COMMENT_ID, VIDEO_ID

MAX_REASON: Final = 200
MAX_SECONDS: Final = 366 * 24 * 3_600
MAX_TIMEOUT_S: Final = 14 * 24 * 3_600
MAX_ID: Final = 64
MAX_ACTS: Final = 1_000
MAX_MS: Final = 2**53
ORDERED: Final = tuple(kind for kind in Act if kind is not Act.RULES)
"""What can be ordered; rules have a way of their own."""


def order_of(values: dict[str, Any]) -> Order:
    """The act that a body asks for.

    Raises:
        Problem: 422; `errors` has every wrong field with its rule.
    """
    found = forms.checked(
        values,
        {"kind": _kind},
        {"video_id": _video, "comment_id": _comment, "user_id": _user, "seconds": _seconds, "reason": _reason},
    )
    order = Order(**found)
    missing = list(_missing(order))
    if missing:
        raise forms.wrong_fields(missing)
    return order


def _missing(order: Order) -> "list[dict[str, str]]":
    """What an act of this kind needs besides."""
    named = bool(order.video_id and order.comment_id)
    need = "expected video_id and comment_id, of the comment that it is about"
    found = []
    if order.kind in OF_COMMENTS and not named:
        found.append(_wrong("comment_id", "required", need))
    elif order.kind in OF_ADDRESSES and not named:
        found.append(_wrong("comment_id", "required", f"{need}: the log knows its address, nobody else does"))
    elif order.kind not in OF_COMMENTS | OF_ADDRESSES and not order.user_id and not named:
        found.append(
            _wrong("user_id", "required", "expected user_id, or video_id and comment_id of a comment of theirs")
        )
    if order.kind is Act.TIMEOUT and not 1 <= order.seconds <= MAX_TIMEOUT_S:
        found.append(_wrong("seconds", "range", f"expected seconds from 1 to {MAX_TIMEOUT_S}"))
    return found


def selection_of(values: dict[str, Any]) -> tuple[Selection, bool, str]:
    """Which acts a body wants taken back, whether only to be shown them, and why.

    Raises:
        Problem: 422; `errors` has every wrong field with its rule.
    """
    found = forms.checked(
        values,
        {},
        {"by": _user, "from_ms": _time, "to_ms": _time, "acts": _acts, "dry_run": forms.yes_or_no, "reason": _reason},
    )
    dry, reason = bool(found.pop("dry_run", False)), str(found.pop("reason", ""))
    if not found:
        raise forms.wrong_fields([_wrong("by", "required", "expected by, from_ms and to_ms, or acts")])
    return Selection(**found), dry, reason


def _wrong(field: str, rule: str, message: str) -> dict[str, str]:
    return {"field": field, "rule": rule, "message": message}


def _kind(value: Any) -> Act:
    if not isinstance(value, str) or value not in ORDERED:
        raise forms.Wrong("choice", f"expected one of {', '.join(ORDERED)}")
    return Act(value)


def _video(value: Any) -> str:
    if not isinstance(value, str) or VIDEO_ID.fullmatch(value) is None:
        raise forms.Wrong("form", "expected the id of a video")
    return value


def _comment(value: Any) -> str:
    if not isinstance(value, str) or COMMENT_ID.fullmatch(value) is None:
        raise forms.Wrong("form", "expected the id of a comment")
    return value


def _user(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID or "/" in value or not value.isprintable():
        raise forms.Wrong("form", "expected the id of a user")
    return value


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SECONDS:
        raise forms.Wrong("range", f"expected a whole number from 0 (for ever) to {MAX_SECONDS}")
    return value


def _time(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_MS:
        raise forms.Wrong("range", "expected wall clock in ms since 1970")
    return value


def _reason(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_REASON or not value.isprintable():
        raise forms.Wrong("length", f"expected at most {MAX_REASON} printable characters")
    return value.strip()


def _acts(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ACTS:
        raise forms.Wrong("length", f"expected a list of 1 to {MAX_ACTS} ids of acts")
    if not all(isinstance(one, str) and VIDEO_ID.fullmatch(one) for one in value):
        raise forms.Wrong("form", "expected ids of acts")
    return frozenset(value)
