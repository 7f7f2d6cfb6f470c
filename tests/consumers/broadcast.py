"""The events of a made-up broadcast, and the rows that they must lead to, told apart from how the code makes them."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from schemas.events import (
    Act,
    BreakPlanned,
    CaptionKind,
    CaptionsFound,
    CaptionsUploaded,
    Change,
    CommentAccepted,
    CommentChanged,
    CueDecided,
    Event,
    JobState,
    Like,
    MadePart,
    MadeSegment,
    ModerationActed,
    PartReady,
    PictureCaptions,
    PlacedMoment,
    PollChanged,
    PollClosed,
    PollOpened,
    Reaction,
    ReactionsCounted,
    ReactionsPlaced,
    ReactionsRecorded,
    RenditionChanged,
    RenditionRequested,
    SegmentArchived,
    SegmentClosed,
    TaskFinished,
    TotalsChanged,
    Track,
    TrackInfo,
    VideoChanged,
    VideoForgotten,
    VideoRemoved,
    VideoSettingsChanged,
    VideoState,
    ViewersChanged,
    Visibility,
    Vote,
)
from schemas.ids import new_video_id
from schemas.topics import (
    ADS_BREAKS,
    COMMENTS_FEED,
    MEDIA_JOBS,
    MEDIA_PARTS,
    MEDIA_RENDITIONS,
    MODERATION,
    REACTIONS,
    REACTIONS_PLACED,
    RECORDINGS,
    TOTALS,
    VIDEOS,
    VIDEOS_CAPTIONS,
    VIDEOS_SETTINGS,
    VIEWERS,
    Topic,
)
from stores.cassandra import Cassandra
from stores.kafka import EventProducer, Written
from stores.moderation import BUCKET_MS
from stores.settings import Settings

START_MS = 1_700_000_000_000
REMOVED_MS = time.time_ns() // 1_000_000
"""Now: consumers forget a video an hour later, and then its rows are gone."""

DAY_MS = 86_400_000
CHANNEL = "ann"
LOST_SEGMENT = 2
MADE = TrackInfo(codecs="avc1.4d000c", width=256, height=144, frame_rate=30.0, sample_rate=0, channels=0)
USERS = 40
Rows = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True)
class Broadcast:
    """Its events, by the topic that they are on and in its order."""

    video_id: str
    comments: int
    segments: int = 5
    parts: int = 4

    def events(self) -> list[tuple[Topic, Event]]:
        by_topic: dict[Topic, list[Event]] = {
            VIDEOS: [self.video(VideoState.LIVE), self.video(VideoState.ENDED)],
            VIDEOS_SETTINGS: [self.choice(), self.removal(), self.forgotten()],
            RECORDINGS: [self.archived(segment) for segment in range(self.segments)],
            COMMENTS_FEED: [*map(self.comment, range(1, self.comments + 1)), *self.changes()],
            MEDIA_PARTS: self.media(),
            MEDIA_JOBS: [self.wanted(), self.task(0), self.task(1)],
            MEDIA_RENDITIONS: [self.rendition()],
            REACTIONS: [*self.poll_and_share(), *(self.reactions(batch) for batch in range(30))],
            REACTIONS_PLACED: [self.placed(number) for number in range(10)],
            TOTALS: [*(self.totals(offset) for offset in range(0, 300, 10)), self.poll(300), self.poll(310)],
            MODERATION: [self.act(number) for number in range(3)],
            VIEWERS: [self.viewers(offset) for offset in range(0, 300, 10)],
            ADS_BREAKS: [self.decision("cue-1", accepted=True), self.plan(), self.decision("cue-2", accepted=False)],
            VIDEOS_CAPTIONS: [self.upload("en", "WEBVTT\n"), self.upload("de", "WEBVTT\n"), self.upload("de", "", 9)],
        }
        return [(topic, event) for topic, events in by_topic.items() for event in events]

    def wanted(self) -> RenditionRequested:
        return RenditionRequested(
            video_id=self.video_id,
            channel=CHANNEL,
            rendition="144p150k",
            height=144,
            bitrate_bps=150_000,
            starts=(0, 1),
            last_segment=1,
            requested_ms=START_MS,
            requested_by="operator",
            replayed=False,
        )

    def task(self, number: int) -> TaskFinished:
        part = MadePart(
            dts=number * 90_000,
            duration=90_000,
            size=100,
            frames=30,
            independent=True,
            captured_ms=START_MS,
            keyframe_size=60,
        )
        init = f"{self.video_id}/144p150k/init-0123456789ab.mp4"
        return TaskFinished(
            video_id=self.video_id,
            channel=CHANNEL,
            rendition="144p150k",
            task=number,
            segments=(MadeSegment(segment=number, epoch=0, epoch_ms=0, timescale=90_000, init=init, parts=(part,)),),
            info=MADE,
            problem="",
            finished_ms=START_MS,
        )

    def rendition(self) -> RenditionChanged:
        return RenditionChanged(
            video_id=self.video_id,
            channel=CHANNEL,
            rendition="144p150k",
            height=144,
            bitrate_bps=150_000,
            state=JobState.DONE,
            tasks=2,
            finished=2,
            lost=0,
            info=MADE,
            requested_ms=START_MS,
            requested_by="operator",
            changed_ms=START_MS,
        )

    def video(self, state: VideoState) -> VideoChanged:
        ended = state is VideoState.ENDED
        return VideoChanged(
            video_id=self.video_id,
            channel=CHANNEL,
            title="Ann paints",
            state=state,
            started_ms=START_MS,
            changed_ms=START_MS + 90_000 * ended,
            ended_ms=START_MS + 90_000 if ended else None,
            last_segment=self.segments - 1 if ended else -1,
            part_target_ms=250,
            segment_max_ms=10_000,
            audio=True,
            video=True,
        )

    def choice(self) -> VideoSettingsChanged:
        return VideoSettingsChanged(
            video_id=self.video_id,
            channel=CHANNEL,
            title="Ann paints a boat",
            keep_days=0,
            visibility=Visibility.UNLISTED,
            changed_ms=START_MS + 10_000,  # before the video's last change, and yet it stays
            changed_by=CHANNEL,
        )

    def removal(self) -> VideoRemoved:
        return VideoRemoved(
            video_id=self.video_id,
            channel=CHANNEL,
            title="Ann paints a boat",
            reason="expired",
            files=3,
            size=1_000,
            removed_ms=REMOVED_MS,
            removed_by="retention",
        )

    def forgotten(self) -> VideoForgotten:
        """It writes nothing; the rows are cleared by who reads them (`consumers.forgetting`)."""
        return VideoForgotten(
            video_id=self.video_id,
            channel=CHANNEL,
            removed_ms=REMOVED_MS,
            forgotten_ms=REMOVED_MS + 1_000,
            until_ms=REMOVED_MS + DAY_MS,
        )

    def archived(self, segment: int) -> SegmentArchived:
        return SegmentArchived(
            video_id=self.video_id,
            channel=CHANNEL,
            rendition="source",
            segment=segment,
            size=segment * 1_000,
            missing=(1, 3) if segment else (),
            archived_ms=START_MS + segment,
        )

    def comment(self, seq: int) -> CommentAccepted:
        root = "comment-1" if seq % 5 == 0 else None
        return CommentAccepted(
            video_id=self.video_id,
            channel=CHANNEL,
            seq=seq,
            comment_id=f"comment-{seq}",
            user_id=f"g_{seq % USERS}",
            name="Bob",
            text=f"comment number {seq}",
            parent_id=root,
            root_id=root,
            submitted_ms=START_MS + seq,
            media_ms=None,
            source_offset=seq,
        )

    def changes(self) -> list[CommentChanged]:
        """Of the first comments: one edited, one hidden and shown again, one pinned, one removed."""
        wanted: list[tuple[int, Change, str | None]] = [
            (1, Change.EDITED, "said better"),
            (2, Change.HIDDEN, None),
            (3, Change.PINNED, None),
            (2, Change.SHOWN, "shown again"),
            (4, Change.EDITED, "about to go"),
            (4, Change.REMOVED, None),
        ]
        return [
            CommentChanged(
                video_id=self.video_id,
                channel=CHANNEL,
                seq=self.comments + number,
                comment_id=f"comment-{seq}",
                comment_seq=seq,
                user_id=f"g_{seq % USERS}",
                change=change,
                text=text,
                by="ann",
                act_id="",
                revision_id=f"revision-{number}",
                comments=self.comments,
                changed_ms=START_MS + self.comments + number,
                source_offset=self.comments + number,
            )
            for number, (seq, change, text) in enumerate((one for one in wanted if one[0] <= self.comments), 1)
        ]

    @property
    def head(self) -> int:
        """The last number of the feed."""
        return self.comments + len(self.changes())

    def media(self) -> list[Event]:
        events: list[Event] = []
        for segment in range(self.segments):
            lost = segment == LOST_SEGMENT
            for rendition, track in (("source", Track.VIDEO), ("audio", Track.AUDIO)):
                events += [self.captions(segment)] if rendition == "source" and not lost else []
                events += [] if lost else [self.part(rendition, track, segment, part) for part in range(self.parts)]
                events.append(
                    SegmentClosed(
                        video_id=self.video_id,
                        channel=CHANNEL,
                        rendition=rendition,
                        gop=segment,
                        segment=segment,
                        parts=0 if lost else self.parts,
                    )
                )
        return events

    def part(self, rendition: str, track: Track, segment: int, part: int) -> PartReady:
        number = segment * self.parts + part
        return PartReady(
            video_id=self.video_id,
            channel=CHANNEL,
            rendition=rendition,
            track=track,
            gop=segment,
            segment=segment,
            part=part,
            epoch=0,
            dts=number * 22_500,
            duration=22_500,
            timescale=90_000,
            independent=part == 0,
            frames=7,
            captured_ms=START_MS + number * 250,
            received_ms=START_MS + number * 250 + 5,
            name=f"{self.video_id}/{rendition}/{segment:08d}.{part:04d}.m4s",
            size=1_000 + number,
            sha256=bytes(32),
            init=f"{self.video_id}/{rendition}/init-0123456789ab.mp4",
            info=TrackInfo(codecs="avc1.64001f", width=1280, height=720, frame_rate=30.0, sample_rate=0, channels=0)
            if part == 0
            else None,
        )

    def captions(self, segment: int) -> CaptionsFound:
        pictures = tuple(PictureCaptions(pts=segment * 90_000 + n * 3_000, data=b"\xfc\x94\x20" * n) for n in (1, 2))
        return CaptionsFound(
            video_id=self.video_id,
            channel=CHANNEL,
            gop=segment,
            segment=segment,
            part=0,
            epoch=0,
            timescale=90_000,
            pictures=pictures,
        )

    def upload(self, language: str, text: str, later_ms: int = 0) -> CaptionsUploaded:
        return CaptionsUploaded(
            video_id=self.video_id,
            channel=CHANNEL,
            language=language,
            label=language.upper(),
            kind=CaptionKind.CAPTIONS,
            text=text,
            uploaded_ms=START_MS + later_ms,
            uploaded_by="owner",
        )

    def reactions(self, batch: int) -> ReactionsRecorded:
        """Every user likes and takes back the video in turns, and likes a comment now and then."""
        at_ms = START_MS + batch * 20
        videos = [Like(user_id=f"g_{user}", liked=(batch + user) % 2 == 0, at_ms=at_ms) for user in range(USERS)]
        comment = Like(user_id=f"g_{batch % 3}", comment_id="comment-1", liked=batch % 2 == 0, at_ms=at_ms)
        return ReactionsRecorded(
            video_id=self.video_id,
            channel=CHANNEL,
            gateway_id="gateway",
            batch=batch,
            recorded_ms=at_ms,
            likes=(*videos, comment),
            reactions=(Reaction(user_id="g_1", kind="heart", count=3),),
            votes=(self.vote(batch, at_ms),),
        )

    def vote(self, batch: int, at_ms: int) -> Vote:
        """Three users vote in turns; the first takes it back in the end."""
        user = batch % 3
        option = None if user == 0 and batch > 20 else batch % 2
        return Vote(user_id=f"g_{user}", poll_id="poll-0001", option=option, at_ms=at_ms)

    def placed(self, number: int) -> ReactionsPlaced:
        moments = tuple(PlacedMoment(at_ms=START_MS + at * 1_000, reactions={"heart": 1}) for at in (number, 3, 2))
        return ReactionsPlaced(
            video_id=self.video_id,
            channel=CHANNEL,
            gateway_id="gateway",
            number=number,
            recorded_ms=START_MS + number,
            moments=moments,
        )

    def totals(self, offset: int) -> TotalsChanged:
        return TotalsChanged(
            video_id=self.video_id,
            channel=CHANNEL,
            as_of_offset=offset,
            as_of_ms=START_MS + offset * 1_000,
            likes=offset // 10,
            reactions={"heart": offset},
            comment_likes={f"comment-{offset % 30}": offset},
        )

    def poll_and_share(self) -> list[Event]:
        """Events of `reactions` of which Cassandra keeps nothing: what they lead to is on `totals`."""
        video_id, poll_id, at_ms = self.video_id, "poll-0001", START_MS
        return [
            PollOpened(
                video_id=video_id,
                channel=CHANNEL,
                poll_id=poll_id,
                question="Who wins?",
                options=("red", "blue"),
                opened_ms=at_ms,
                opened_by="owner",
            ),
            PollClosed(video_id=video_id, channel=CHANNEL, poll_id=poll_id, closed_ms=at_ms, closed_by="owner"),
            ReactionsCounted(
                video_id=video_id, channel=CHANNEL, share=1, as_of_offset=3, as_of_ms=at_ms, reactions={"heart": 1}
            ),
        ]

    def poll(self, offset: int) -> PollChanged:
        """Open at first, then closed."""
        return PollChanged(
            video_id=self.video_id,
            channel=CHANNEL,
            poll_id="poll-0001",
            question="Who wins?",
            options=("red", "blue"),
            opened_ms=START_MS,
            opened_by="owner",
            closed_ms=START_MS if offset > 300 else None,
            votes=(offset, 1),
            as_of_offset=offset,
            as_of_ms=START_MS + offset,
        )

    def act(self, number: int) -> ModerationActed:
        """On a channel that is named like the video, so that tests keep apart."""
        return ModerationActed(
            act_id=new_video_id(START_MS + number, bytes(7)),
            channel=self.video_id,
            video_id=self.video_id,
            kind=Act.HIDE,
            comment_id="comment-1",
            user_id="",
            address="",
            until_ms=0,
            reason="rude",
            by="u_mod",
            by_name="Mod",
            undoes="",
            at_ms=START_MS + number,
        )

    def viewers(self, offset: int) -> ViewersChanged:
        return ViewersChanged(
            video_id=self.video_id,
            channel=CHANNEL,
            viewers=offset % 70,
            peak=offset,
            peak_ms=START_MS,
            unique=offset * 2,
            as_of_offset=offset,
            as_of_ms=START_MS + offset * 1_000,
        )

    def decision(self, cue_id: str, *, accepted: bool) -> CueDecided:
        return CueDecided(
            video_id=self.video_id,
            channel=CHANNEL,
            cue_id=cue_id,
            accepted=accepted,
            reason="" if accepted else "overlap",
            message="",
            source_offset=3,
        )

    def plan(self) -> BreakPlanned:
        return BreakPlanned(
            video_id=self.video_id,
            channel=CHANNEL,
            break_id="cue-1",
            segment=3,
            start_ms=START_MS + 3_000,
            media_time_ms=3_000,
            duration_ms=30_000,
            requested_ms=START_MS,
        )

    def rows(self) -> Rows:
        """What must be in Cassandra when all events are."""
        comments = [self.comment(seq) for seq in range(1, self.comments + 1)]
        last: dict[tuple[str, str], bool] = {}
        before: dict[str, int] = {}
        for batch in range(30):
            event = self.reactions(batch)
            last |= {(like.user_id, like.comment_id or ""): like.liked for like in event.likes}
        for offset in range(0, 300, 10):
            before[f"comment-{offset % 30}"] = offset
        media = [event for event in self.media() if isinstance(event, PartReady)]
        minutes = {(START_MS + offset * 1_000) // 60_000: offset for offset in range(0, 300, 10)}
        moments = {(START_MS + offset * 1_000) // 5_000 * 5_000: offset for offset in range(0, 300, 10)}
        return {
            "comments": sorted(
                (c.seq, c.comment_id, c.user_id, SAYS.get(c.seq, c.text), c.root_id, *BECAME.get(c.seq, NOTHING))
                for c in comments
            ),
            "comment_heads": [(self.head, self.comments)],
            "comment_ids": sorted((c.comment_id, c.seq) for c in comments),
            "comment_changes": sorted((c.seq, c.comment_id, c.change.value, c.text) for c in self.changes()),
            "comment_pins": [(3, True)] if self.comments >= 3 else [],
            "comments_by_author": sorted((c.user_id, c.seq) for c in comments),
            "comments_by_clock": sorted((clock, c.submitted_ms, c.seq) for c in comments for clock in CLOCKS),
            "replies": sorted((c.seq, c.comment_id) for c in comments if c.root_id),
            "likes": sorted((user, target, liked) for (user, target), liked in last.items()),
            "votes": [("g_0", "poll-0001", -1), ("g_1", "poll-0001", 0), ("g_2", "poll-0001", 1)],
            "totals": [(29, {"heart": 290}, 290)],
            "totals_by_minute": sorted((minute, offset // 10, offset) for minute, offset in minutes.items()),
            "totals_by_moment": sorted((at_ms // 5_000, offset) for at_ms, offset in moments.items()),
            "reactions_by_position": sorted(
                (moment, n, {"heart": hearts})
                for n in range(10)
                for moment, hearts in Counter((START_MS + at * 1_000) // 5_000 for at in (n, 3, 2)).items()
            ),
            "comment_totals": sorted(before.items()),
            "polls": [("poll-0001", "Who wins?", (310, 1), START_MS)],
            "viewers": [(290 % 70, 290, 580, 290)],
            "viewers_by_minute": sorted((minute, offset % 70, offset) for minute, offset in minutes.items()),
            "moderation_acts": [(self.act(number).act_id,) for number in range(3)],
            "segments": [("144p150k", n, 1, ((0, n * 90_000, 90_000, 100),)) for n in (0, 1)]
            + sorted(
                (
                    rendition,
                    segment,
                    0 if segment == LOST_SEGMENT else self.parts,
                    tuple(
                        (p.part, p.dts, p.duration, p.size)
                        for p in media
                        if (p.rendition, p.segment) == (rendition, segment)
                    )
                    or None,
                )
                for rendition in ("source", "audio")
                for segment in range(self.segments)
            ),
            "renditions": [("144p150k", MADE.codecs), ("audio", "avc1.64001f"), ("source", "avc1.64001f")],
            "archived": sorted((n, n * 1_000, (1, 3) if n else ()) for n in range(self.segments)),
            "videos": [("Ann paints a boat", "ended", START_MS + 90_000, self.segments - 1, 0, "unlisted", REMOVED_MS)],
            "videos_by_channel": [(self.video_id, "ended", "Ann paints a boat", "unlisted", REMOVED_MS)],
            "breaks": [("cue-1", True, "", 3, 30_000), ("cue-2", False, "overlap", None, None)],
            "captions": [
                (segment, 0, ((segment * 90_000 + 3_000, 3), (segment * 90_000 + 6_000, 6)))
                for segment in range(self.segments)
                if segment != LOST_SEGMENT
            ],
            "caption_files": [("de", "DE", "captions", 0), ("en", "EN", "captions", 7)],
            "caption_texts": [("de", ""), ("en", "WEBVTT\n")],
        }


ONE = "video_id = ?"
SHARDED = f"{ONE} AND shard IN ({', '.join(map(str, range(32)))})"
AUTHORS = ", ".join(f"'g_{n}'" for n in range(USERS))
CLOCKS = ("media", "written")
SAYS = {1: "said better", 4: ""}
NOTHING = (None, None, None)
BECAME = {2: (False, None, None), 3: (None, None, True), 4: (None, True, None)}
QUERIES = {
    "comments": (
        "seq, comment_id, user_id, text, root_id, hidden, removed, pinned",
        f"{ONE} AND bucket IN (0, 1, 2, 3)",
    ),
    "comment_heads": ("seq, shown", ONE),
    "comment_ids": ("comment_id, seq", SHARDED),
    "comment_changes": ("seq, comment_id, change, text", f"{ONE} AND bucket IN (0, 1, 2, 3)"),
    "comment_pins": ("comment_seq, pinned", ONE),
    "comments_by_author": (
        "user_id, seq",
        f"{ONE} AND user_id IN ({AUTHORS}) AND bucket = 0",
    ),
    "comments_by_clock": (
        "clock, at_ms, seq",
        f"{ONE} AND clock IN ('media', 'written') AND bucket IN ({START_MS // 60_000}, {START_MS // 60_000 + 1})",
    ),
    "replies": ("seq, comment_id", f"{ONE} AND root_id = 'comment-1' AND bucket = 0"),
    "likes": ("user_id, comment_id, liked", f"{ONE} AND shard IN ({', '.join(map(str, range(32)))})"),
    "votes": ("user_id, poll_id, option", SHARDED),
    "totals": ("likes, reactions, as_of_offset", ONE),
    "totals_by_minute": ("minute, likes, as_of_offset", ONE),
    "totals_by_moment": ("moment, as_of_offset", f"{ONE} AND bucket = {START_MS // 86_400_000}"),
    "reactions_by_position": ("moment, number, reactions", f"{ONE} AND bucket = {START_MS // 600_000}"),
    "comment_totals": ("comment_id, likes", f"{ONE} AND shard IN ({', '.join(map(str, range(32)))})"),
    "polls": ("poll_id, question, votes, closed_ms", ONE),
    "viewers": ("viewers, peak, unique_viewers, as_of_offset", ONE),
    "viewers_by_minute": ("minute, viewers, as_of_offset", ONE),
    "moderation_acts": ("act_id", f"channel = ? AND bucket = {START_MS // BUCKET_MS}"),
    "segments": (
        "rendition, segment, part_count, parts",
        f"{ONE} AND rendition IN ('144p150k', 'audio', 'source') AND bucket = 0",
    ),
    "renditions": ("rendition, codecs", ONE),
    "archived": ("segment, archived_size, missing", f"{ONE} AND rendition = 'source' AND bucket = 0"),
    "videos": ("title, state, ended_ms, last_segment, keep_days, visibility, removed_ms", ONE),
    "videos_by_channel": ("video_id, state, title, visibility, removed_ms", f"channel = '{CHANNEL}' AND {ONE}"),
    "breaks": ("break_id, accepted, reason, segment, duration_ms", ONE),
    "captions": ("segment, part, pictures", f"{ONE} AND bucket = 0"),
    "caption_files": ("language, label, kind, bytes", ONE),
    "caption_texts": ("language, text", f"{ONE} AND language IN ('de', 'en')"),
}
TABLES = {"archived": "segments"}
WRITTEN = {
    "comments": "text",
    "comment_changes": "change",
    "likes": "liked",
    "votes": "option",
    "totals": "likes",
    "totals_by_minute": "likes",
    "comment_totals": "likes",
    "polls": "votes",
    "viewers": "peak",
    "viewers_by_minute": "peak",
    "moderation_acts": "act",
    "segments": "part_count",
    "videos": "state",
    "breaks": "accepted",
    "captions": "pictures",
    "caption_files": "label",
    "caption_texts": "text",
}


async def stored(session: Cassandra, video_id: str) -> Rows:
    """What is in Cassandra of a video."""
    return {
        table: sorted([tuple(map(_plain, row)) for row in await _select(session, table, columns, video_id)])
        for table, (columns, _) in QUERIES.items()
    }


async def write_times(session: Cassandra, video_id: str) -> Rows:
    """When the rows of a video were written, as Cassandra decides by it which of two writes stays."""
    return {
        table: sorted([tuple(row) for row in await _select(session, table, f"writetime({column}) AS at", video_id)])
        for table, column in WRITTEN.items()
    }


async def _select(session: Cassandra, table: str, columns: str, video_id: str) -> list[tuple[object, ...]]:
    query = f"SELECT {columns} FROM $keyspace.{TABLES.get(table, table)} WHERE {QUERIES[table][1]}"
    return [row async for row in session.every_row(query, (video_id,))]


def _plain(value: object) -> object:
    """Maps and lists as values that compare: of parts, number, dts, duration, size; of pictures, pts and size."""
    if isinstance(value, list):
        return tuple(n if isinstance(n, int) else (n.pts, len(n.data)) for n in value)
    if not hasattr(value, "items"):
        return value
    items = dict(value.items())
    if all(isinstance(key, int) for key in items):
        return tuple((key, part.dts, part.duration, part.size) for key, part in sorted(items.items()))
    return items


async def publish(settings: Settings, events: Sequence[tuple[Topic, Event]]) -> list[Written]:
    """Put events on the log; returns where they went."""
    async with EventProducer(settings, "test") as producer:
        sent = [producer.send(topic, event.video_id, event) for topic, event in events]  # type: ignore[union-attr]
        return list(await asyncio.gather(*sent))


def joined(*broadcasts: Broadcast) -> list[tuple[Topic, Event]]:
    """The events of several broadcasts."""
    return list(chain.from_iterable(broadcast.events() for broadcast in broadcasts))
