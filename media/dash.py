"""Media Presentation Descriptions as text: DASH (ISO/IEC 23009-1:2022) over the CMAF segments that HLS has, too.

Clause numbers below are of that standard. The text is a function of its arguments: the same `Presentation` gives the same
bytes on every gateway. What it is made of comes from `media.dash_periods`; rules for low latency are those of DASH-IF's
"Low-latency Modes for DASH" (5th edition), rules for CMAF those of ISO/IEC 23000-19.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from media.cmaf_init import TEXT_TIMESCALE

NAMESPACE: Final = "urn:mpeg:dash:schema:mpd:2011"
LIVE_PROFILE: Final = "urn:mpeg:dash:profile:isoff-live:2011"
CMAF_PROFILE: Final = "urn:mpeg:dash:profile:cmaf:2019"
LOW_LATENCY_PROFILE: Final = "http://www.dashif.org/guidelines/low-latency-live-v5"
ROLE: Final = "urn:mpeg:dash:role:2011"
CHANNEL_CONFIGURATION: Final = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
CLOCK: Final = "urn:mpeg:dash:utc:http-xsdate:2014"
CLOCK_URL: Final = "/v1/time"

_CODECS: Final = {"avc1": "avc", "avc3": "avc", "hvc1": "hevc", "hev1": "hevc", "av01": "av1"}
_FAMILIES: Final = ("avc", "audio", "hevc", "av1", "other")
"""Adaptation Sets in the order in which they are listed: first what every player can play."""

TEXT_CODEC: Final = "wvtt"
TEXT_BANDWIDTH: Final = 64_000
"""Bits per second of text: above any that is read, in short segments and with a box around each cue."""

_EIGHT_CHANNELS: Final = 7  # ISO/IEC 23003-3 counts configurations; up to six they are the number of channels
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a track is, as its CMAF header says; numbers of the other kind of track are 0."""

    codecs: str
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    sample_rate: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """A segment as a SegmentTimeline has it: start and length in ticks; `lost`: other content stands for it."""

    dts: int
    duration: int
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """A Representation in one Period.

    Attributes:
        name: Representation@id, and the folder of its segments.
        audio: it is sound.
        shape: what it is.
        init_uri: its CMAF header, a file in the folder.
        bandwidth: bits per second that carry any run of its segments.
        timescale: ticks per second.
        first_number: number of the first of `spans`; the others follow.
        spans: its segments, in order.
        independent: each segment can be decoded without another (SAP type 1).
    """

    name: str
    audio: bool
    shape: Shape
    init_uri: str
    bandwidth: int
    timescale: int
    first_number: int
    spans: tuple[Span, ...]
    independent: bool

    @property
    def family(self) -> str:
        """Which Adaptation Set it is in: that of its codec, for decoders do not change in the midst of a Period."""
        codec = self.shape.codecs[:4]
        return "audio" if self.audio else _CODECS.get(codec, "other")


@dataclass(frozen=True, slots=True)
class Text:
    """WebVTT in CMAF segments beside the media, in a timescale of milliseconds (ISO/IEC 14496-30).

    Attributes:
        name: Representation@id after `text-`, and the folder of its segments in `text/`.
        label: what viewers read.
        language: BCP 47; empty where it is not known.
        captions: it tells sounds, too.
        version: of what it is made of: other segments have other addresses.
        first_number: number of the first of `spans`; the others follow.
        spans: its segments, in order.
        query: what goes behind the addresses of its segments, such as `&dvr=900`.
    """

    name: str
    label: str
    language: str
    captions: bool
    version: str
    first_number: int
    spans: tuple[Span, ...]
    query: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """A Period (5.3.2): one epoch of the log.

    Attributes:
        id: the same for as long as the video lives.
        start_ms: Period@start, from the start of the presentation.
        duration_ms: until the next Period starts; None while it is the last one of a live video.
        origin_ms: media time at its start: presentationTimeOffset.
        wall_ms: wall clock at which that was captured.
        tracks: what it offers, in the order in which it is listed.
        texts: the captions beside that.
    """

    id: str
    start_ms: int
    duration_ms: int | None
    origin_ms: int
    wall_ms: int
    tracks: tuple[Track, ...]
    texts: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """What a live presentation asks of players (annex K): how far behind the camera, in ms, and how fast at most.

    Nothing is said of a maximum: players take who went back further for late, and jump. Nobody plays slower: Shaka counts
    the target from the suggested delay on, and would stay behind by both.
    """

    target_ms: int
    min_ms: int
    slowest: float = 1.0
    fastest: float = 1.04


@dataclass(frozen=True, slots=True)
class Live:
    """What only a dynamic MPD says.

    Attributes:
        available_ms: availabilityStartTime, ms since 1970.
        published_us: publishTime, µs since 1970; more for every change of the text.
        update_ms: minimumUpdatePeriod.
        buffer_ms: timeShiftBufferDepth.
        latency: how near players should come.
        early_ms: availabilityTimeOffset: how long before its end a segment can be asked for; 0: not before its end.
    """

    available_ms: int
    published_us: int
    update_ms: int
    buffer_ms: int
    latency: Latency
    early_ms: int


