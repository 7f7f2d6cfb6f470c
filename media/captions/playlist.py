"""Media playlists of subtitles (draft-pantos-hls-rfc8216bis, 3.1.4 and 4.4), cut as the video is.

A text segment has the number, the length and the epoch of the video's segment, so that its playlist is made of the same
segments. It is listed when the video's is complete: only then all captions in it are known. There are no parts.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from media.hls import Segment

VERSION: Final = 6
HOLD_BACK_TARGETS: Final = 3


def text_uri(segment: int) -> str:
    """The file of a text segment, relative to its playlist."""
    return f"{segment:08d}.vtt"


def text_playlist(
    segments: Sequence[Segment], target_duration_s: int, *, ended: bool, vod: bool = False, query: str = ""
) -> str:
    """The playlist of the complete ones of some segments.

    `vod` where it is whole and never changes; `query` goes behind every URI.
    """
    whole = [segment for segment in segments if segment.closed]
    first_number, epoch = (whole[0].number, whole[0].epoch) if whole else (0, 0)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", f"#EXT-X-TARGETDURATION:{target_duration_s}"]
    if not ended:
        hold_back = HOLD_BACK_TARGETS * target_duration_s
        lines.append(f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK={hold_back}")
    elif vod:
        lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
    lines += [f"#EXT-X-MEDIA-SEQUENCE:{first_number}", f"#EXT-X-DISCONTINUITY-SEQUENCE:{epoch}"]
    lines += _segments(whole, epoch, query)
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])


def _segments(whole: Sequence[Segment], epoch: int, query: str) -> Iterator[str]:
    for segment in whole:
        for _ in range(segment.epoch - epoch):  # one each: the tags are what clients count (4.4.4.3)
            yield "#EXT-X-DISCONTINUITY"
        epoch = max(epoch, segment.epoch)
        yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.start_ms)}"
        yield f"#EXTINF:{segment.duration_s:.5f},\n{text_uri(segment.number)}{query}"


def _date(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
