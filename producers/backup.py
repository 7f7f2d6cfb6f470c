"""Two publishers of one channel, primary and backup: one is on the air, the other waits with what it sent last.

Theory. Both send the same programme. What the one on the air sends goes into the broadcast; what the other sends is kept back to the
keyframe before the last `keep_ms`. When the one on the air leaves, or is silent for `after_ms` while the other is not, the other
goes on:

- Where both are the same stream, byte for byte (one encoder that pushes twice), with the first tag that is not out yet: nothing is lost and
  nothing comes twice, in the middle of a GOP too.
- Else with a keyframe: the first that came after the last tag that is out, or else the last one there is. Its time stamps are led on from
  those that are out, so that viewers see no discontinuity, unless the codec configuration is another.

Whoever has gone on stays; the other, when it returns, waits. There is no changing back, for that would be another cut.
"""

import logging
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from media import flv
from producers.broadcast import Broadcast
from producers.meter import Meter

log = logging.getLogger(__name__)

MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
LONGEST_GOP_MS: Final = 10_000
FRAME_MS: Final = 20
"""By how much the first tag of another stream is later than the last one that is out, at least."""


@dataclass(frozen=True, slots=True)
class Tag:
    """The body of an FLV tag, when it is to be shown and when it came, ms."""

    video: bool
    timestamp_ms: int
    came_ms: int
    body: bytes = field(repr=False)
    keyframe: bool = False

    @property
    def identity(self) -> tuple[bool, int, int]:
        """The same for the same tag of the same stream."""
        return self.video, self.timestamp_ms, zlib.crc32(self.body)


class Source:
    """One publisher's side of a `Switch`: what it sends goes on the air, or waits."""

    def __init__(self, switch: "Switch", *, backup: bool) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self.backup = backup
        self.switch = switch
        self.heard_ms = switch.now_ms()
        self.configs: dict[bool, bytes] = {}
        self.waiting: deque[Tag] = deque()
        self._waiting_bytes = 0

    @property
    def channel(self) -> str:
        """Whose channel it is."""
        return self.switch.broadcast.channel

    @property
    def broadcast(self) -> Broadcast:
        """What it is a part of."""
        return self.switch.broadcast

    @property
    def failure(self) -> Exception | None:
        """Why nothing more is taken."""
        return self.switch.broadcast.failure

    @property
    def overfull(self) -> bool:
        """Whether the publisher must be held back now."""
        return self.switch.active is self and self.switch.broadcast.overfull

    @property
    def video_id(self) -> str:
        """The video that it is part of."""
        return self.switch.broadcast.video_id

    @property
    def meter(self) -> Meter:
        """Hears how the stream on the air arrives."""
        return self.switch.broadcast.meter

    def feed_metadata(self, values: Mapping[str, object]) -> None:
        """Take what `onMetaData` says."""
        if self.switch.active is self:
            self.switch.broadcast.feed_metadata(values)

    def feed_video(self, timestamp_ms: int, payload: bytes) -> None:
        """Take the body of a video tag; errors as of `Broadcast.feed_video`."""
        read = flv.parse_video(payload)
        keyframe = read.keyframe and read.kind is flv.TagKind.FRAME
        self._take(Tag(True, timestamp_ms, self.switch.now_ms(), payload, keyframe), read.kind is flv.TagKind.CONFIG)

    def feed_audio(self, timestamp_ms: int, payload: bytes) -> None:
        """Take the body of an audio tag; errors as of `Broadcast.feed_audio`."""
        if payload:  # some encoders send an empty tag before the first
            is_config = flv.parse_audio(payload).kind is flv.TagKind.CONFIG
            self._take(Tag(False, timestamp_ms, self.switch.now_ms(), payload), is_config)

    def _take(self, tag: Tag, is_config: bool) -> None:
        self.heard_ms = tag.came_ms
        if is_config:
            self.configs[tag.video] = tag.body
        if self.switch.active is self:
            self.switch.publish(tag, note=not is_config)
        elif not is_config:
            self._keep(tag)
            self.switch.look(self)

    def _keep(self, tag: Tag) -> None:
        """Keep it, and of what is older only as much as may be needed."""
        self.waiting.append(tag)
        self._waiting_bytes += len(tag.body)
        keyframes = [at for at, kept in enumerate(self.waiting) if kept.keyframe]
        enough = [at for at in keyframes if self.waiting[at].came_ms <= tag.came_ms - self.switch.keep_ms]
        unneeded = enough[-1] if enough else 0
        if self._waiting_bytes > MAX_WAITING_BYTES:
            unneeded = keyframes[-1] if keyframes and keyframes[-1] > unneeded else len(self.waiting)
        for _ in range(unneeded):
            self._waiting_bytes -= len(self.waiting.popleft().body)

    def taken(self) -> list[Tag]:
        """What waits, which then waits no more."""
        waiting, self.waiting, self._waiting_bytes = list(self.waiting), deque(), 0
        return waiting