@dataclass(frozen=True, slots=True)
class Presentation:
    """What an MPD is made of; `live` is None once nothing will be added."""

    title: str
    periods: Sequence[Period]
    buffer_ms: int
    live: Live | None = None


def manifest(presentation: Presentation) -> str:
    """The MPD's text (5.3.1)."""
    live, periods = presentation.live, presentation.periods
    low = live is not None and live.early_ms > 0
    profiles = [LIVE_PROFILE, CMAF_PROFILE, *([LOW_LATENCY_PROFILE] if low else [])]
    attributes: dict[str, object] = {
        "xmlns": NAMESPACE,
        "profiles": ",".join(profiles),
        "type": "static" if live is None else "dynamic",
        "minBufferTime": seconds(presentation.buffer_ms),
    }
    if live is None:
        attributes["mediaPresentationDuration"] = seconds(_end_ms(periods))
        attributes["maxSegmentDuration"] = seconds(_longest_ms(periods))
    else:
        attributes |= {
            "availabilityStartTime": _date(live.available_ms * 1000),
            "publishTime": _date(live.published_us),
            "minimumUpdatePeriod": seconds(live.update_ms),
            "timeShiftBufferDepth": seconds(live.buffer_ms),
            "suggestedPresentationDelay": seconds(live.latency.target_ms + live.early_ms),
        }
    body = [
        _element("ProgramInformation", {}, [f"<Title>{escape(presentation.title)}</Title>"]),
        *([_service(live.latency)] if live is not None else []),
        *(_period(period, live) for period in periods),
        *([_clock()] if live is not None else []),
    ]
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _element("MPD", attributes, body) + "\n"


def seconds(ms: int) -> str:
    """An xs:duration in seconds."""
    whole, rest = divmod(ms, 1000)
    return f"PT{whole}.{rest:03d}".rstrip("0").rstrip(".") + "S"


def frame_rate(rate: float) -> str:
    """FrameRateType (5.3.7.2): whole, or a fraction; NTSC's rates are thousandths of 1001."""
    ntsc = Fraction(round(rate * 1.001) * 1000, 1001)
    exact = ntsc if abs(float(ntsc) - rate) < 0.005 else Fraction(rate).limit_denominator(1000)
    return f"{exact.numerator}" if exact.denominator == 1 else f"{exact.numerator}/{exact.denominator}"


def _end_ms(periods: Sequence[Period]) -> int:
    return periods[-1].start_ms + (periods[-1].duration_ms or 0) if periods else 0


