"""What waits to be sent to the peer."""

from media.rtmp import commands
from media.rtmp.chunk import INITIAL_CHUNK_SIZE, chunks
from media.rtmp.messages import Message, MessageType

_CONTROL_CHUNKS, _COMMAND_CHUNKS, _STATUS_CHUNKS = 2, 3, 5


class Outbox:
    """Bytes for the peer, in order. All our messages have timestamp 0."""

    __slots__ = ("_bytes", "_chunk_size")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._chunk_size = INITIAL_CHUNK_SIZE

    def take(self) -> bytes:
        """Give all bytes and forget them."""
        data = bytes(self._bytes)
        self._bytes.clear()
        return data

    def raw(self, data: bytes) -> None:
        """Add bytes that are no message."""
        self._bytes += data

    def control(self, kind: MessageType, body: bytes) -> None:
        """Add a protocol or user control message: message stream 0, chunk stream 2 (RTMP 1.0, 5.4)."""
        self._add(Message(kind, 0, 0, body), _CONTROL_CHUNKS)

    def set_chunk_size(self, size: int) -> None:
        """Announce a chunk size and use it from here on (5.4.1)."""
        self.control(MessageType.SET_CHUNK_SIZE, size.to_bytes(4, "big"))
        self._chunk_size = size

    def command(self, body: bytes) -> None:
        """Add a command on the connection itself."""
        self._add(Message(MessageType.COMMAND_AMF0, 0, 0, body), _COMMAND_CHUNKS)

    def status(self, stream_id: int, level: str, code: str, description: str) -> None:
        """Add an `onStatus` on a message stream (7.2.2)."""
        body = commands.on_status(level, code, description)
        self._add(Message(MessageType.COMMAND_AMF0, 0, stream_id, body), _STATUS_CHUNKS)

    def _add(self, message: Message, chunk_stream_id: int) -> None:
        self._bytes += chunks(message, chunk_stream_id=chunk_stream_id, chunk_size=self._chunk_size)
