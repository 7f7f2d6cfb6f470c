"""Plans ad breaks: `ads.cues` and `media.gops` → `ads.breaks`.

A cue is decided at once: taken, or refused because the video is not live, the length is not allowed, or another break
is in its way. A break that was taken starts with the first GOP captured at or after the request, because only there can
a segment start. All times are event times: the decision is the same whenever the log is read.

State, on `cues.state`: `c/VIDEO/CUE`, one row a cue, written when it is decided, planned or lapsed; the oldest are
deleted past `MAX_CUES` a partition. GOPs write no rows, they come too often: the recent ones are read again from
`media.gops` when the partition opens, and only the last minutes are kept.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import faust

from processors.exact import run_exactly
from processors.fold import ExactAgent, FoldError, Row, RowError, Write, pack_row, result, row_key, unpack_row
from schemas.events import BreakPlanned, CueDecided, CueRequested, Event, GopOpened
from schemas.topics import ADS_BREAKS, ADS_CUES, CUES_STATE, MEDIA_GOPS
from stores.settings import Settings

MIN_DURATION_MS: Final = 5_000
MAX_DURATION_MS: Final = 600_000
LIVE_SLACK_MS: Final = 10_000
"""A video is live this much longer than its longest segment after the start of a GOP."""
LAPSE_MS: Final = 120_000
"""A break whose GOP did not come within this time is given up: the streamer is gone and may come back to a new scene."""
MAX_GOPS: Final = 512
"""Recent GOPs kept a video: more than `LAPSE_MS` of them at four a second."""
MAX_VIDEOS: Final = 256
"""Videos whose recent GOPs are kept, a partition; the one that was silent longest is forgotten."""
MAX_CUES: Final = 10_000
MAX_CUE_ID: Final = 64


class CueState(StrEnum):
    """Life of a cue: refused, or waiting → planned | lapsed."""

    REFUSED = "refused"
    WAITING = "waiting"
    PLANNED = "planned"
    LAPSED = "lapsed"


class Refusal(StrEnum):
    """Why a cue is refused."""

    DURATION = "duration"
    NOT_LIVE = "not_live"
    OVERLAP = "overlap"


MESSAGES: Final = {
    Refusal.DURATION: f"A break lasts {MIN_DURATION_MS // 1000} to {MAX_DURATION_MS // 1000} seconds.",
    Refusal.NOT_LIVE: "The video is not live.",
    Refusal.OVERLAP: "Another break is planned for that time.",
}
ACCEPTED_MESSAGE: Final = "The break starts with the next segment."


@dataclass(slots=True)
class Cue:
    """A cue that was decided; `start_ms` is where its break starts (as planned, or as asked for while it waits)."""

    video_id: str
    channel: str
    cue_id: str
    requested_ms: int
    duration_ms: int
    source_offset: int
    reason: str
    state: CueState
    start_ms: int

    @property
    def key(self) -> str:
        """`VIDEO/CUE`."""
        return row_key(self.video_id, self.cue_id)

    def row(self) -> Write:
        """Its state row."""
        value = pack_row(
            self.channel,
            self.requested_ms,
            self.duration_ms,
            self.source_offset,
            self.reason,
            self.state,
            self.start_ms,
        )
        return Write(CUES_STATE.name, row_key("c", self.key).encode(), value)

    def decision(self) -> CueDecided:
        """The answer to the streamer, the same each time."""
        return CueDecided(
            video_id=self.video_id,
            channel=self.channel,
            cue_id=self.cue_id,
            accepted=not self.reason,
            reason=self.reason,
            message=MESSAGES[Refusal(self.reason)] if self.reason else ACCEPTED_MESSAGE,
            source_offset=self.source_offset,
        )

    def in_the_way(self, start_ms: int, duration_ms: int) -> bool:
        """Whether its break and one of that time would overlap."""
        stands = self.state in {CueState.WAITING, CueState.PLANNED}
        return stands and start_ms < self.start_ms + self.duration_ms and self.start_ms < start_ms + duration_ms


class CuesFold:
    """The cues of one partition. See the module's text for its state."""

    def __init__(self, segment_max_ms: int, max_cues: int = MAX_CUES) -> None:
        self._live_ms = segment_max_ms + LIVE_SLACK_MS
        self._max_cues = max_cues
        self._cues: dict[str, Cue] = {}
        self._of_video: dict[str, list[Cue]] = {}
        self._gops: OrderedDict[str, deque[GopOpened]] = OrderedDict()
        self._writes: list[Write] = []

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from its rows."""
        for raw, value in rows:
            kind, _, key = raw.decode().partition("/")
            if kind != "c":
                raise RowError(f"expected a row of cues.state (c/…), found {raw!r}")
            if value is None:
                self._cues.pop(key, None)
                continue
            channel, requested_ms, duration_ms, offset, reason, state, start_ms = unpack_row(value)
            video_id, _, cue_id = key.partition("/")
            self._cues[key] = Cue(
                video_id, channel, cue_id, requested_ms, duration_ms, offset, reason, CueState(state), start_ms
            )
        self._cues = dict(sorted(self._cues.items(), key=lambda item: item[1].source_offset))
        for cue in self._cues.values():
            self._of_video.setdefault(cue.video_id, []).append(cue)

    def apply(self, topic: str, offset: int, event: Event) -> None:  # noqa: ARG002  (the event's kind says it)
        """Take a cue or a GOP."""
        if isinstance(event, GopOpened):
            self._note(event)
        elif isinstance(event, CueRequested):
            self._decide(event, offset)
        else:
            raise FoldError(f"expected CueRequested or GopOpened, found {type(event).__name__}")

    def forget(self, video_id: str) -> None:
        """Keep nothing of a video that is gone."""
        self._gops.pop(video_id, None)
        for cue in self._of_video.pop(video_id, ()):
            del self._cues[cue.key]
            self._writes.append(Write(CUES_STATE.name, row_key("c", cue.key).encode(), None))

    def take(self) -> list[Write]:
        """The decisions and breaks since the last time, and the rows of their cues."""
        writes, self._writes = self._writes, []
        return writes

    def _note(self, gop: GopOpened) -> None:
        recent = self._gops.setdefault(gop.video_id, deque(maxlen=MAX_GOPS))
        self._gops.move_to_end(gop.video_id)
        if len(self._gops) > MAX_VIDEOS:
            self._gops.popitem(last=False)
        if recent and gop.gop <= recent[-1].gop:
            return
        recent.append(gop)
        while recent[0].captured_ms < gop.captured_ms - LAPSE_MS:
            recent.popleft()
        for cue in self._of_video.get(gop.video_id, ()):
            if cue.state is CueState.WAITING:
                self._plan(cue)

    def _decide(self, event: CueRequested, offset: int) -> None:
        if not 0 < len(event.cue_id) <= MAX_CUE_ID:
            raise FoldError(f"expected a cue id of 1 to {MAX_CUE_ID} characters, found {len(event.cue_id)}")
        cue = self._cues.get(row_key(event.video_id, event.cue_id))
        if cue is not None:
            self._writes.append(result(ADS_BREAKS, cue.decision()))
            return
        reason = self._refusal(event)
        cue = Cue(
            video_id=event.video_id,
            channel=event.channel,
            cue_id=event.cue_id,
            requested_ms=event.requested_ms,
            duration_ms=event.duration_ms,
            source_offset=offset,
            reason=reason or "",
            state=CueState.REFUSED if reason else CueState.WAITING,
            start_ms=event.requested_ms,
        )
        self._keep(cue)
        self._writes += [result(ADS_BREAKS, cue.decision()), cue.row()]
        if cue.state is CueState.WAITING:
            self._plan(cue)

    def _refusal(self, event: CueRequested) -> Refusal | None:
        if not MIN_DURATION_MS <= event.duration_ms <= MAX_DURATION_MS:
            return Refusal.DURATION
        gops = self._gops.get(event.video_id, ())
        if not any(-LIVE_SLACK_MS <= event.requested_ms - gop.captured_ms <= self._live_ms for gop in gops):
            return Refusal.NOT_LIVE
        others = self._of_video.get(event.video_id, ())
        if any(other.in_the_way(event.requested_ms, event.duration_ms) for other in others):
            return Refusal.OVERLAP
        return None

    def _plan(self, cue: Cue) -> None:
        """Give a waiting break the first GOP of its time that no other planned break covers, if it has come."""
        planned = [other for other in self._of_video[cue.video_id] if other.state is CueState.PLANNED]
        gops = [gop for gop in self._gops[cue.video_id] if gop.captured_ms >= cue.requested_ms]
        for gop in gops:
            if gop.captured_ms > cue.requested_ms + LAPSE_MS:
                cue.state = CueState.LAPSED
                self._writes.append(cue.row())
                return
            if not any(other.in_the_way(gop.captured_ms, cue.duration_ms) for other in planned):
                self._start(cue, gop)
                return

    def _start(self, cue: Cue, gop: GopOpened) -> None:
        cue.state, cue.start_ms = CueState.PLANNED, gop.captured_ms
        planned = BreakPlanned(
            video_id=cue.video_id,
            channel=cue.channel,
            break_id=cue.cue_id,
            segment=gop.segment,
            start_ms=gop.captured_ms,
            media_time_ms=gop.media_time_ms,
            duration_ms=cue.duration_ms,
            requested_ms=cue.requested_ms,
        )
        self._writes += [result(ADS_BREAKS, planned), cue.row()]

    def _keep(self, cue: Cue) -> None:
        self._cues[cue.key] = cue
        self._of_video.setdefault(cue.video_id, []).append(cue)
        if len(self._cues) > self._max_cues:
            oldest = self._cues.pop(next(iter(self._cues)))
            siblings = self._of_video[oldest.video_id]
            siblings.remove(oldest)
            if not siblings:
                del self._of_video[oldest.video_id]
            self._writes.append(Write(CUES_STATE.name, row_key("c", oldest.key).encode(), None))


def register(app: faust.App, settings: Settings) -> None:
    """Add the agent to the worker: a decision is written as soon as the one before it is done."""
    agent = ExactAgent(
        "cues",
        (ADS_CUES, MEDIA_GOPS),
        CUES_STATE,
        lambda: CuesFold(settings.segment_max_ms),
        replayed=(MEDIA_GOPS,),
    )
    run_exactly(app, settings, agent)