def _longest_ms(periods: Sequence[Period]) -> int:
    """Of what is over. Of a live video it would have to hold for what comes, and players keep so far from the edge."""
    return max(-(-1000 * s.duration // track.timescale) for p in periods for track in p.tracks for s in track.spans)


def _service(latency: Latency) -> str:
    wanted = {"referenceId": 0, "target": latency.target_ms, "min": latency.min_ms}
    rates = {"min": f"{latency.slowest:g}", "max": f"{latency.fastest:g}"}
    return _element("ServiceDescription", {"id": 0}, [_element("Latency", wanted), _element("PlaybackRate", rates)])


def _clock() -> str:
    return _element("UTCTiming", {"schemeIdUri": CLOCK, "value": CLOCK_URL})


def _period(period: Period, live: Live | None) -> str:
    attributes: dict[str, object] = {"id": period.id, "start": seconds(period.start_ms)}
    if period.duration_ms is not None:
        attributes["duration"] = seconds(period.duration_ms)
    families = sorted({track.family for track in period.tracks}, key=_FAMILIES.index)
    sets = [
        _adaptation_set(period, [track for track in period.tracks if track.family == family], live)
        for family in families
    ]
    texts = [_text_set(len(_FAMILIES) + index, period, text) for index, text in enumerate(period.texts)]
    return _element("Period", attributes, [*sets, *texts])


def _text_set(number: int, period: Period, text: Text) -> str:
    """An Adaptation Set of one track of text (5.3.3); the roles are those of 5.8.5.5."""
    attributes = {
        "id": number,
        "contentType": "text",
        "mimeType": "application/mp4",
        "segmentAlignment": "true",
        "startWithSAP": 1,
        "lang": text.language or "und",
    }
    template = {
        "timescale": TEXT_TIMESCALE,
        "presentationTimeOffset": period.origin_ms,
        "initialization": f"text/{text.name}/init.mp4",
        "media": f"text/{text.name}/$Number%08d$.m4s?v={text.version}{text.query}",
        "startNumber": text.first_number,
    }
    segments = _element("SegmentTemplate", template, [_element("SegmentTimeline", {}, _rows(text.spans))])
    about = {"id": f"text-{text.name}", "bandwidth": TEXT_BANDWIDTH, "codecs": TEXT_CODEC}
    body = [
        _element("Label", {}, [escape(text.label)]),
        _element("Role", {"schemeIdUri": ROLE, "value": "caption" if text.captions else "subtitle"}),
        _element("Representation", about, [segments]),
    ]
    return _element("AdaptationSet", attributes, body)


def _adaptation_set(period: Period, tracks: Sequence[Track], live: Live | None) -> str:
    """All renditions of one codec: they are cut at the same times, so players may switch at any segment (5.3.3)."""
    audio, shapes = tracks[0].audio, [track.shape for track in tracks]
    kind = "audio" if audio else "video"
    attributes: dict[str, object] = {
        "id": _FAMILIES.index(tracks[0].family),
        "contentType": kind,
        "mimeType": f"{kind}/mp4",
        "segmentAlignment": "true",
    }
    if all(track.independent for track in tracks):
        attributes["startWithSAP"] = 1
    if audio:
        attributes["lang"] = "und"
    else:
        attributes |= {
            "maxWidth": max(shape.width for shape in shapes),
            "maxHeight": max(shape.height for shape in shapes),
        }
    body = [
        *([_producer_time(period, tracks[0])] if live is not None else []),
        _element("Role", {"schemeIdUri": ROLE, "value": "main"}),
        *(_representation(period, track, live) for track in tracks),
    ]
    return _element("AdaptationSet", attributes, body)


def _producer_time(period: Period, track: Track) -> str:
    """When the Period's start was captured (5.12); each segment says it of its own start in a `prft` box."""
    attributes: dict[str, object] = {
        "id": _FAMILIES.index(track.family),
        "type": "captured",
        "inband": "true",
        "wallClockTime": _date(period.wall_ms * 1000),
        "presentationTime": _offset(period, track),
    }
    return _element("ProducerReferenceTime", attributes, [_clock()])


def _representation(period: Period, track: Track, live: Live | None) -> str:
    shape = track.shape
    attributes: dict[str, object] = {"id": track.name, "bandwidth": track.bandwidth, "codecs": shape.codecs}
    body = []
    if track.audio:
        attributes["audioSamplingRate"] = shape.sample_rate
        value = _EIGHT_CHANNELS if shape.channels > 6 else shape.channels
        body.append(_element("AudioChannelConfiguration", {"schemeIdUri": CHANNEL_CONFIGURATION, "value": value}))
    else:
        attributes |= {"width": shape.width, "height": shape.height}
        if shape.frame_rate:
            attributes["frameRate"] = frame_rate(shape.frame_rate)
    return _element("Representation", attributes, [*body, _template(period, track, live)])


def _template(period: Period, track: Track, live: Live | None) -> str:
    """SegmentTemplate with a SegmentTimeline (5.3.9.4, 5.3.9.6): the numbers are those of the log and of HLS."""
    attributes: dict[str, object] = {
        "timescale": track.timescale,
        "presentationTimeOffset": _offset(period, track),
        "initialization": f"$RepresentationID$/{track.init_uri}",
        "media": "$RepresentationID$/$Number%08d$.m4s",
        "startNumber": track.first_number,
    }
    if live is not None and live.early_ms and period.duration_ms is None:  # what has ended has no coming segment
        attributes |= {"availabilityTimeOffset": f"{live.early_ms / 1000:g}", "availabilityTimeComplete": "false"}
    lost = [_element("FCS", {"t": span.dts, "d": span.duration}) for span in track.spans if span.lost]
    body = [_element("FailoverContent", {"valid": "true"}, lost)] if lost else []
    return _element("SegmentTemplate", attributes, [*body, _element("SegmentTimeline", {}, _rows(track.spans))])


def _offset(period: Period, track: Track) -> int:
    return (period.origin_ms * track.timescale + 500) // 1000


def _rows(spans: Iterable[Span]) -> Iterator[str]:
    """S elements: runs of the same length in one; @t at the start and where media is missing."""
    start = end = duration = None
    count = 0
    for span in spans:
        if span.dts == end and span.duration == duration:
            count, end = count + 1, span.dts + span.duration
            continue
        if duration is not None:
            yield _row(start, duration, count)
        start = None if span.dts == end else span.dts
        end, duration, count = span.dts + span.duration, span.duration, 1
    if duration is not None:
        yield _row(start, duration, count)


def _row(start: int | None, duration: int, count: int) -> str:
    attributes = {"t": start, "d": duration, "r": count - 1 or None}
    return _element("S", {name: value for name, value in attributes.items() if value is not None})


def _element(name: str, attributes: Mapping[str, object], body: Iterable[str] = ()) -> str:
    head = f"<{name}" + "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items())
    inside = "".join(body)
    return f"{head}>{inside}</{name}>" if inside else f"{head}/>"


def _date(wall_us: int) -> str:
    """An xs:dateTime in UTC, with as many decimals as it needs: milliseconds or microseconds."""
    at = _EPOCH + timedelta(microseconds=wall_us)
    text = at.isoformat(timespec="microseconds" if wall_us % 1000 else "milliseconds")
    return text.replace("+00:00", "Z")
