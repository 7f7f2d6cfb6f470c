"""Reads MPDs strictly: what breaks a rule of ISO/IEC 23009-1:2022 is an AssertionError that names it."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

NS = "{urn:mpeg:dash:schema:mpd:2011}"
ORDER = {
    "MPD": ("ProgramInformation", "ServiceDescription", "Period", "UTCTiming"),
    "ServiceDescription": ("Latency", "PlaybackRate"),
    "Period": ("AdaptationSet",),
    "AdaptationSet": ("ProducerReferenceTime", "Label", "Role", "Representation"),
    "Representation": ("AudioChannelConfiguration", "SegmentTemplate"),
    "SegmentTemplate": ("FailoverContent", "SegmentTimeline"),
    "SegmentTimeline": ("S",),
    "FailoverContent": ("FCS",),
    "ProducerReferenceTime": ("UTCTiming",),
}
"""The elements that we write, in the order of the schema (annex B)."""


@dataclass(frozen=True, slots=True)
class ReadSegment:
    """A segment of a timeline: `time` from the start of the presentation, in seconds; `ticks` as its `tfdt`."""

    number: int
    ticks: int
    duration: int
    time: Fraction
    url: str
    lost: bool


@dataclass(frozen=True, slots=True)
class ReadRepresentation:
    """A Representation; `attributes` are its own and its set's, `template` those of its SegmentTemplate."""

    id: str
    period: str
    attributes: dict[str, str]
    template: dict[str, str]
    timescale: int
    offset: int
    init: str
    segments: list[ReadSegment]
    channels: str


@dataclass(frozen=True, slots=True)
class ReadPeriod:
    """A Period; times in seconds."""

    id: str
    start: Fraction
    duration: Fraction | None
    sets: dict[str, ET.Element]
    """The first AdaptationSet of each contentType."""
    representations: list[ReadRepresentation]


@dataclass(frozen=True, slots=True)
class ReadManifest:
    """An MPD that keeps the rules."""

    root: ET.Element
    live: bool
    periods: list[ReadPeriod]

    def representation(self, name: str, period: int = -1) -> ReadRepresentation:
        """One of a Period, the last one unless told."""
        return next(r for r in self.periods[period].representations if r.id == name)

    def time(self, attribute: str) -> datetime:
        """A date of the MPD element."""
        return datetime.fromisoformat(self.root.attrib[attribute])

    @property
    def duration(self) -> Fraction:
        """Its mediaPresentationDuration."""
        return duration(self.root.attrib["mediaPresentationDuration"])


def read_manifest(text: str) -> ReadManifest:
    """The MPD, checked."""
    root = ET.fromstring(text)
    assert root.tag == NS + "MPD"
    for element in root.iter():
        _check_order(element)
    live = root.attrib["type"] == "dynamic"
    _check_root(root, live=live)
    periods = [_period(node) for node in root.findall(NS + "Period")]
    _check_periods(periods, live=live)
    if not live:
        assert periods[-1].start + (periods[-1].duration or 0) == duration(root.attrib["mediaPresentationDuration"])
    return ReadManifest(root, live, periods)


def duration(text: str) -> Fraction:
    """Seconds of an xs:duration."""
    found = re.fullmatch(r"PT([0-9]+(?:\.[0-9]+)?)S", text)
    assert found, f"expected PTnS, found {text}"
    return Fraction(found[1])


def _check_order(element: ET.Element) -> None:
    name = element.tag.removeprefix(NS)
    found = [child.tag.removeprefix(NS) for child in element]
    order = ORDER.get(name, ("Title",) if name == "ProgramInformation" else ())
    assert found == sorted(found, key=order.index), f"{name}: {found} is not the order of the schema"


def _check_root(root: ET.Element, *, live: bool) -> None:
    needed = {"profiles", "minBufferTime", "type"}
    only_live = {"availabilityStartTime", "publishTime", "minimumUpdatePeriod", "timeShiftBufferDepth"}
    assert needed <= root.attrib.keys(), "5.3.1.2, table 3"
    if live:
        assert only_live <= root.attrib.keys(), "5.3.1.2: a dynamic MPD says when its segments are available"
        assert "mediaPresentationDuration" not in root.attrib
    else:
        assert not only_live & root.attrib.keys()
        assert "mediaPresentationDuration" in root.attrib


