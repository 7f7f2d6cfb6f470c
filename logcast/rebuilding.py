"""Makes a video again from the log's input topics, into a fresh place, by the folds that the workers use.

The source and sound are the chunks themselves; the ladder is what `processors.gop` makes of them; comments, totals and
polls are what the folds of the workers decide of `comments.submitted` and `reactions`. A fold is of a whole partition, so
it is given all that the partition has; its state rows stay in memory and are dropped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from consumers.soundness.facts import AUDIO, SOURCE, Key, Logged, Part
from consumers.soundness.gathering import Report
from consumers.soundness.logged import fold as note
from media.ladder import parse_rungs
from processors.comment_rules import operators_rules
from processors.comments import CommentsFold
from processors.fold import Fold, FoldError
from processors.gop import Gop, renditions_of
from processors.parts import made, passed_on
from processors.reactions import ReactionsFold
from processors.replay import LoggedGop, logged_gops
from schemas import codec
from schemas.events import CommentAccepted, CommentChanged, Event, MediaChunk, PartReady, VideoChanged, VideoForgotten
from schemas.topics import COMMENTS_FEED, COMMENTS_SUBMITTED, REACTIONS, TOTALS, Topic, partition_of
from stores.read_back import read_partition
from stores.recordings import segment_name
from stores.segments import LocalSegmentStore, init_name
from stores.settings import Settings

ROLE: Final = "replay"
STEP_RECORDS: Final = 1_000
"""After so many records what a fold decided is taken from it."""

Said = CommentAccepted | CommentChanged


@dataclass(slots=True)
class Rebuilt:
    """What the log gives.

    Attributes:
        parts: by segment and number.
        objects: SHA-256 of each segment's object.
        feed: comments and changes by number.
        audience: the same folded, with totals and polls.
        begins_late: input topics whose partition has lost its beginning: what is decided of them may differ.
    """

    parts: dict[Key, dict[int, Part]] = field(default_factory=dict)
    objects: dict[Key, bytes] = field(default_factory=dict)
    feed: dict[int, Said] = field(default_factory=dict)
    audience: Logged = field(default_factory=Logged)
    begins_late: list[str] = field(default_factory=list)

    @property
    def renditions(self) -> list[str]:
        """Those that there are parts of."""
        return sorted({rendition for rendition, _ in self.parts})


class Rebuilding:
    """Makes one video again below `directory`: `segments/` has its parts, `recordings/` its recording. Blocking."""

    def __init__(self, settings: Settings, video: VideoChanged, directory: Path, report: Report) -> None:
        self.rebuilt: Final = Rebuilt()
        self._settings = settings
        self._video = video
        self._report = report
        self._segments = LocalSegmentStore(directory / "segments")
        self._recordings = directory / "recordings"

    def run(self) -> Rebuilt:
        """All of it.

        Raises:
            LogError: the log cannot be read.
            SegmentStoreError, OSError: the place cannot be written.
        """
        total = self._video.last_segment + 1
        for gop in logged_gops(self._settings, self._video):
            self._report("media", min(gop.first_segment, total), total)
            self._gop(gop)
        self._report("comments", 0, 2)
        rules = operators_rules(self._settings)
        comments = CommentsFold(rules, partitions=self._settings.partitions)
        self._decide(comments, COMMENTS_SUBMITTED, codec.decode)
        self._report("totals", 1, 2)
        self._decide(ReactionsFold(), REACTIONS, codec.decode_counted)
        return self.rebuilt

    # -- media

    def _gop(self, gop: LoggedGop) -> None:
        found: dict[Key, dict[int, bytes]] = {}
        for rendition, chunks in ((SOURCE, gop.video), (AUDIO, gop.audio)):
            init = chunks[0].init if chunks else None
            name = init_name(self._video.video_id, rendition, init) if init is not None else ""
            if init is not None:
                self._segments.put(name, init)
            for chunk in chunks:
                self._part(passed_on(chunk, name), chunk.data, found)
        for ready, data in self._ladder(gop.video) if gop.whole else ():
            self._part(ready, data, found)
        for key, parts in found.items():
            whole = b"".join(parts[number] for number in sorted(parts))
            self.rebuilt.objects[key] = sha256(whole).digest()
            path = self._recordings / segment_name(self._video.video_id, *key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(whole)

    def _ladder(self, chunks: tuple[MediaChunk, ...]) -> Iterator[tuple[PartReady, bytes]]:
        """The parts of all rungs of a GOP, as a worker makes them live."""
        renditions = renditions_of(chunks[0], parse_rungs(self._settings.ladder))
        if not renditions:
            return
        gop = Gop(chunks[0], renditions, self._settings.encoder_preset)
        for scaled in (*map(gop.step, chunks), None):
            pictures = gop.finish() if scaled is None else scaled
            for encoder in range(len(renditions)):
                for part in gop.encode(encoder, pictures):
                    ready = made(part)
                    self._segments.put(ready.init, part.init)
                    yield ready, part.data

    def _part(self, ready: PartReady, data: bytes, found: dict[Key, dict[int, bytes]]) -> None:
        key = ready.rendition, ready.segment
        self._segments.put(ready.name, data)
        part = Part(ready.dts, ready.duration, ready.size, ready.sha256)
        self.rebuilt.parts.setdefault(key, {})[ready.part] = part
        found.setdefault(key, {})[ready.part] = data

    # -- what the audience did

    def _decide(self, fold: Fold, topic: Topic, read: Callable[[bytes], Any]) -> None:
        partition = partition_of(self._video.video_id, self._settings.partitions)
        for number, record in enumerate(read_partition(self._settings, topic, partition, ROLE)):
            if number == 0 and record.offset > 0:
                self.rebuilt.begins_late.append(topic.name)
            if record.value is None:
                continue
            try:
                event = read(record.value)
                if isinstance(event, VideoForgotten):
                    fold.forget(event.video_id)
                else:
                    fold.apply(topic.name, record.offset, event)
            except (codec.CodecError, FoldError):
                continue  # a dead letter of the worker
            if number % STEP_RECORDS == 0:
                self._take(fold)
        self._take(fold)

    def _take(self, fold: Fold) -> None:
        mine = self._video.video_id.encode()
        for write in fold.take():
            of_video = write.key.partition(b"/")[0] == mine  # polls have `VIDEO/POLL`
            if of_video and write.value is not None and write.topic in {COMMENTS_FEED.name, TOTALS.name}:
                self._note(codec.decode(write.value))

    def _note(self, event: Event) -> None:
        note(self.rebuilt.audience, event, 0)
        if isinstance(event, CommentAccepted | CommentChanged):
            self.rebuilt.feed[event.seq] = event
