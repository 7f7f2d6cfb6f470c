"""The server's side of one RTMP connection that is published to, without I/O.

    connection = ServerConnection(epoch_ms=now_ms, random_bytes=os.urandom(1528))
    connection.receive_data(data)          # any split of the bytes gives the same events
    for event in connection.events():      # PublishRequested: answer with accept_publish() or refuse_publish()
        ...
    transport.write(connection.data_to_send())

Theory. The connection is in one `State`; `TRANSITIONS` is the whole table of what moves it. Commands of RTMP 1.0, section
7.2, are answered here as soon as they come, all but publish, which only the caller can judge. Until it has, what follows is
kept unread (within `bytes_before_publish`), and reading goes on inside `accept_publish` or `refuse_publish`: so a client
that sends media ahead of the answer loses none of it. Media of nobody's publish is dropped. All that a peer sends outside of
a publish counts towards `bytes_before_publish`, so that a stranger cannot keep a connection busy for nothing.

A violation raises an `RtmpError`. Events that came before it are still there to take, and `report` can still tell the peer
why; then the connection has to be closed. The caller owes it two timers: one until a publish is accepted, one while nothing
comes.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from media.rtmp import commands, handshake
from media.rtmp.amf0 import AmfValue, decode
from media.rtmp.chunk import ChunkReader
from media.rtmp.errors import (
    AmfError,
    ChunkError,
    CommandError,
    HandshakeError,
    LimitError,
    MessageError,
    RtmpError,
    WrongStateError,
)
from media.rtmp.events import (
    AudioReceived,
    Connected,
    Event,
    Metadata,
    PlayRequested,
    PublishEnded,
    PublishRequested,
    VideoReceived,
)
from media.rtmp.limits import RtmpLimits
from media.rtmp.messages import (
    Message,
    MessageType,
    amf0_body,
    control_value,
    ping_response,
    split_aggregate,
)
from media.rtmp.outbox import Outbox
from media.rtmp.session import WINDOW_BYTES, Session
from media.rtmp.state import State, Step
from media.rtmp.timestamps import TimestampUnwrapper

__all__ = [
    "AmfError",
    "AudioReceived",
    "ChunkError",
    "CommandError",
    "Connected",
    "Event",
    "HandshakeError",
    "LimitError",
    "MessageError",
    "Metadata",
    "PlayRequested",
    "PublishEnded",
    "PublishRequested",
    "RtmpError",
    "RtmpLimits",
    "ServerConnection",
    "State",
    "VideoReceived",
    "WrongStateError",
]

FOURCCS: Final = ("avc1", "hvc1", "av01", "mp4a")
"""Codecs that E-RTMP clients are told of."""
_SMALLEST_WINDOW_BYTES = 4_096
_MESSAGE_COST_BYTES = 64  # what keeping one message costs besides its body

_MEDIA = frozenset({MessageType.AUDIO, MessageType.VIDEO})
_DATA = frozenset({MessageType.DATA_AMF0, MessageType.DATA_AMF3})
_COMMANDS = frozenset({MessageType.COMMAND_AMF0, MessageType.COMMAND_AMF3})
_HANDSHAKING = frozenset({State.AWAITING_C1, State.AWAITING_C2})


class ServerConnection:
    """One connection: bytes in, events and bytes out.

    Args:
        limits: what a peer may send.
        epoch_ms: our clock for the handshake, milliseconds, any origin.
        random_bytes: 1528 random bytes for the handshake.
        fourccs: codecs to tell E-RTMP clients of.

    Raises:
        ValueError: `random_bytes` has another length.
    """

    def __init__(
        self,
        *,
        limits: RtmpLimits | None = None,
        epoch_ms: int,
        random_bytes: bytes,
        fourccs: tuple[str, ...] = FOURCCS,
    ) -> None:
        if len(random_bytes) != handshake.RANDOM_BYTES:
            raise ValueError(f"random_bytes has {len(random_bytes)} bytes, expected {handshake.RANDOM_BYTES}")
        self._limits = limits or RtmpLimits()
        self._epoch_ms = epoch_ms
        self._random_bytes = random_bytes
        self._opening = bytearray()
        self._reader = ChunkReader(self._limits)
        self._events: deque[Event] = deque()
        self._outbox = Outbox()
        self._session = Session(self._limits, fourccs, self._events, self._outbox)
        self._times = TimestampUnwrapper()
        self._window = WINDOW_BYTES
        self._announced_window = WINDOW_BYTES
        self._received = 0
        self._acknowledged = 0
        self._idle_messages = 0
        self._idle_since = 0
        self._expect_little()

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._session.state

    @property
    def bytes_received(self) -> int:
        """All bytes given to `receive_data`."""
        return self._received

    # What the caller does ------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer; any split of a stream of bytes gives the same events.

        Raises:
            RtmpError: the peer broke the protocol or a limit, now or in an earlier call. Close the connection.
        """
        if self._session.state is State.FAILED:
            raise RtmpError("this connection has failed before and takes no more data; close it")
        self._received += len(data)
        with self._failing():
            if self._session.state in _HANDSHAKING:
                data = self._shake_hands(data)
            if self._session.state not in _HANDSHAKING:
                self._reader.feed(data)
                self._check_waiting()
                self._read_messages()
                self._acknowledge()

    def next_event(self) -> Event | None:
        """Take the oldest event, None when there is none."""
        return self._events.popleft() if self._events else None

    def events(self) -> Iterator[Event]:
        """Take all events, oldest first."""
        while self._events:
            yield self._events.popleft()

    def data_to_send(self) -> bytes:
        """Take the bytes for the peer; call it after everything that may have made some."""
        return self._outbox.take()

    def accept_publish(self) -> None:
        """Let the publisher begin, and read on: there may be events at once.

        Raises:
            WrongStateError: no publish waits for an answer.
            RtmpError: what the peer sent in the meantime breaks the protocol or a limit. Close the connection.
        """
        self._session.accept()
        self._times = TimestampUnwrapper()
        self._reader.message_bytes = self._limits.message_bytes
        self._reader.open_bytes = self._limits.partial_bytes
        with self._failing():
            self._read_messages()

    def refuse_publish(
        self, code: str = "NetStream.Publish.BadName", description: str = "This stream key may not publish here."
    ) -> None:
        """Tell the publisher no, and read on. It may try again on this connection, or the caller closes it after sending.

        Raises:
            WrongStateError: no publish waits for an answer.
            RtmpError: what the peer sent in the meantime breaks the protocol or a limit. Close the connection.
        """
        self._session.refuse(code, description)
        with self._failing():
            self._read_messages()

    def report(self, level: str, code: str, description: str) -> None:
        """Tell the peer something by `onStatus`, also after a violation: a code of RTMP 1.0, 7.2.2, or one's own.

        `NetConnection.…` codes go to the connection, all others to the stream that was published last. Encoders stop on
        level `error`; `status` and `warning` are only logged.

        Raises:
            WrongStateError: the peer has not connected yet.
        """
        self._session.report(level, code, description)

    # States and limits ---------------------------------------------------------------------------------------------

    def _expect_little(self) -> None:
        """Begin to count what comes outside of a publish."""
        self._reader.message_bytes = min(self._limits.bytes_before_publish, self._limits.message_bytes)
        self._reader.open_bytes = self._limits.bytes_before_publish
        self._idle_since = self._reader.consumed
        self._idle_messages = 0

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Remember a violation."""
        try:
            yield
        except RtmpError:
            self._session.state = State.FAILED
            raise

    def _check_waiting(self) -> None:
        """Refuse a peer that sends too much ahead of the answer to its publish."""
        if self._session.state is State.PUBLISH_REQUESTED and self._reader.waiting > self._limits.bytes_before_publish:
            raise LimitError(
                f"received {self._reader.waiting} bytes ahead of the answer to publish, "
                f"at most {self._limits.bytes_before_publish} are allowed"
            )

    def _check_idle(self) -> None:
        """Refuse a peer that sends too much without publishing."""
        self._idle_messages += 1
        spent = self._reader.consumed - self._idle_since + self._idle_messages * _MESSAGE_COST_BYTES
        if spent > self._limits.bytes_before_publish:
            raise LimitError(
                f"received {spent} bytes ({_MESSAGE_COST_BYTES} added for each message) without an accepted publish, "
                f"at most {self._limits.bytes_before_publish} are allowed"
            )

    # Handshake and messages ----------------------------------------------------------------------------------------

    def _shake_hands(self, data: bytes) -> bytes:
        """Go on with the handshake; give the bytes that came after it."""
        opening = self._opening
        opening += data
        if self._session.state is State.AWAITING_C1 and opening:
            handshake.check_version(opening[0])
            if len(opening) < handshake.C0_C1_BYTES:
                return b""
            c1 = bytes(opening[1 : handshake.C0_C1_BYTES])
            del opening[: handshake.C0_C1_BYTES]
            self._outbox.raw(handshake.server_reply(c1, epoch_ms=self._epoch_ms, random_bytes=self._random_bytes))
            self._session.move(Step.C1)
        if self._session.state is State.AWAITING_C1 or len(opening) < handshake.C2_BYTES:
            return b""
        self._session.move(Step.C2)
        rest = bytes(opening[handshake.C2_BYTES :])
        opening.clear()
        return rest

    def _read_messages(self) -> None:
        """Act on the messages that are complete, up to a publish that has to be answered."""
        while self._session.state is not State.PUBLISH_REQUESTED:
            message = self._reader.next_message()
            if message is None:
                break
            self._on_message(message)

    def _on_message(self, message: Message) -> None:
        if self._session.state is not State.PUBLISHING:
            self._check_idle()
        kind = message.type_id
        if kind in _MEDIA:
            self._on_media(message)
        elif kind in _COMMANDS:
            self._on_command(message)
        elif kind in _DATA:
            self._on_data(message)
        elif kind == MessageType.AGGREGATE:
            self._on_aggregate(message)
        elif kind == MessageType.USER_CONTROL:
            answer = ping_response(message)
            if answer is not None:
                self._outbox.control(MessageType.USER_CONTROL, answer)
        elif kind == MessageType.WINDOW_ACKNOWLEDGEMENT_SIZE:
            self._window = max(control_value(message, "Window Acknowledgement Size"), _SMALLEST_WINDOW_BYTES)
        elif kind == MessageType.SET_PEER_BANDWIDTH:
            self._on_peer_bandwidth(control_value(message, "Set Peer Bandwidth"))

    def _on_peer_bandwidth(self, window: int) -> None:
        """Announce the window anew if it is another one (5.4.5); what we send never fills one."""
        if window != self._announced_window:
            self._announced_window = window
            self._outbox.control(MessageType.WINDOW_ACKNOWLEDGEMENT_SIZE, window.to_bytes(4, "big"))

    def _acknowledge(self) -> None:
        """Acknowledge what was received, twice in each window: encoders stop when nobody does (5.4.3)."""
        if self._received - self._acknowledged >= self._window // 2:
            self._acknowledged = self._received
            self._outbox.control(MessageType.ACKNOWLEDGEMENT, (self._received % (1 << 32)).to_bytes(4, "big"))

    def _on_media(self, message: Message) -> None:
        """Pass on audio or video; an empty body means silence (E-RTMP v2, "Enhanced Audio") and nothing to us."""
        if not message.body or not self._session.publishes_on(message.stream_id):
            return
        time = self._times.unwrap(message.timestamp)
        kind = VideoReceived if message.type_id == MessageType.VIDEO else AudioReceived
        self._events.append(kind(time, message.body))

    def _on_data(self, message: Message) -> None:
        if not self._session.publishes_on(message.stream_id):
            return
        values = self._decode(message)
        if values[:1] == ["@setDataFrame"]:
            del values[0]
        if values[:1] == ["onMetaData"] and len(values) > 1 and isinstance(values[1], dict):
            self._events.append(Metadata(values[1]))

    def _on_aggregate(self, message: Message) -> None:
        if not self._session.publishes_on(message.stream_id):
            return
        for part in split_aggregate(message, self._limits):
            if part.type_id in _MEDIA:
                self._on_media(part)
            elif part.type_id in _DATA:
                self._on_data(part)

    def _on_command(self, message: Message) -> None:
        command = commands.read_command(self._decode(message))
        was_publishing = self._session.state is State.PUBLISHING
        self._session.obey(command, message.stream_id)
        if was_publishing and self._session.state is not State.PUBLISHING:
            self._expect_little()

    def _decode(self, message: Message) -> list[AmfValue]:
        if len(message.body) > self._limits.command_bytes:
            raise LimitError(
                f"command or data message of {len(message.body)} bytes, at most {self._limits.command_bytes} allowed"
            )
        return decode(amf0_body(message), self._limits)
