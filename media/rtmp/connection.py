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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from media.rtmp import commands, handshake
from media.rtmp.amf0 import AmfValue, decode
from media.rtmp.chunk import ChunkReader
from media.rtmp.commands import Command
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
    UserControl,
    amf0_body,
    control_value,
    ping_response,
    split_aggregate,
)
from media.rtmp.outbox import Outbox
from media.rtmp.state import TRANSITIONS, State, Step
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

FOURCCS: Final = ("avc1", "mp4a")
"""Codecs that E-RTMP clients are told of."""
CHUNK_SIZE: Final = 65_536
"""Of what we send; FFmpeg takes it over for what it sends."""
WINDOW_BYTES: Final = 2_500_000
_SMALLEST_WINDOW_BYTES = 4_096
_DYNAMIC_BANDWIDTH = 2
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
        self._fourccs = fourccs
        self._state = State.AWAITING_C1
        self._opening = bytearray()
        self._reader = ChunkReader(self._limits)
        self._events: deque[Event] = deque()
        self._outbox = Outbox()
        self._connected = False
        self._app = ""
        self._streams: set[int] = set()
        self._last_stream = 0
        self._publish_stream = 0
        self._times = TimestampUnwrapper()
        self._window = WINDOW_BYTES
        self._announced_window = WINDOW_BYTES
        self._received = 0
        self._acknowledged = 0
        self._commands = 0
        self._idle_messages = 0
        self._idle_since = 0
        self._expect_little()

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._state

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
        if self._state is State.FAILED:
            raise RtmpError("this connection has failed before and takes no more data; close it")
        self._received += len(data)
        with self._failing():
            if self._state in _HANDSHAKING:
                data = self._shake_hands(data)
            if self._state not in _HANDSHAKING:
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
        self._expect_question("accept_publish")
        self._move(Step.ACCEPT)
        self._reader.message_bytes = self._limits.message_bytes
        self._reader.open_bytes = self._limits.partial_bytes
        begin = UserControl.STREAM_BEGIN.to_bytes(2, "big") + self._publish_stream.to_bytes(4, "big")
        self._outbox.control(MessageType.USER_CONTROL, begin)
        self._outbox.status(self._publish_stream, "status", "NetStream.Publish.Start", "Publishing has started.")
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
        self._expect_question("refuse_publish")
        self._move(Step.REFUSE)
        self._outbox.status(self._publish_stream, "error", code, description)
        with self._failing():
            self._read_messages()

    def report(self, level: str, code: str, description: str) -> None:
        """Tell the peer something by `onStatus`, also after a violation: a code of RTMP 1.0, 7.2.2, or one's own.

        `NetConnection.…` codes go to the connection, all others to the stream that was published last. Encoders stop on
        level `error`; `status` and `warning` are only logged.

        Raises:
            WrongStateError: the peer has not connected yet.
        """
        if not self._connected:
            raise WrongStateError(f"report in state {self._state.name}, expected a peer that has connected")
        stream = 0 if code.startswith("NetConnection.") else self._publish_stream
        self._outbox.status(stream, level, code, description)

    # States and limits ---------------------------------------------------------------------------------------------

    def _move(self, step: Step) -> None:
        state = TRANSITIONS.get((self._state, step))
        if state is None:
            raise CommandError(f"{step.name.lower()} is not possible in state {self._state.name}")
        self._state = state

    def _expect_question(self, call: str) -> None:
        if self._state is not State.PUBLISH_REQUESTED:
            raise WrongStateError(f"{call} in state {self._state.name}, expected PUBLISH_REQUESTED")

    def _expect_little(self) -> None:
        """Begin to count what comes outside of a publish."""
        self._reader.message_bytes = min(self._limits.bytes_before_publish, self._limits.message_bytes)
        self._reader.open_bytes = self._limits.bytes_before_publish
        self._idle_since = self._reader.consumed
        self._idle_messages = 0
        self._commands = 0

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Remember a violation."""
        try:
            yield
        except RtmpError:
            self._state = State.FAILED
            raise

    def _check_waiting(self) -> None:
        """Refuse a peer that sends too much ahead of the answer to its publish."""
        if self._state is State.PUBLISH_REQUESTED and self._reader.waiting > self._limits.bytes_before_publish:
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
        if self._state is State.AWAITING_C1 and opening:
            handshake.check_version(opening[0])
            if len(opening) < handshake.C0_C1_BYTES:
                return b""
            c1 = bytes(opening[1 : handshake.C0_C1_BYTES])
            del opening[: handshake.C0_C1_BYTES]
            self._outbox.raw(handshake.server_reply(c1, epoch_ms=self._epoch_ms, random_bytes=self._random_bytes))
            self._move(Step.C1)
        if self._state is State.AWAITING_C1 or len(opening) < handshake.C2_BYTES:
            return b""
        self._move(Step.C2)
        rest = bytes(opening[handshake.C2_BYTES :])
        opening.clear()
        return rest

    def _read_messages(self) -> None:
        """Act on the messages that are complete, up to a publish that has to be answered."""
        while self._state is not State.PUBLISH_REQUESTED:
            message = self._reader.next_message()
            if message is None:
                break
            self._on_message(message)

    def _on_message(self, message: Message) -> None:
        if self._state is not State.PUBLISHING:
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
        if not message.body or not self._is_published(message.stream_id):
            return
        time = self._times.unwrap(message.timestamp)
        kind = VideoReceived if message.type_id == MessageType.VIDEO else AudioReceived
        self._events.append(kind(time, message.body))

    def _on_data(self, message: Message) -> None:
        if not self._is_published(message.stream_id):
            return
        values = self._decode(message)
        if values[:1] == ["@setDataFrame"]:
            del values[0]
        if values[:1] == ["onMetaData"] and len(values) > 1 and isinstance(values[1], dict):
            self._events.append(Metadata(values[1]))

    def _on_aggregate(self, message: Message) -> None:
        if not self._is_published(message.stream_id):
            return
        for part in split_aggregate(message, self._limits):
            if part.type_id in _MEDIA:
                self._on_media(part)
            elif part.type_id in _DATA:
                self._on_data(part)

    def _is_published(self, stream_id: int) -> bool:
        """Whether media on a message stream belongs to the publish.

        Some encoders write a stream id that was never created; with one publish on a connection there is no doubt which
        is meant.
        """
        if self._state is not State.PUBLISHING:
            return False
        return stream_id == self._publish_stream or stream_id not in self._streams

    # Commands ------------------------------------------------------------------------------------------------------

    def _decode(self, message: Message) -> list[AmfValue]:
        if len(message.body) > self._limits.command_bytes:
            raise LimitError(
                f"command or data message of {len(message.body)} bytes, at most {self._limits.command_bytes} allowed"
            )
        return decode(amf0_body(message), self._limits)

    def _on_command(self, message: Message) -> None:
        command = commands.read_command(self._decode(message))
        if self._state is not State.PUBLISHING:
            self._commands += 1
            if self._commands > self._limits.commands_before_publish:
                raise LimitError(
                    f"more than {self._limits.commands_before_publish} commands without an accepted publish"
                )
        if command.name in commands.REPLIES:
            return
        if (command.name == "connect") != (self._state is State.AWAITING_CONNECT):
            expected = "connect, once, before all other commands (7.2.1.1)"
            raise CommandError(f"found command {command.name[:64]!r} in state {self._state.name}, expected {expected}")
        answer = _ANSWERS.get(command.name)
        if answer is not None:
            answer(self, command, message.stream_id)
        elif command.transaction_id:
            text = f"There is no command {command.name[:64]!r} here."
            self._outbox.command(commands.error(command.transaction_id, "NetConnection.Call.Failed", text))

    def _connect(self, command: Command, _stream_id: int) -> None:
        properties = command.arguments[0] if command.arguments else None
        if not isinstance(properties, dict):
            raise CommandError(f"found {type(properties).__name__} as command object of connect, expected an object")
        strings = self._limits.amf_string_bytes
        app = commands.checked_text(properties.get("app", ""), "app of connect", max_chars=self._limits.app_chars)
        tc_url, flash_ver = (
            commands.checked_text(properties.get(name) or "", f"{name} of connect", max_chars=strings)
            for name in ("tcUrl", "flashVer")
        )
        fourccs = commands.client_fourccs(properties)
        self._move(Step.CONNECT)
        self._connected = True
        self._app = app
        self._outbox.control(MessageType.WINDOW_ACKNOWLEDGEMENT_SIZE, WINDOW_BYTES.to_bytes(4, "big"))
        bandwidth = WINDOW_BYTES.to_bytes(4, "big") + bytes((_DYNAMIC_BANDWIDTH,))
        self._outbox.control(MessageType.SET_PEER_BANDWIDTH, bandwidth)
        self._outbox.set_chunk_size(CHUNK_SIZE)
        self._outbox.command(commands.connect_success(command.transaction_id, self._fourccs if fourccs else ()))
        self._events.append(Connected(app, tc_url, flash_ver, fourccs))

    def _create_stream(self, command: Command, _stream_id: int) -> None:
        if len(self._streams) == self._limits.streams:
            raise LimitError(f"more than {self._limits.streams} streams created")
        self._last_stream += 1
        self._streams.add(self._last_stream)
        self._outbox.command(commands.result(command.transaction_id, float(self._last_stream)))

    def _publish(self, command: Command, stream_id: int) -> None:
        if stream_id not in self._streams:
            raise CommandError(
                f"publish on message stream {stream_id}, expected one that createStream gave: {sorted(self._streams)}"
            )
        stream_key = command.text(1, "stream key", max_chars=self._limits.stream_key_chars)
        publish_type = command.text(2, "publish type", max_chars=self._limits.stream_key_chars).lower()
        if self._state is State.PUBLISHING:
            self._outbox.status(
                stream_id, "error", "NetStream.Publish.BadName", "This connection is publishing already."
            )
            return
        self._move(Step.PUBLISH)
        self._publish_stream = stream_id
        self._times = TimestampUnwrapper()
        kind = publish_type if publish_type in commands.PUBLISH_TYPES else "live"
        self._events.append(PublishRequested(self._app, stream_key, kind))

    def _unpublish(self, stream_id: int) -> None:
        """End the publish if it is that of `stream_id`."""
        if stream_id != self._publish_stream or self._state is not State.PUBLISHING:
            return
        self._move(Step.UNPUBLISH)
        self._events.append(PublishEnded())
        self._expect_little()
        self._outbox.status(stream_id, "status", "NetStream.Unpublish.Success", "Publishing has ended.")

    def _delete_stream(self, command: Command, _stream_id: int) -> None:
        number = command.number(1, "stream id")
        stream_id = int(number) if 0 < number <= self._last_stream else 0
        self._unpublish(stream_id)
        self._streams.discard(stream_id)

    def _close_stream(self, _command: Command, stream_id: int) -> None:
        self._unpublish(stream_id)

    def _fc_unpublish(self, command: Command, _stream_id: int) -> None:
        self._unpublish(self._publish_stream)
        self._acknowledge_call(command, _stream_id)

    def _fc_publish(self, command: Command, stream_id: int) -> None:
        self._acknowledge_call(command, stream_id)
        self._outbox.command(commands.on_fc_publish("NetStream.Publish.Start", "Go on with publish."))

    def _acknowledge_call(self, command: Command, _stream_id: int) -> None:
        """Answer a call that needs nothing done."""
        if command.transaction_id:
            self._outbox.command(commands.result(command.transaction_id, None))

    def _stream_length(self, command: Command, _stream_id: int) -> None:
        """Say 0: a live stream has no length."""
        if command.transaction_id:
            self._outbox.command(commands.result(command.transaction_id, 0.0))

    def _play(self, command: Command, stream_id: int) -> None:
        stream_key = command.text(1, "stream name", max_chars=self._limits.stream_key_chars)
        text = "This server takes streams over RTMP and does not give them; watch them over HTTP."
        self._outbox.status(stream_id, "error", "NetStream.Play.Failed", text)
        self._events.append(PlayRequested(self._app, stream_key))


_Answer = Callable[[ServerConnection, Command, int], None]

_ANSWERS: Final[dict[str, _Answer]] = {
    "connect": ServerConnection._connect,  # noqa: SLF001 - the table belongs to the class
    "createStream": ServerConnection._create_stream,  # noqa: SLF001
    "publish": ServerConnection._publish,  # noqa: SLF001
    "deleteStream": ServerConnection._delete_stream,  # noqa: SLF001
    "closeStream": ServerConnection._close_stream,  # noqa: SLF001
    "FCPublish": ServerConnection._fc_publish,  # noqa: SLF001
    "FCUnpublish": ServerConnection._fc_unpublish,  # noqa: SLF001
    "play": ServerConnection._play,  # noqa: SLF001
    "getStreamLength": ServerConnection._stream_length,  # noqa: SLF001
    "releaseStream": ServerConnection._acknowledge_call,  # noqa: SLF001
    "_checkbw": ServerConnection._acknowledge_call,  # noqa: SLF001
}
"""The commands that are understood (7.2, and those of Flash Media Live Encoder that all encoders copied)."""
