"""The publishing side of RTMP for tests, able to send what odd encoders send. It cuts chunks by code of its own.

Bytes only:

    client = RtmpClient(chunk_size=128)
    data = client.hello() + client.c2() + client.publish("live", "key") + client.video(40, avc_frame(b"..."))

Against a listening server:

    async with await open_publisher("127.0.0.1", port, app="live", stream_key="key") as publisher:
        assert await publisher.status() == "NetStream.Publish.Start"
        await publisher.send(publisher.client.video(0, avc_config()))
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from media.rtmp import amf0
from media.rtmp.chunk import ChunkReader
from media.rtmp.limits import RtmpLimits
from media.rtmp.messages import Message, MessageType

EXTENDED = 0xFFFFFF
HANDSHAKE_BYTES = 1536
DEADLINE_S = 60.0


@dataclass
class _Sent:
    """What a chunk stream was sent last."""

    timestamp: int
    time_field: int
    length: int
    type_id: int
    stream_id: int


@dataclass
class RtmpClient:
    """Make the bytes of a publisher; every method gives what to send, in order.

    Attributes:
        chunk_size: of what is sent from now on; `set_chunk_size` also announces it.
        compress: use header formats 1 to 3 where they fit, else format 0 alone.
        extended_in_type_3: repeat the extended timestamp in type 3 chunks, as 5.3.1.3 asks for.
        stream_id: the message stream of media; servers number from 1.
    """

    chunk_size: int = 128
    compress: bool = True
    extended_in_type_3: bool = True
    stream_id: int = 1
    _sent: dict[int, _Sent] = field(default_factory=dict)
    _transaction: int = 0

    # Handshake

    @staticmethod
    def hello(version: int = 3, flash_version: bytes = bytes(4)) -> bytes:
        return bytes((version,)) + bytes(4) + flash_version + bytes(range(256)) * 5 + bytes(248)

    @staticmethod
    def c2() -> bytes:
        return bytes(HANDSHAKE_BYTES)

    # Chunks

    def message_chunks(
        self, type_id: int, body: bytes, *, timestamp: int = 0, stream_id: int = 0, chunk_stream: int = 3
    ) -> list[bytes]:
        """Cut one message into chunks."""
        wire, last = timestamp % (1 << 32), self._sent.get(chunk_stream)
        sent = _Sent(wire, wire, len(body), type_id, stream_id)
        chunk_format = 0
        if self.compress and last is not None and last.stream_id == stream_id and wire >= last.timestamp:
            sent.time_field = wire - last.timestamp
            chunk_format = 1
            if (last.length, last.type_id) == (len(body), type_id):
                chunk_format = 3 if last.time_field == sent.time_field else 2
        self._sent[chunk_stream] = sent
        extended = sent.time_field.to_bytes(4, "big") if sent.time_field >= EXTENDED else b""
        header = (
            min(sent.time_field, EXTENDED).to_bytes(3, "big")
            + len(body).to_bytes(3, "big")
            + bytes((type_id,))
            + stream_id.to_bytes(4, "little")
        )[: (11, 7, 3, 0)[chunk_format]]
        repeated = extended if self.extended_in_type_3 else b""
        first = basic_header(chunk_format, chunk_stream) + header + (repeated if chunk_format == 3 else extended)
        cut = [body[i : i + self.chunk_size] for i in range(0, len(body), self.chunk_size)] or [b""]
        return [first + cut[0], *(basic_header(3, chunk_stream) + repeated + part for part in cut[1:])]

    def message(
        self, type_id: int, body: bytes, *, timestamp: int = 0, stream_id: int = 0, chunk_stream: int = 3
    ) -> bytes:
        """Cut one message into chunks that follow each other."""
        return b"".join(
            self.message_chunks(type_id, body, timestamp=timestamp, stream_id=stream_id, chunk_stream=chunk_stream)
        )

    def set_chunk_size(self, size: int) -> bytes:
        data = self.message(MessageType.SET_CHUNK_SIZE, size.to_bytes(4, "big"), chunk_stream=2)
        self.chunk_size = size
        return data

    def abort(self, chunk_stream: int) -> bytes:
        return self.message(MessageType.ABORT, chunk_stream.to_bytes(4, "big"), chunk_stream=2)

    def ping(self, timestamp: int) -> bytes:
        return self.message(MessageType.USER_CONTROL, b"\x00\x06" + timestamp.to_bytes(4, "big"), chunk_stream=2)

    # Commands

    def command(
        self,
        name: str,
        *arguments: amf0.Encodable,
        stream_id: int = 0,
        amf3: bool = False,
        transaction: int | None = None,
    ) -> bytes:
        """Make a command; transactions are numbered unless one is given."""
        self._transaction += 1
        number = self._transaction if transaction is None else transaction
        body = amf0.encode(name, number, *arguments)
        kind = MessageType.COMMAND_AMF3 if amf3 else MessageType.COMMAND_AMF0
        return self.message(kind, b"\x00" * amf3 + body, stream_id=stream_id)

    def connect(self, app: str = "live", **properties: amf0.Encodable) -> bytes:
        known: dict[str, amf0.Encodable] = {
            "app": app,
            "type": "nonprivate",
            "flashVer": "FMLE/3.0",
            "tcUrl": f"rtmp://localhost/{app}",
        }
        return self.command("connect", known | properties)

    def create_stream(self) -> bytes:
        return self.command("createStream", None)

    def publish_command(self, stream_key: str, publish_type: str = "live") -> bytes:
        return self.command("publish", None, stream_key, publish_type, stream_id=self.stream_id)

    def publish(self, app: str = "live", stream_key: str = "key") -> bytes:
        """Make all that FFmpeg sends from connect to publish, without waiting for answers."""
        return b"".join(
            (
                self.connect(app),
                self.command("releaseStream", None, stream_key),
                self.command("FCPublish", None, stream_key),
                self.create_stream(),
                self.command("_checkbw", None),
                self.publish_command(stream_key),
            )
        )

    def unpublish(self, stream_key: str = "key") -> bytes:
        return self.command("FCUnpublish", None, stream_key) + self.command("deleteStream", None, self.stream_id)

    # Media

    def audio(self, timestamp: int, body: bytes) -> bytes:
        return self.message(MessageType.AUDIO, body, timestamp=timestamp, stream_id=self.stream_id, chunk_stream=4)

    def video(self, timestamp: int, body: bytes, chunk_stream: int = 6) -> bytes:
        return self.message(
            MessageType.VIDEO, body, timestamp=timestamp, stream_id=self.stream_id, chunk_stream=chunk_stream
        )

    def metadata(self, values: Mapping[str, amf0.Encodable]) -> bytes:
        body = amf0.encode("@setDataFrame", "onMetaData", amf0.EcmaArray(values))  # type: ignore[arg-type]
        return self.message(MessageType.DATA_AMF0, body, stream_id=self.stream_id, chunk_stream=4)

    def aggregate(self, timestamp: int, parts: Iterable[tuple[int, int, bytes]]) -> bytes:
        """Put (type, time, body) parts into one aggregate message."""
        body = b"".join(flv_tag(*part) for part in parts)
        return self.message(MessageType.AGGREGATE, body, timestamp=timestamp, stream_id=self.stream_id, chunk_stream=6)


def basic_header(chunk_format: int, chunk_stream: int) -> bytes:
    """Give the 1, 2 or 3 bytes of 5.3.1.1."""
    if chunk_stream < 64:
        return bytes((chunk_format << 6 | chunk_stream,))
    if chunk_stream < 320:
        return bytes((chunk_format << 6, chunk_stream - 64))
    return bytes((chunk_format << 6 | 1,)) + (chunk_stream - 64).to_bytes(2, "little")


def flv_tag(type_id: int, time: int, body: bytes) -> bytes:
    """Give an FLV tag with its back pointer."""
    header = bytes((type_id,)) + len(body).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big")
    return header + bytes((time >> 24 & 0xFF,)) + bytes(3) + body + (len(body) + 11).to_bytes(4, "big")


def avc_config(record: bytes = b"\x01\x42\xc0\x1e\xff") -> bytes:
    return b"\x17\x00\x00\x00\x00" + record


def avc_frame(data: bytes, *, keyframe: bool = False, composition_ms: int = 0) -> bytes:
    return (b"\x17\x01" if keyframe else b"\x27\x01") + composition_ms.to_bytes(3, "big", signed=True) + data


def aac_config(record: bytes = b"\x12\x10") -> bytes:
    return b"\xaf\x00" + record


def aac_frame(data: bytes) -> bytes:
    return b"\xaf\x01" + data


class ServerReplies:
    """Read what a server sends: the handshake, then messages."""

    def __init__(self) -> None:
        self._opening = bytearray()
        self._opened = False
        self._reader = ChunkReader(RtmpLimits())
        self.messages: list[Message] = []
        self.handshake = b""

    def receive(self, data: bytes) -> None:
        if not self._opened:
            self._opening += data
            if len(self._opening) < 1 + 2 * HANDSHAKE_BYTES:
                return
            self._opened = True
            self.handshake = bytes(self._opening[: 1 + 2 * HANDSHAKE_BYTES])
            data = bytes(self._opening[1 + 2 * HANDSHAKE_BYTES :])
        self._reader.feed(data)
        while (message := self._reader.next_message()) is not None:
            self.messages.append(message)

    def commands(self) -> list[list[amf0.AmfValue]]:
        """Give the values of all commands received."""
        limits = RtmpLimits()
        return [amf0.decode(m.body, limits) for m in self.messages if m.type_id == MessageType.COMMAND_AMF0]

    def statuses(self) -> list[str]:
        """Give the codes of all `onStatus` commands received."""
        informations = (values[3] for values in self.commands() if values[0] == "onStatus")
        return [str(information["code"]) for information in informations if isinstance(information, dict)]


class Publisher:
    """A publisher with a socket; all waiting ends after `DEADLINE_S`."""

    def __init__(self, client: RtmpClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.client = client
        self.replies = ServerReplies()
        self._reader = reader
        self._writer = writer
        self._statuses_seen = 0

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            await self._writer.drain()

    async def status(self) -> str:
        """Wait for the next `onStatus` and give its code.

        Raises:
            ConnectionError: the server has closed the connection.
            TimeoutError: nothing came in time.
        """
        async with asyncio.timeout(DEADLINE_S):
            while len(self.replies.statuses()) == self._statuses_seen:
                data = await self._reader.read(65_536)
                if not data:
                    raise ConnectionResetError("the server closed the connection")
                self.replies.receive(data)
        self._statuses_seen += 1
        return self.replies.statuses()[self._statuses_seen - 1]

    async def closed(self) -> None:
        """Wait until the server closes the connection."""
        async with asyncio.timeout(DEADLINE_S):
            while data := await self._reader.read(65_536):
                self.replies.receive(data)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def open_publisher(
    host: str, port: int, *, app: str = "live", stream_key: str = "key", client: RtmpClient | None = None
) -> Publisher:
    """Connect and ask to publish; the answer is the first `status`."""
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(host, port)
    publisher = Publisher(client or RtmpClient(), reader, writer)
    await publisher.send(publisher.client.hello() + publisher.client.c2())
    await publisher.send(publisher.client.publish(app, stream_key))
    return publisher
