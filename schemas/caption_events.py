"""Events of captions: found in the source, uploaded."""

from dataclasses import dataclass, field
from enum import StrEnum


class CaptionKind(StrEnum):
    """What a text is for: captions tell sounds too, for who cannot hear; subtitles are speech only."""

    CAPTIONS = "captions"
    SUBTITLES = "subtitles"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCaptions:
    """The caption bytes of one picture."""

    pts: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionsFound:
    """A source chunk carries captions (topic `media.parts`); written before the PartReady of the same part.

    Without pictures: the source has a place for captions, which is empty now.
    """

    video_id: str
    channel: str
    gop: int
    segment: int
    part: int
    epoch: int
    timescale: int
    pictures: tuple[PictureCaptions, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionsUploaded:
    """The owner gave a video captions in a language, or took them away: text is empty (topic `videos.captions`)."""

    video_id: str
    channel: str
    language: str
    label: str
    kind: CaptionKind
    text: str = field(repr=False)
    uploaded_ms: int
    uploaded_by: str
