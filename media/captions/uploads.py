"""Caption files from people, WebVTT and SubRip, read strictly where it matters and made plain.

What comes out are cues that any player takes: of the markup only the cue tags of WebVTT stay, of the settings only those
with a meaning; styles, regions, notes and identifiers are left out.
"""

import re
from collections.abc import Iterator
from typing import Final, NoReturn

from media.captions.cues import Cue
from media.captions.errors import CaptionsError

MAX_BYTES: Final = 512 * 1024
MAX_CUES: Final = 20_000
MAX_HOURS: Final = 99

_TIME = r"(?:([0-9]{1,4}):)?([0-5]?[0-9]):([0-5][0-9])[.,]([0-9]{1,3})"
_TIMING = re.compile(rf"{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t]+(.*))?")
_TAG = re.compile(r"<[^<>]*>")
_CUE_TAG = re.compile(
    r"</?(?:c|i|b|u|v|lang|ruby|rt)>"
    r"|<(?:c|i|b|u|ruby|rt)(?:\.[A-Za-z0-9_-]{1,32}){1,8}>"
    r"|<(?:v|lang)(?:\.[A-Za-z0-9_-]{1,32}){0,8}[ \t][^<>&\"']{1,80}>"
    r"|<(?:[0-9]{2,4}:)?[0-5][0-9]:[0-5][0-9]\.[0-9]{3}>"
)
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|nbsp|lrm|rlm|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_PERCENT = r"(?:100|[0-9]{1,2}(?:\.[0-9]{1,4})?)%"
_SETTING = re.compile(
    rf"vertical:(?:rl|lr)|line:(?:-?[0-9]{{1,3}}|{_PERCENT})(?:,(?:start|center|end))?"
    rf"|position:{_PERCENT}(?:,(?:line-left|center|line-right))?|size:{_PERCENT}|align:(?:start|center|end|left|right)"
)


class UploadError(CaptionsError):
    """A caption file that cannot be taken; says in which line, what was expected and what was found."""


def read_upload(data: bytes) -> tuple[Cue, ...]:
    """The cues of a WebVTT or SubRip file in the order of their starts.

    Raises:
        UploadError: it is neither, too large, or a line of it is wrong.
    """
    if len(data) > MAX_BYTES:
        raise UploadError(f"expected at most {MAX_BYTES} bytes, found {len(data)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UploadError(f"line {line}: expected UTF-8, found byte {data[error.start]:#04x}") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").split("\n")
    is_vtt = re.match(r"WEBVTT(?:[ \t]|$)", lines[0]) is not None
    cues = []
    for cue in _cues(lines, is_vtt=is_vtt):
        cues.append(cue)
        if len(cues) > MAX_CUES:
            raise UploadError(f"expected at most {MAX_CUES} cues, found more")
    if not cues and not is_vtt:
        raise UploadError("line 1: expected WEBVTT, or the first cue of a SubRip file, found neither")
    return tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))


def _cues(lines: list[str], *, is_vtt: bool) -> Iterator[Cue]:
    for number, block in _blocks(lines):
        if is_vtt and (number == 1 or re.match(r"(?:NOTE|STYLE|REGION)(?:[ \t]|$)", block[0])):
            continue
        at = next((at for at, line in enumerate(block[:2]) if "-->" in line), None)
        if at is None:
            _refuse(number, "a timing such as 00:00:01.000 --> 00:00:02.000 in the first two lines of a cue", block[0])
        start_ms, end_ms, settings = _timing(block[at], number + at)
        text = "\n".join(filter(None, (_plain(line) for line in block[at + 1 :])))
        if text:
            yield Cue(start_ms, end_ms, text, settings if is_vtt else "")


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not blank, each with the number of its first line."""
    block: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _timing(line: str, number: int) -> tuple[int, int, str]:
    found = _TIMING.fullmatch(line.strip())
    if found is None:
        _refuse(number, "a timing such as 00:00:01.000 --> 00:00:02.000", line)
    start_ms, end_ms = _ms(found.groups()[:4], number), _ms(found.groups()[4:8], number)
    if start_ms >= end_ms:
        _refuse(number, "an end after the start", line)
    kept = {word.partition(":")[0]: word for word in (found[9] or "").split() if _SETTING.fullmatch(word)}
    return start_ms, end_ms, " ".join(kept.values())


def _ms(fields: tuple[str | None, ...], number: int) -> int:
    hours, minutes, seconds, fraction = fields
    assert minutes is not None
    assert seconds is not None
    assert fraction is not None
    if int(hours or 0) > MAX_HOURS:
        _refuse(number, f"at most {MAX_HOURS} hours", str(hours))
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


def _plain(line: str) -> str:
    """A line of cue text of which only letters and cue tags are left, everything else escaped or gone."""
    line, pieces, at = _OVERRIDE.sub("", line).strip(), [], 0
    for tag in _TAG.finditer(line):
        pieces += [_letters(line[at : tag.start()]), tag[0] if _CUE_TAG.fullmatch(tag[0]) else ""]
        at = tag.end()
    return "".join([*pieces, _letters(line[at:])])


def _letters(text: str) -> str:
    return _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def _refuse(number: int, expected: str, found: str) -> NoReturn:
    raise UploadError(f"line {number}: expected {expected}, found {found[:80]!r}")
