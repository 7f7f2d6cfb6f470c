"""Reads a media playlist strictly and says what is wrong with it, and what is wrong with two that follow each other.

Written from draft-pantos-hls-rfc8216bis, not from our renderer.
"""

import re
from dataclasses import dataclass, field

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s][^,\s]*)(?:,|$)')


@dataclass
class ReadSegment:
    number: int
    epoch: int = 0
    uri: str = ""
    duration: float = 0.0
    date: str = ""
    map: str = ""
    gap: bool = False
    span: tuple[int, int] | None = None
    """(offset, length) in bytes of its URI's resource; None: all of it"""
    parts: list[tuple[str, float, bool, bool]] = field(default_factory=list)
    """(URI, seconds, independent, gap)"""


@dataclass
class ReadPlaylist:
    target: int = 0
    part_target: float = 0.0
    sequence: int = 0
    skipped: int = 0
    ended: bool = False
    independent: bool = False
    control: dict[str, str] = field(default_factory=dict)
    segments: list[ReadSegment] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    map_hints: list[str] = field(default_factory=list)
    type: str = ""
    iframes: bool = False
    removed_dates: list[str] | None = None
    reports: list[dict[str, str]] = field(default_factory=list)
    date_ranges: list[dict[str, str]] = field(default_factory=list)

    @property
    def whole(self) -> list[ReadSegment]:
        return [segment for segment in self.segments if segment.uri]

    @property
    def edge(self) -> tuple[int, int]:
        """(number, parts) of what is last."""
        last = self.segments[-1]
        return last.number, len(last.parts)


def attributes(text: str) -> dict[str, str]:
    assert ATTRIBUTE.sub("", text) == "", f"not an attribute list: {text}"
    pairs = ATTRIBUTE.findall(text)
    assert len(dict(pairs)) == len(pairs), f"an attribute twice: {text}"
    return {name: value.strip('"') for name, value in pairs}


def read(text: str) -> ReadPlaylist:  # noqa: C901, PLR0912  (one branch a tag)
    """The playlist, checked line by line."""
    lines = text.split("\n")
    assert lines[0] == "#EXTM3U"
    assert lines[-1] == "", "the last line ends"
    playlist, current, extinf = ReadPlaylist(), None, False
    epoch, map_uri, version = 0, "", 0

    def segment() -> ReadSegment:
        nonlocal current
        if current is None:
            current = ReadSegment(playlist.sequence + playlist.skipped + len(playlist.segments), epoch, map=map_uri)
        return current

    for line in lines[1:-1]:
        assert line == line.strip()
        assert line
        tag, _, value = line.partition(":")
        if not line.startswith("#"):
            assert extinf, f"{line} has no EXTINF"
            segment().uri = line
            playlist.segments.append(segment())
            current, extinf = None, False
            continue
        assert not extinf or tag == "#EXT-X-BYTERANGE", f"{tag} between EXTINF and its URI"
        if tag in ("#EXT-X-DISCONTINUITY", "#EXT-X-MAP"):
            assert current is None, f"{tag} inside a segment"
        match tag:
            case "#EXT-X-VERSION":
                version = int(value)
            case "#EXT-X-TARGETDURATION":
                playlist.target = int(value)
            case "#EXT-X-SERVER-CONTROL":
                playlist.control = attributes(value)
            case "#EXT-X-PART-INF":
                playlist.part_target = float(attributes(value)["PART-TARGET"])
            case "#EXT-X-MEDIA-SEQUENCE":
                assert not playlist.segments
                playlist.sequence = int(value)
            case "#EXT-X-DISCONTINUITY-SEQUENCE":
                assert not playlist.segments
                epoch = int(value)
            case "#EXT-X-INDEPENDENT-SEGMENTS":
                playlist.independent = True
            case "#EXT-X-SKIP":
                assert not playlist.segments
                assert version >= 9
                a = attributes(value)
                playlist.skipped = int(a["SKIPPED-SEGMENTS"])
                assert playlist.skipped > 0
                if "RECENTLY-REMOVED-DATERANGES" in a:
                    assert version >= 10
                    playlist.removed_dates = a["RECENTLY-REMOVED-DATERANGES"].split("\t")
            case "#EXT-X-PLAYLIST-TYPE":
                assert value in ("VOD", "EVENT")
                playlist.type = value
            case "#EXT-X-I-FRAMES-ONLY":
                assert not playlist.segments
                playlist.iframes = True
            case "#EXT-X-BYTERANGE":
                length, _, offset = value.partition("@")
                segment().span = int(offset), int(length)
            case "#EXT-X-START":
                assert not playlist.segments
                float(attributes(value)["TIME-OFFSET"])
            case "#EXT-X-DISCONTINUITY":
                epoch += 1
            case "#EXT-X-MAP":
                map_uri = attributes(value)["URI"]
            case "#EXT-X-PROGRAM-DATE-TIME":
                assert not segment().parts
                segment().date = value
            case "#EXT-X-PART":
                a = attributes(value)
                part = a["URI"], float(a["DURATION"]), a.get("INDEPENDENT") == "YES", a.get("GAP") == "YES"
                segment().parts.append(part)
            case "#EXT-X-GAP":
                segment().gap = True
            case "#EXTINF":
                segment().duration = float(value.removesuffix(","))
                extinf = True
            case "#EXT-X-PRELOAD-HINT":
                a = attributes(value)
                assert a["TYPE"] in ("PART", "MAP")
                (playlist.hints if a["TYPE"] == "PART" else playlist.map_hints).append(a["URI"])
            case "#EXT-X-RENDITION-REPORT":
                playlist.reports.append(attributes(value))
            case "#EXT-X-DATERANGE":
                playlist.date_ranges.append(attributes(value))
            case "#EXT-X-ENDLIST":
                playlist.ended = True
            case _:
                raise AssertionError(f"unknown tag {line}")
    if current is not None:
        playlist.segments.append(current)
    check(playlist)
    return playlist


