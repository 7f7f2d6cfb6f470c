"""I-frame playlists, as text: the key pictures of a rendition for seeking and fast forward.

Each entry is the start of a whole segment, up to the end of its first sample: an IDR picture (EXT-X-I-FRAMES-ONLY,
draft-pantos-hls-rfc8216bis 4.4.3.6, with EXT-X-BYTERANGE, 4.4.4.2). So the same bytes serve, in every cache.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from media.hls_text import date
from media.hls_window import Segment, Window

VERSION: Final = 6
GAP_VERSION: Final = 8


def iframe_playlist(window: Window) -> str:
    """The playlist's text: one entry for each complete segment, so that both playlists number them alike.

    A segment that does not begin with a key picture, or is lost, is a gap here.
    """
    segments = [segment for segment in window.segments if segment.closed]
    first_number, first_epoch = (segments[0].number, segments[0].epoch) if segments else (0, 0)
    lines = ["#EXTM3U"]
    lines.append(f"#EXT-X-VERSION:{VERSION if all(map(has_keyframe, segments)) else GAP_VERSION}")
    lines.append(f"#EXT-X-TARGETDURATION:{window.target_duration_s}")
    if window.vod:
        lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
    lines.append("#EXT-X-I-FRAMES-ONLY")
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first_number}")
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{first_epoch}")
    lines += _entries(segments)
    if window.ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join([*lines, ""])


def has_keyframe(segment: Segment) -> bool:
    """Whether a segment begins with a key picture whose bytes are known."""
    return segment.keyframe_size > 0 and not segment.gap


def _entries(segments: Sequence[Segment]) -> Iterator[str]:
    init_uri, epoch = "", segments[0].epoch if segments else 0
    for segment in segments:
        for _ in range(segment.epoch - epoch):
            yield "#EXT-X-DISCONTINUITY"
        if segment.map_uri != init_uri or segment.epoch != epoch:
            yield f'#EXT-X-MAP:URI="{segment.map_uri}"'
        init_uri, epoch = segment.map_uri, segment.epoch
        yield f"#EXT-X-PROGRAM-DATE-TIME:{date(segment.start_ms)}"
        if has_keyframe(segment):
            yield f"#EXTINF:{segment.duration_s:.5f},"
            yield f"#EXT-X-BYTERANGE:{segment.keyframe_size}@0"
        else:
            yield "#EXT-X-GAP"
            yield f"#EXTINF:{segment.duration_s:.5f},"
        yield segment.uri
