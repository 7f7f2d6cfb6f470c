"""Breaks as EXT-X-DATERANGE with SCTE-35 (draft-pantos-hls-rfc8216bis, 4.4.5.1)."""

from collections.abc import Iterator
from hashlib import sha256

from media.hls_text import date, decimal
from media.hls_window import AdBreak
from media.scte35 import SpliceInsert


def date_range(ad_break: AdBreak, end_ms: int) -> Iterator[str]:
    """The tag of a break, and one more of the same ID once the program has returned before `end_ms`."""
    event_id = int.from_bytes(sha256(ad_break.id.encode()).digest()[:4], "big")
    start, length = ad_break.media_time_ms * 90, ad_break.duration_ms * 90
    head = f'#EXT-X-DATERANGE:ID="{ad_break.id}",START-DATE="{date(ad_break.start_ms)}"'
    seconds = decimal(ad_break.duration_ms / 1000)
    out = SpliceInsert(event_id, out=True, pts=start, duration=length).encode().hex().upper()
    yield f"{head},PLANNED-DURATION={seconds},SCTE35-OUT=0x{out}"
    if is_over(ad_break, end_ms):
        back = SpliceInsert(event_id, out=False, pts=start + length).encode().hex().upper()
        yield f"{head},DURATION={seconds},SCTE35-IN=0x{back}"


def is_over(ad_break: AdBreak, wall_ms: int) -> bool:
    """Whether the program has returned by `wall_ms`."""
    return ad_break.start_ms + ad_break.duration_ms <= wall_ms