def check(playlist: ReadPlaylist) -> None:
    """The rules within one playlist."""
    if playlist.type == "VOD" or playlist.iframes:
        assert playlist.ended or playlist.iframes
        assert not playlist.control
        assert not any(segment.parts for segment in playlist.segments)
    else:
        assert playlist.control["CAN-BLOCK-RELOAD"] == "YES"
        assert float(playlist.control["PART-HOLD-BACK"]) >= 3 * playlist.part_target - 1e-9
        assert float(playlist.control["HOLD-BACK"]) >= 3 * playlist.target
        assert float(playlist.control["CAN-SKIP-UNTIL"]) >= 6 * playlist.target
    assert len(playlist.map_hints) <= len(playlist.hints)
    assert len(playlist.hints) == (0 if playlist.ended or playlist.iframes else 1)
    assert all((segment.span is not None) == (playlist.iframes and not segment.gap) for segment in playlist.segments)
    dates = [segment.date for segment in playlist.segments]
    assert all(dates), "every segment has a date"
    assert dates == sorted(set(dates)), "dates go forward"
    assert all(segment.map for segment in playlist.segments)
    left = 0.0
    for segment in reversed(playlist.segments):
        parts_s = sum(part[1] for part in segment.parts)
        if segment.uri:
            assert round(segment.duration) <= playlist.target
            if segment.parts:
                assert left <= 3 * playlist.target + 1e-9, "old parts are gone"
                assert abs(parts_s - segment.duration) < 0.001 * (1 + len(segment.parts)), "the parts are the segment"
        for _, seconds, _, _ in segment.parts:
            assert seconds <= playlist.part_target + 1e-6
        if any(gap for _, _, _, gap in segment.parts):
            assert segment.gap
        left += segment.duration or parts_s


def check_update(before: ReadPlaylist, after: ReadPlaylist) -> None:
    """The rules between a playlist and a later one of the same rendition (section 6.2.1)."""
    assert after.sequence >= before.sequence
    assert after.target == before.target
    known = {segment.number: segment for segment in before.segments}
    for segment in after.segments:
        old = known.pop(segment.number, None)
        if old is None:
            continue
        assert (old.date, old.map, old.epoch) == (segment.date, segment.map, segment.epoch)
        if old.uri:
            assert (old.uri, old.duration, old.gap) == (segment.uri, segment.duration, segment.gap)
        if segment.parts:
            assert segment.parts[: len(old.parts)] == old.parts
    assert all(number < after.sequence for number in known), "only the first ones may go"
    assert after.edge >= before.edge or before.edge[0] < after.sequence or after.segments[-1].uri
    assert not before.ended or after.ended
