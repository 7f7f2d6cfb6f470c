"""A small recorded video as each place knows it, in which one thing can be changed."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

from consumers.soundness.facts import Facts, Indexed, Key, Logged, LoggedSegment, Part, Patience, Stored
from schemas.comment_state import CommentNow
from schemas.events import CommentAccepted, PollChanged, TotalsChanged, VideoChanged, VideoState
from stores.engagement import Counted
from stores.recordings import segment_name
from stores.segment_rows import IndexedPart, SegmentRow
from stores.segments import part_name

VIDEO_ID = "0123456789abcdefghjk"
NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
PATIENCE = Patience(NOW_MS, settle_ms=60_000, hot_ms=HOUR_MS)
SEGMENTS, PARTS = 4, 3
RENDITIONS = ("audio", "source", "480p")
ENDED_MS = NOW_MS - 10 * 60_000


def video(**changed: Any) -> VideoChanged:
    facts: dict[str, Any] = {
        "video_id": VIDEO_ID,
        "channel": "ann",
        "title": "Ann paints",
        "state": VideoState.ENDED,
        "started_ms": ENDED_MS - 60_000,
        "changed_ms": ENDED_MS,
        "ended_ms": ENDED_MS,
        "last_segment": SEGMENTS - 1,
        "part_target_ms": 200,
        "segment_max_ms": 2_000,
        "audio": True,
        "video": True,
        "keep_days": 30,
    }
    return VideoChanged(**(facts | changed))


def init(rendition: str) -> str:
    return f"{VIDEO_ID}/{rendition}/init-0123456789ab.mp4"


def parts(number: int) -> dict[int, Part]:
    firsts = {n: number * PARTS + n for n in range(PARTS)}
    return {n: Part(90 * at, 90, 100 + at, sha256(bytes([at])).digest()) for n, at in firsts.items()}


def comment(seq: int, text: str = "") -> CommentNow:
    accepted = CommentAccepted(
        video_id=VIDEO_ID,
        channel="ann",
        seq=seq,
        comment_id=f"comment-{seq}",
        user_id="g_bob",
        name="Bob",
        text=text or f"comment number {seq}",
        submitted_ms=ENDED_MS - 1_000,
        source_offset=seq,
    )
    return CommentNow.of(accepted)


def poll(*votes: int) -> PollChanged:
    return PollChanged(
        video_id=VIDEO_ID,
        channel="ann",
        poll_id="poll-0001",
        question="Who wins?",
        options=("red", "blue"),
        opened_ms=ENDED_MS - 2_000,
        opened_by="ann",
        votes=votes,
        as_of_offset=9,
        as_of_ms=ENDED_MS,
    )


def totals(likes: int, hearts: int) -> TotalsChanged:
    return TotalsChanged(
        video_id=VIDEO_ID,
        channel="ann",
        as_of_offset=9,
        as_of_ms=ENDED_MS,
        likes=likes,
        reactions={"heart": hearts},
        comment_likes={},
    )


def whole() -> Facts:
    """A video of which nothing is missing."""
    logged = Logged(totals=totals(3, 5), totals_ms=ENDED_MS, polls={"poll-0001": poll(1, 2)}, commented_ms=ENDED_MS)
    indexed = Indexed(video(), set(RENDITIONS), totals=Counted(3, {"heart": 5}, ENDED_MS), head=3)
    indexed.polls = {"poll-0001": poll(1, 2)}
    stored = Stored()
    for rendition in RENDITIONS:
        stored.cold[init(rendition)] = 700
        for number in range(SEGMENTS):
            of, key = parts(number), (rendition, number)
            logged.segments[key] = LoggedSegment(
                of, PARTS, init(rendition), 0, 90, told_ms=ENDED_MS - 1_000, ready_ms=ENDED_MS - 2_000
            )
            rows = {n: IndexedPart(part.dts, part.duration, part.size) for n, part in of.items()}
            size = sum(part.size for part in of.values())
            indexed.segments[key] = SegmentRow(number, 0, 90, init(rendition), rows, PARTS, size, ())
            stored.cold[segment_name(VIDEO_ID, *key)] = size
            stored.hot |= {part_name(VIDEO_ID, *key, n): part.size for n, part in of.items()}
    for seq in (1, 2, 3):
        logged.comments[seq] = indexed.comments[seq] = comment(seq)
    return Facts(video(), removed=False, logged=logged, indexed=indexed, stored=stored, patience=PATIENCE)


def without_log(facts: Facts) -> Facts:
    """The same after the log's records are gone."""
    return replace(facts, logged=Logged())


def row_changed(facts: Facts, key: Key, **changed: Any) -> None:
    facts.indexed.segments[key] = replace(facts.indexed.segments[key], **changed)