class Switch:
    """Between a broadcast and its publishers.

    Args:
        broadcast: open already.
        after_ms: so long the one on the air may be silent.
        now_ms: any clock that does not run back, ms.
        on_switch: called with the source that has gone on the air.
    """

    def __init__(
        self, broadcast: Broadcast, after_ms: int, now_ms: Callable[[], int], on_switch: Callable[[Source], None]
    ) -> None:
        self.broadcast = broadcast
        self.now_ms = now_ms
        self.active: Source | None = None
        self.standby: Source | None = None
        self.keep_ms = after_ms + 1_000
        self._after_ms = after_ms
        self._on_switch = on_switch
        self._published: deque[tuple[int, tuple[bool, int, int]]] = deque()
        self._last_ms: dict[bool, int] = {}
        self._shift_ms = 0
        broadcast.on_room = self._room

    def join(self, *, backup: bool) -> Source:
        """Another publisher: on the air if it is the first, else waiting."""
        source = Source(self, backup=backup)
        if self.active is None:
            self.active = source
        else:
            assert self.standby is None
            self.standby = source
        return source

    def leave(self, source: Source) -> bool:
        """A publisher has gone; whether another is (now) on the air."""
        if self.standby is source:
            self.standby = None
        elif self.active is source and self.standby is not None:
            standby, self.standby = self.standby, None
            self._go_on(source, standby)
        elif self.active is source:
            self.active = None
        return self.active is not None

    def look(self, waiting: Source) -> None:
        """Let the one that waits go on, if the one on the air is silent for too long."""
        active = self.active
        if active is None or waiting is not self.standby or self.broadcast.overfull:
            return  # who is held back by us is silent for that
        if not any(tag.keyframe for tag in waiting.waiting):
            return
        if self.now_ms() - active.heard_ms > self._after_ms:
            self.standby = active
            active.taken()
            self._go_on(active, waiting)

    def publish(self, tag: Tag, *, note: bool = True) -> None:
        """Put a tag of the one on the air into the broadcast; `note` that it is out."""
        at_ms = tag.timestamp_ms + self._shift_ms
        if tag.video:
            self.broadcast.feed_video(at_ms, tag.body)
        else:
            self.broadcast.feed_audio(at_ms, tag.body)
        if note:
            self._last_ms[tag.video] = at_ms
            self._published.append((tag.came_ms, tag.identity))
            while self._published[0][0] < tag.came_ms - self.keep_ms - LONGEST_GOP_MS:
                self._published.popleft()

    def _go_on(self, before: Source, source: Source) -> None:
        """Put another publisher on the air, with what it has waiting."""
        log.warning("%s: the %s goes on", self.broadcast.channel, "backup" if source.backup else "primary")
        self.broadcast.meter.went_wrong("one encoder stopped sending; the other one goes on")
        self.active = source
        tags = source.taken()
        out = {identity for _, identity in self._published}
        same = any(tag.keyframe and tag.identity in out for tag in tags)
        tags = (
            [tag for tag in tags if tag.identity not in out] if same else self._from_a_keyframe(tags, before.heard_ms)
        )
        self._on_switch(source)
        for video, config in source.configs.items():
            self.publish(Tag(video, tags[0].timestamp_ms if tags else 0, 0, config), note=False)
        sound_ms = self._last_ms.get(False)
        for tag in tags:
            if same or tag.video or sound_ms is None or tag.timestamp_ms + self._shift_ms > sound_ms:
                self.publish(tag)

    def _from_a_keyframe(self, tags: list[Tag], heard_ms: int) -> list[Tag]:
        """What of another stream goes out; sets by how much its time stamps are led on."""
        keyframes = [at for at, tag in enumerate(tags) if tag.keyframe]
        later = [at for at in keyframes if tags[at].came_ms >= heard_ms]
        begin = later[0] if later else keyframes[-1] if keyframes else 0
        last_ms = max(self._last_ms.values(), default=None)
        if tags and last_ms is not None:
            gap_ms = max(FRAME_MS, tags[begin].came_ms - heard_ms)
            self._shift_ms = last_ms + gap_ms - tags[begin].timestamp_ms
        return tags[begin:]

    def _room(self) -> None:
        for source in (self.active, self.standby):
            if source is not None:
                source.on_room()