def _check_periods(periods: list[ReadPeriod], *, live: bool) -> None:
    assert periods, "5.3.2: an MPD has a Period"
    assert len({period.id for period in periods}) == len(periods), "5.3.2.2: ids of Periods are unique"
    for period, following in pairwise(periods):
        assert period.duration is not None
        assert period.start + period.duration == following.start, "5.3.2.1: Periods follow one another"
    assert (periods[-1].duration is None) == live


def _period(node: ET.Element) -> ReadPeriod:
    name, start = node.attrib["id"], duration(node.attrib["start"])
    found_sets = node.findall(NS + "AdaptationSet")
    assert len({one.attrib["id"] for one in found_sets}) == len(found_sets) > 0, "5.3.3.2: unique ids in a Period"
    sets: dict[str, ET.Element] = {}
    for one in found_sets:
        sets.setdefault(one.attrib["contentType"], one)
    found = [rep for one in found_sets for rep in _representations(one, name, start)]
    assert len({rep.id for rep in found}) == len(found), "5.3.5.2: ids of Representations are unique in a Period"
    lasts = duration(node.attrib["duration"]) if "duration" in node.attrib else None
    return ReadPeriod(name, start, lasts, sets, found)


def _representations(one: ET.Element, period: str, start: Fraction) -> Iterator[ReadRepresentation]:
    for node in one.findall(NS + "Representation"):
        attributes = one.attrib | node.attrib
        assert {"id", "bandwidth", "mimeType", "codecs"} <= attributes.keys(), "5.3.5.2, 5.3.7.2"
        assert int(attributes["bandwidth"]) > 0
        if attributes["contentType"] == "video":
            assert {"width", "height"} <= attributes.keys()
            assert re.fullmatch(r"[0-9]+(/[0-9]+)?", attributes.get("frameRate", "30")), "5.3.7.2: FrameRateType"
        (template,) = node.findall(NS + "SegmentTemplate")
        yield _representation(node, attributes, template, period, start)


def _representation(
    node: ET.Element, attributes: dict[str, str], template: ET.Element, period: str, start: Fraction
) -> ReadRepresentation:
    name, told = node.attrib["id"], template.attrib
    scale, offset = int(told["timescale"]), int(told["presentationTimeOffset"])
    number, at = int(told["startNumber"]), None
    lost = {(int(fcs.attrib["t"]), int(fcs.attrib["d"])) for fcs in template.iter(NS + "FCS")}
    segments = []
    for row in template.iter(NS + "S"):
        ticks, lasts = int(row.attrib.get("t", -1 if at is None else at)), int(row.attrib["d"])
        assert ticks >= (at or 0), "5.3.9.6.2: S elements do not overlap"
        assert lasts > 0
        for _ in range(int(row.attrib.get("r", 0)) + 1):
            url = expand(told["media"], name, number)
            time = start + Fraction(ticks - offset, scale)
            segments.append(ReadSegment(number, ticks, lasts, time, url, (ticks, lasts) in lost))
            number, ticks = number + 1, ticks + lasts
        at = ticks
    assert segments, "a Representation that is listed has a segment"
    channel = node.find(NS + "AudioChannelConfiguration")
    channels = channel.attrib["value"] if channel is not None else ""
    init = expand(told["initialization"], name, None)
    return ReadRepresentation(name, period, attributes, dict(told), scale, offset, init, segments, channels)


def expand(template: str, name: str, number: int | None) -> str:
    """The identifiers of a template replaced (5.3.9.4.4, table 16)."""

    def value(found: re.Match[str]) -> str:
        if found[1] == "RepresentationID":
            assert not found[2]
            return name
        assert found[1] == "Number", f"unknown identifier {found[1]}"
        assert number is not None
        return found[2] % number if found[2] else str(number)

    return re.sub(r"\$([A-Za-z]+)(%0[0-9]+d)?\$", value, template)
