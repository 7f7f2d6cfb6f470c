"""Chunk streams: messages cut into chunks and interleaved on one connection (RTMP 1.0, 5.3).

Theory. A chunk is a basic header (format and chunk stream id), a message header of 11, 7, 3 or 0 bytes by format, an
extended timestamp when the 24-bit one is 0xFFFFFF, and at most chunk-size bytes of one message. What a format leaves out
is that of the chunk before on the same chunk stream, so each one has a memory: message length, type, stream, timestamp,
and the timestamp field last seen on the wire. That field is what a type 3 chunk adds when it starts a message, after a
type 0 chunk too (5.3.1.2.4; FFmpeg and OBS rely on it).

The reader holds at most one unfinished header in its buffer. Bodies move to their chunk stream as they come, and a run of
type 3 chunks of the same message, which is nearly all there is on the wire, is moved with one slice: the header bytes
stand at every (chunk size + 1)th place and are checked and removed together, without a step of Python for each.

Met in the field:
- the first chunk of a chunk stream has format 1 (librtmp pings): it starts from timestamp 0, stream 0.
- type 3 chunks without the extended timestamp that 5.3.1.3 asks for: the four bytes are taken for one only if they repeat
  the timestamp field, or the absolute timestamp, of the message.
"""

from media.rtmp import messages
from media.rtmp.errors import ChunkError, LimitError
from media.rtmp.limits import RtmpLimits
from media.rtmp.messages import Message, MessageType

INITIAL_CHUNK_SIZE = 128
_EXTENDED = 0xFFFFFF
_LARGEST_MESSAGE = 0xFFFFFF
_HEADER_BYTES = (11, 7, 3, 0)
_CONTINUATION = 3
_CHUNK_CONTROL = frozenset({MessageType.SET_CHUNK_SIZE, MessageType.ABORT})
_ONE_BYTE_IDS = 64


class _ChunkStream:
    """What one chunk stream remembers between chunks."""

    __slots__ = ("body", "extended", "id", "length", "open", "stream_id", "time_field", "timestamp", "type_id")

    def __init__(self, chunk_stream_id: int) -> None:
        self.id = chunk_stream_id
        self.timestamp = 0
        self.time_field = 0
        self.length = 0
        self.type_id = 0
        self.stream_id = 0
        self.extended: tuple[bytes, ...] = ()
        """What the extended timestamp of a type 3 chunk may look like; empty when there is none."""
        self.open = False
        """A message has begun and is not complete."""
        self.body = bytearray()


