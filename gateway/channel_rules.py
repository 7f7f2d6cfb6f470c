"""The rules of all channels, as they are now: a fold of `channels.rules`; and a body's members as rules."""

from dataclasses import asdict, fields
from typing import Any, Final

from gateway import auth_forms as forms
from schemas.events import ChannelRules, Event, RulesChanged
from stores.settings import Settings

WHO: Final = ("everyone", "accounts", "followers", "members")
LINKS: Final = ("allow", "hold", "reject")
MAX_SLOW_MS: Final = 3_600_000
MAX_DUPLICATE_MS: Final = 3_600_000
MAX_FLOOD: Final = 100
MAX_WORDS: Final = 500
MAX_WORD: Final = 64
CHOSEN: Final = tuple(field.name for field in fields(ChannelRules) if field.name != "banned")
"""What a channel chooses; `banned` comes from shared block lists."""


class RulesOfChannels:
    """The fold."""

    def __init__(self, settings: Settings) -> None:
        words = tuple(word.strip() for word in settings.blocked_words.split(",") if word.strip())
        self._default = ChannelRules(slow_mode_ms=settings.slow_mode_ms, blocked=words)
        self._rules: dict[str, RulesChanged] = {}

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold a change."""
        if isinstance(event, RulesChanged):
            self._rules[event.channel] = event

    def of(self, channel: str) -> ChannelRules:
        """The rules of a channel; the operator's, where it chose none."""
        changed = self._rules.get(channel)
        return changed.rules if changed is not None else self._default

    @property
    def default(self) -> ChannelRules:
        """The operator's rules."""
        return self._default


def row_of(rules: ChannelRules) -> dict[str, Any]:
    """What a channel chose, as JSON has it."""
    return {name: value for name, value in asdict(rules).items() if name in CHOSEN}


def chosen(values: dict[str, Any]) -> dict[str, Any]:
    """The rules that a body names, checked.

    Raises:
        Problem: 422; `errors` has every wrong field with its rule.
    """
    return forms.checked(values, {}, _CHECKS)


def _whole(most: int) -> forms.Check:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise forms.Wrong("range", f"expected a whole number from 0 to {most}")
        return value

    return check


def _one_of(*allowed: str) -> forms.Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise forms.Wrong("choice", f"expected one of {', '.join(allowed)}")
        return value

    return check


def _length(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= ChannelRules().max_length:
        raise forms.Wrong("range", f"expected a whole number from 1 to {ChannelRules().max_length}")
    return value


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_WORDS:
        raise forms.Wrong("length", f"expected a list of at most {MAX_WORDS} words, phrases and patterns")
    for word in value:
        if not isinstance(word, str) or not word.strip("* ") or len(word) > MAX_WORD or not word.isprintable():
            raise forms.Wrong("word", f"expected words of 1 to {MAX_WORD} printable characters, found {word!r:.80}")
    return tuple(dict.fromkeys(word.strip() for word in value))


_CHECKS: Final[dict[str, forms.Check]] = {
    "slow_mode_ms": _whole(MAX_SLOW_MS),
    "who": _one_of(*WHO),
    "first_review": forms.yes_or_no,
    "links": _one_of(*LINKS),
    "max_length": _length,
    "duplicate_ms": _whole(MAX_DUPLICATE_MS),
    "flood": _whole(MAX_FLOOD),
    "blocked": _words,
    "held": _words,
}
