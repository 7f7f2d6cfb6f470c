"""What a finding is: one thing of a video that is missing, wrong or extra, and what mends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from consumers.soundness.facts import Key

SHOWN_NUMBERS: Final = 8


class Is(StrEnum):
    """What is the matter."""

    MISSING = "missing"
    WRONG = "wrong"
    EXTRA = "extra"


class Thing(StrEnum):
    """What it is the matter with."""

    SEGMENT = "segment"
    OBJECT = "object"
    INIT = "init segment"
    PART = "hot part"
    SEGMENT_ROW = "row of a segment"
    RENDITION_ROW = "row of a rendition"
    VIDEO_ROW = "row of the video"
    COMMENT_ROW = "row of a comment"
    CHANGE_ROW = "row of a change"
    HEAD_ROW = "end of the comments"
    TOTALS_ROW = "totals"
    POLL_ROW = "poll"
    SOURCE_CHUNK = "source chunk"


INDEX: Final = "writing the row again from the log"
HOT_OR_SOURCE: Final = "its hot parts, else its source"
COLD_OR_SOURCE: Final = "its recording, else its source"
REMAKE: Final = "transcoding it again from the source"
REMOVE: Final = "removing it from the store"
NOTHING: Final = ""
ROW_OF_OBJECT: Final = "what the recorded object itself tells"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        name: which one, such as `VIDEO/480p/00000007.m4s` or `comment 12`.
        said: what is the matter, in words.
        mends: what mends it; empty: nothing does.
        key: rendition and number of the segment that it is about.
        part: number of the part, of a hot part.
    """

    what: Is
    thing: Thing
    name: str
    said: str
    mends: str = NOTHING
    key: Key | None = None
    part: int = -1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of a video, and how much was looked at; `awaited`: segments that are too young to be judged."""

    findings: tuple[Finding, ...]
    segments: int
    objects: int
    comments: int
    awaited: int

    @property
    def sound(self) -> bool:
        """Nothing is missing or wrong; what is extra harms nobody."""
        return not any(finding.what is not Is.EXTRA for finding in self.findings)


def numbers(noun: str, which: Iterable[int]) -> str:
    """Such as `part 3`, `parts 1, 2 and 9 more`."""
    found = list(which)
    shown = ", ".join(map(str, found[:SHOWN_NUMBERS]))
    more = f" and {len(found) - SHOWN_NUMBERS} more" if len(found) > SHOWN_NUMBERS else ""
    return f"{noun}{'' if len(found) == 1 else 's'} {shown}{more}"