class ChunkReader:
    """Turn bytes into messages.

    Set Chunk Size and Abort (5.4.1, 5.4.2) take effect here, and are passed on like every other message.

    Attributes:
        message_bytes: longest message accepted; may be changed at any time.
        open_bytes: bound on the announced lengths of all unfinished messages together; may be changed at any time.
    """

    __slots__ = (
        "_buffer",
        "_chunk_left",
        "_chunk_size",
        "_chunk_streams",
        "_current",
        "_max_chunk_streams",
        "_open_bytes",
        "_position",
        "_released",
        "message_bytes",
        "open_bytes",
    )

    def __init__(self, limits: RtmpLimits) -> None:
        self.message_bytes = limits.message_bytes
        self.open_bytes = limits.partial_bytes
        self._max_chunk_streams = limits.chunk_streams
        self._chunk_streams: dict[int, _ChunkStream] = {}
        self._chunk_size = INITIAL_CHUNK_SIZE
        self._open_bytes = 0
        self._buffer = bytearray()
        self._position = 0
        self._released = 0
        self._current: _ChunkStream | None = None
        self._chunk_left = 0

    @property
    def consumed(self) -> int:
        """Bytes read so far; when a message has just come out, those up to its end."""
        return self._released + self._position

    @property
    def waiting(self) -> int:
        """Bytes given to `feed` that are not consumed yet."""
        return len(self._buffer) - self._position

    def feed(self, data: bytes) -> None:
        """Take bytes; nothing is read of them yet."""
        self._buffer += data

    def next_message(self) -> Message | None:
        """Give the next message, None when its end has not come yet.

        Raises:
            ChunkError: a chunk cannot follow the ones before.
            LimitError: a message, their sum, or the number of chunk streams is over the limit.
            MessageError: Set Chunk Size or Abort is malformed.
        """
        while self._current is not None or self._begin_chunk():
            message = self._read_body()
            if message is not None:
                if message.type_id in _CHUNK_CONTROL:
                    self._apply(message)
                return message
            if self._chunk_left:
                break
        self._released += self._position
        del self._buffer[: self._position]
        self._position = 0
        return None

    def _begin_chunk(self) -> bool:
        """Read the headers of a chunk; False, with nothing changed, when they are not complete."""
        buffer, position = self._buffer, self._position
        available = len(buffer) - position
        if not available:
            return False
        chunk_format, chunk_stream_id = buffer[position] >> 6, buffer[position] & 0x3F
        position += 1
        if chunk_stream_id < 2:  # 5.3.1.1: 0 and 1 announce one and two more bytes, little-endian
            more = chunk_stream_id + 1
            if available < 1 + more:
                return False
            chunk_stream_id = _ONE_BYTE_IDS + int.from_bytes(buffer[position : position + more], "little")
            position += more
        stream = self._chunk_streams.get(chunk_stream_id)
        if stream is None:
            stream = self._new_stream(chunk_stream_id, chunk_format)
        if chunk_format == _CONTINUATION:
            return self._continue(stream, position)
        return self._begin_message(stream, chunk_format, position)

    def _new_stream(self, chunk_stream_id: int, chunk_format: int) -> _ChunkStream:
        if chunk_format > 1:
            raise ChunkError(
                f"chunk stream {chunk_stream_id} starts with a type {chunk_format} chunk, expected type 0 (5.3.1.2.1)"
            )
        if len(self._chunk_streams) == self._max_chunk_streams:
            raise LimitError(f"more than {self._max_chunk_streams} chunk streams")
        return _ChunkStream(chunk_stream_id)

    def _begin_message(self, stream: _ChunkStream, chunk_format: int, position: int) -> bool:
        buffer, size = self._buffer, _HEADER_BYTES[chunk_format]
        if len(buffer) - position < size:
            return False
        if stream.open:
            raise ChunkError(
                f"type {chunk_format} chunk on chunk stream {stream.id} after {len(stream.body)} of {stream.length} bytes "
                "of a message, expected type 3 until it is complete"
            )
        time_field = int.from_bytes(buffer[position : position + 3], "big")
        extended = time_field == _EXTENDED
        if extended:
            if len(buffer) - position < size + 4:
                return False
            time_field = int.from_bytes(buffer[position + size : position + size + 4], "big")
        if chunk_format < 2:
            stream.length = int.from_bytes(buffer[position + 3 : position + 6], "big")
            stream.type_id = buffer[position + 6]
        if chunk_format == 0:
            stream.stream_id = int.from_bytes(buffer[position + 7 : position + 11], "little")
            stream.timestamp = 0
        stream.time_field = time_field
        self._chunk_streams[stream.id] = stream
        self._open(stream, extended=extended)
        self._position = position + size + (4 if extended else 0)
        return True

    def _continue(self, stream: _ChunkStream, position: int) -> bool:
        if stream.extended:
            found = self._buffer[position : position + 4]
            if found in stream.extended:
                position += 4
            elif any(expected.startswith(found) for expected in stream.extended):
                return False
        if stream.open:
            self._chunk_left = min(self._chunk_size, stream.length - len(stream.body))
            self._current = stream
        else:
            self._open(stream, extended=bool(stream.extended))
        self._position = position
        return True

    def _open(self, stream: _ChunkStream, *, extended: bool) -> None:
        """Begin a message whose header is complete."""
        if stream.length > self.message_bytes:
            raise LimitError(
                f"message of {stream.length} bytes (type {stream.type_id}), at most {self.message_bytes} allowed"
            )
        self._open_bytes += stream.length
        if self._open_bytes > self.open_bytes:
            raise LimitError(f"unfinished messages of {self._open_bytes} bytes, at most {self.open_bytes} allowed")
        stream.timestamp = (stream.timestamp + stream.time_field) % (1 << 32)
        stream.extended = ()
        if extended:
            stream.extended = (stream.time_field.to_bytes(4, "big"), stream.timestamp.to_bytes(4, "big"))
        stream.open = True
        self._chunk_left = min(self._chunk_size, stream.length)
        self._current = stream

    def _read_body(self) -> Message | None:
        """Move what has come of the current chunk; give the message if it is complete."""
        stream, position = self._current, self._position
        assert stream is not None
        part = self._buffer[position : position + self._chunk_left]
        self._position = position + len(part)
        self._chunk_left -= len(part)
        stream.body += part
        if self._chunk_left:
            return None
        self._current = None
        if len(stream.body) < stream.length and stream.id < _ONE_BYTE_IDS and not stream.extended:
            self._read_run(stream)
        return self._complete(stream) if len(stream.body) == stream.length else None

    def _read_run(self, stream: _ChunkStream) -> None:
        """Move all whole type 3 chunks of this message that follow each other in the buffer."""
        buffer, position, size = self._buffer, self._position, self._chunk_size
        available, step = len(buffer) - position, size + 1
        wanted = stream.length - len(stream.body)
        end = wanted + -(-wanted // size)  # every chunk costs one byte of header
        if end > available:
            end = available // step * step
        headers = buffer[position : position + end : step]
        same = len(headers) - len(headers.lstrip(bytes((_CONTINUATION << 6 | stream.id,))))
        end = min(end, same * step)
        run = buffer[position : position + end]
        del run[::step]
        stream.body += run
        self._position = position + end

    def _complete(self, stream: _ChunkStream) -> Message:
        message = Message(stream.type_id, stream.timestamp, stream.stream_id, bytes(stream.body))
        self._close(stream)
        return message

    def _close(self, stream: _ChunkStream) -> None:
        self._open_bytes -= stream.length
        stream.open = False
        stream.body = bytearray()

    def _apply(self, message: Message) -> None:
        if message.type_id == MessageType.SET_CHUNK_SIZE:
            self._chunk_size = min(messages.chunk_size(message), _LARGEST_MESSAGE)
        else:
            stream = self._chunk_streams.get(messages.control_value(message, "Abort Message"))
            if stream is not None and stream.open:
                self._close(stream)


def chunks(message: Message, *, chunk_stream_id: int, chunk_size: int) -> bytes:
    """Cut a message into a type 0 chunk and as many type 3 chunks as it takes.

    Raises:
        ValueError: the chunk stream id is not between 2 and 63, or the timestamp needs the extended form.
    """
    if not 2 <= chunk_stream_id < _ONE_BYTE_IDS or message.timestamp >= _EXTENDED:
        raise ValueError(
            f"chunk stream {chunk_stream_id} at {message.timestamp} ms, expected 2 to 63 and less than {_EXTENDED} ms"
        )
    body = message.body
    out = bytearray((chunk_stream_id,))
    out += message.timestamp.to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes((message.type_id,))
    out += message.stream_id.to_bytes(4, "little") + body[:chunk_size]
    for start in range(chunk_size, len(body), chunk_size):
        out.append(_CONTINUATION << 6 | chunk_stream_id)
        out += body[start : start + chunk_size]
    return bytes(out)
