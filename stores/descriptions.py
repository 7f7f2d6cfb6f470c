"""What a streamer says a video is about: title, tags and description, and the rules that they keep to. Pure.

Errors: `BadText` says what was expected and found; `field` and `rule` name it for programs.
"""

from collections.abc import Sequence
from typing import Final

MAX_TITLE: Final = 200
MAX_TAGS: Final = 10
MAX_TAG: Final = 30
MAX_DESCRIPTION: Final = 2_000
SEPARATOR: Final = ","
"""Between the tags in the database; so no tag has one."""


class BadText(ValueError):  # noqa: N818  (reads as what it is)
    """A text that is none that a video can have."""

    def __init__(self, field: str, rule: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.rule = rule


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are kept: without `#` and white space around them, each once (letters' case aside), in their order.

    Raises:
        BadText: too many, or one that is empty, too long, or has a comma or control characters.
    """
    found: dict[str, str] = {}
    for tag in tags:
        clean = " ".join(tag.strip().removeprefix("#").split()) if tag.isprintable() else ""
        if not clean or len(clean) > MAX_TAG or SEPARATOR in clean:
            raise BadText(
                "tags", "tag", f"expected tags of 1 to {MAX_TAG} printable characters without commas, found {tag!r:.60}"
            )
        found.setdefault(clean.casefold(), clean)
    if len(found) > MAX_TAGS:
        raise BadText("tags", "length", f"expected at most {MAX_TAGS} tags, found {len(found)}")
    return tuple(found.values())


def checked_description(text: str) -> str:
    """A description as it is kept: lines without white space at their ends, no empty ones around them.

    Raises:
        BadText: it is too long, or has control characters that are no line breaks.
    """
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    clean = "\n".join(lines).strip("\n")
    if len(clean) > MAX_DESCRIPTION:
        raise BadText("description", "length", f"expected at most {MAX_DESCRIPTION} characters, found {len(clean)}")
    if not all(line.replace("\t", " ").isprintable() for line in lines):
        raise BadText("description", "characters", "expected printable characters and line breaks")
    return clean
