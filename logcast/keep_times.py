"""Keep times as people write and read them: `30d`, `never`, `forever`."""

import re
from typing import Final

import click

from schemas.video_settings import KEPT_FOR_EVER, MAX_KEEP_DAYS, NOT_KEPT

_DAYS: Final = re.compile(r"([0-9]{1,6})\s*(d|days?|w|weeks?)?")


class KeepTime(click.ParamType):
    """An option's value: days, such as 30d or 4w, `never`, or `forever`."""

    name = "keep"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Days; 0: never, -1: for ever."""
        text = str(value).strip().lower()
        if text in {"never", "no", "off"}:
            return NOT_KEPT
        if text in {"forever", "for-ever", "-1"}:
            return KEPT_FOR_EVER
        found = _DAYS.fullmatch(text)
        days = int(found[1]) * (7 if (found[2] or "").startswith("w") else 1) if found else -1
        if not 0 <= days <= MAX_KEEP_DAYS:
            self.fail(
                f"expected days such as 30d, weeks such as 4w, `never` or `forever`, found {text[:40]!r}", param, ctx
            )
        return days


def keep_text(keep_days: int | None) -> str:
    """How long something is kept, for people."""
    if keep_days is None:
        return "default"
    if keep_days == KEPT_FOR_EVER:
        return "for ever"
    return "never" if keep_days == NOT_KEPT else f"{keep_days} d"
