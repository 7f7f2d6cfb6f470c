"""What the commands of one connection mean: connect, streams, publish (RTMP 1.0, 7.2)."""

from collections import deque
from collections.abc import Callable
from typing import Final

from media.rtmp import commands
from media.rtmp.commands import Command
from media.rtmp.errors import CommandError, LimitError, WrongStateError
from media.rtmp.events import Connected, Event, PlayRequested, PublishEnded, PublishRequested
from media.rtmp.limits import RtmpLimits
from media.rtmp.messages import MessageType, UserControl
from media.rtmp.outbox import Outbox
from media.rtmp.state import TRANSITIONS, State, Step

CHUNK_SIZE: Final = 65_536
"""Of what we send; FFmpeg takes it over for what it sends."""
WINDOW_BYTES: Final = 2_500_000
_DYNAMIC_BANDWIDTH = 2


class Session:
    """The state of a connection, and the answer to every command; events and answers go where the connection's go."""

    def __init__(self, limits: RtmpLimits, fourccs: tuple[str, ...], events: deque[Event], outbox: Outbox) -> None:
        self.state = State.AWAITING_C1
        self._limits = limits
        self._fourccs = fourccs
        self._events = events
        self._outbox = outbox
        self._connected = False
        self._app = ""
        self._streams: set[int] = set()
        self._last_stream = 0
        self._publish_stream = 0
        self._commands = 0

    def move(self, step: Step) -> None:
        """Make a step of `TRANSITIONS`.

        Raises:
            CommandError: there is no such step from this state.
        """
        state = TRANSITIONS.get((self.state, step))
        if state is None:
            raise CommandError(f"{step.name.lower()} is not possible in state {self.state.name}")
        self.state = state

    def accept(self) -> None:
        """Tell the publisher to begin.

        Raises:
            WrongStateError: no publish waits for an answer.
        """
        self._expect_question("accept_publish")
        self.move(Step.ACCEPT)
        self._commands = 0
        begin = UserControl.STREAM_BEGIN.to_bytes(2, "big") + self._publish_stream.to_bytes(4, "big")
        self._outbox.control(MessageType.USER_CONTROL, begin)
        self._outbox.status(self._publish_stream, "status", "NetStream.Publish.Start", "Publishing has started.")

    def refuse(self, code: str, description: str) -> None:
        """Tell the publisher no.

        Raises:
            WrongStateError: no publish waits for an answer.
        """
        self._expect_question("refuse_publish")
        self.move(Step.REFUSE)
        self._outbox.status(self._publish_stream, "error", code, description)

    def report(self, level: str, code: str, description: str) -> None:
        """Send an `onStatus`: `NetConnection.…` to the connection, all else to the stream that was published last.

        Raises:
            WrongStateError: the peer has not connected yet.
        """
        if not self._connected:
            raise WrongStateError(f"report in state {self.state.name}, expected a peer that has connected")
        stream = 0 if code.startswith("NetConnection.") else self._publish_stream
        self._outbox.status(stream, level, code, description)

    def publishes_on(self, stream_id: int) -> bool:
        """Say whether media on a message stream belongs to the publish.

        Some encoders write a stream id that was never created; with one publish on a connection there is no doubt which
        is meant.
        """
        if self.state is not State.PUBLISHING:
            return False
        return stream_id == self._publish_stream or stream_id not in self._streams

    def _expect_question(self, call: str) -> None:
        if self.state is not State.PUBLISH_REQUESTED:
            raise WrongStateError(f"{call} in state {self.state.name}, expected PUBLISH_REQUESTED")

    def obey(self, command: Command, stream_id: int) -> None:
        """Do and answer what a command on a message stream asks for.

        Raises:
            CommandError: it is malformed or out of order.
            LimitError: it is one too many, or asks for too much.
        """
        if self.state is not State.PUBLISHING:
            self._commands += 1
            if self._commands > self._limits.commands_before_publish:
                raise LimitError(
                    f"more than {self._limits.commands_before_publish} commands without an accepted publish"
                )
        if command.name in commands.REPLIES:
            return
        if (command.name == "connect") != (self.state is State.AWAITING_CONNECT):
            expected = "connect, once, before all other commands (7.2.1.1)"
            raise CommandError(f"found command {command.name[:64]!r} in state {self.state.name}, expected {expected}")
        answer = _ANSWERS.get(command.name)
        if answer is not None:
            answer(self, command, stream_id)
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
        self.move(Step.CONNECT)
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
        if self.state is State.PUBLISHING:
            self._outbox.status(
                stream_id, "error", "NetStream.Publish.BadName", "This connection is publishing already."
            )
            return
        self.move(Step.PUBLISH)
        self._publish_stream = stream_id
        kind = publish_type if publish_type in commands.PUBLISH_TYPES else "live"
        self._events.append(PublishRequested(self._app, stream_key, kind))

    def _unpublish(self, stream_id: int) -> None:
        """End the publish if it is that of `stream_id`."""
        if stream_id != self._publish_stream or self.state is not State.PUBLISHING:
            return
        self.move(Step.UNPUBLISH)
        self._events.append(PublishEnded())
        self._outbox.status(stream_id, "status", "NetStream.Unpublish.Success", "Publishing has ended.")

    def _delete_stream(self, command: Command, _stream_id: int) -> None:
        number = command.number(1, "stream id")
        stream_id = int(number) if 0 < number <= self._last_stream else 0
        self._unpublish(stream_id)
        self._streams.discard(stream_id)

    def _close_stream(self, _command: Command, stream_id: int) -> None:
        self._unpublish(stream_id)

    def _fc_unpublish(self, command: Command, stream_id: int) -> None:
        self._unpublish(self._publish_stream)
        self._acknowledge_call(command, stream_id)

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


_Answer = Callable[[Session, Command, int], None]

_ANSWERS: Final[dict[str, _Answer]] = {
    "connect": Session._connect,  # noqa: SLF001 - the table belongs to the class
    "createStream": Session._create_stream,  # noqa: SLF001
    "publish": Session._publish,  # noqa: SLF001
    "deleteStream": Session._delete_stream,  # noqa: SLF001
    "closeStream": Session._close_stream,  # noqa: SLF001
    "FCPublish": Session._fc_publish,  # noqa: SLF001
    "FCUnpublish": Session._fc_unpublish,  # noqa: SLF001
    "play": Session._play,  # noqa: SLF001
    "getStreamLength": Session._stream_length,  # noqa: SLF001
    "releaseStream": Session._acknowledge_call,  # noqa: SLF001
    "_checkbw": Session._acknowledge_call,  # noqa: SLF001
}
"""The commands that are understood (7.2, and those of Flash Media Live Encoder that all encoders copied)."""
