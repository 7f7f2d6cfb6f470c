"""The client of lossless pushes: a file or address goes through a spool of its own, over any number of connections, once.

A thread reads the source with PyAV and writes what FFmpeg's FLV muxer gives into the spool; the event loop sends from there, and forgets
what the server acknowledged. A file is read faster than it can be sent only as far as the spool is bounded. When the process itself dies, the
next one for the same file and channel sends what is left in the spool, and reads the file again: the muxer gives the same bytes, those
that are known are passed over. A source that cannot be read again (an address) ends with what is in the spool.
"""

import asyncio
import json
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidURI
from websockets.typing import Subprotocol

from producers import push_protocol as protocol
from producers.push import FLV, OPEN_TIMEOUT_S, Progress, PushError, send
from stores.spool_log import Limits, SpoolFullError, SpoolLog

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.25
LAST_PAUSE_S: Final = 5.0
ANSWER_S: Final = 30.0
FULL_PAUSE_S: Final = 0.1
OFFSET_BYTES: Final = 8
READ_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """What a spool is of: the push's id, and the source as it was; `again`: it can be read again from its start."""

    push: str
    source: str
    size: int
    changed_ns: int
    again: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """How far a push is: bytes made of the source, acknowledged ones, connections that were lost, why there is none now."""

    made: int
    acknowledged: int
    cuts: int
    trouble: str = ""


def plan_of(source: str) -> Plan:
    """The plan of a new push."""
    path = Path(source)
    again = path.is_file()
    size, changed_ns = (path.stat().st_size, path.stat().st_mtime_ns) if again else (0, 0)
    return Plan(secrets.token_hex(16), str(path.resolve()) if again else source, size, changed_ns, again)


class LosslessPush:
    """One push. Open it as a context manager, then `run`.

    Args:
        directory: of its spool; one push at a time has it.
        url: `ws://HOST:PORT/v1/channels/NAME/ingest`.
        key: stream key.
        source: a file or an address that FFmpeg can open.
        report: called with how far the source is read, from a thread.
        realtime: no faster than it plays.
        limit_bytes: of the spool.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        key: str,
        source: str,
        report: Callable[[Progress], None],
        *,
        realtime: bool = True,
        limit_bytes: int = 1 << 30,
    ) -> None:
        self._directory = directory
        self._url = url
        self._key = key
        self._plan = plan_of(source)
        self._report = report
        self._realtime = realtime
        self._log = SpoolLog(directory, Limits(limit_bytes), lambda: time.time_ns() // 1_000_000)
        self._pieces: deque[tuple[int, int]] = deque()
        self._made = 0
        self._known = 0
        self._read_bytes = 0
        self._whole = False
        self._state = Sent(0, 0, 0, "not connected yet")
        self._more = asyncio.Event()
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._log.__enter__()
        self._take_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._log.__exit__(kind, error, trace)

    def _take_up(self) -> None:
        """Go on with what is in the spool, if it is of this source; PushError if it is of another."""
        path = self._directory / "plan.json"
        old = Plan(**json.loads(path.read_text())) if path.exists() else None
        entries, cursor = self._log.read(self._log.first, READ_BYTES)
        while entries:
            for entry in entries:
                offset = int.from_bytes(entry.data[:OFFSET_BYTES], "big")
                self._noted(offset, len(entry.data) - OFFSET_BYTES, entry.number)
            entries, cursor = self._log.read(cursor, READ_BYTES)
        if old is None:
            path.write_text(json.dumps(asdict(self._plan)))
        elif replace(old, push="") == replace(self._plan, push=""):
            self._plan = old
            if not old.again and not self._whole:
                self._append(self._made, b"")  # what came after it is lost; what is here is not
        else:
            raise PushError(
                f"{self._directory} holds an unfinished push of {old.source}: finish it with `logcast push --lossless "
                f"{old.source}`, or remove the directory to give it up"
            )

    # -- the source, in a thread

    def write(self, data: bytes) -> int:
        """Take what the muxer gives; waits while the spool is full. FFmpeg sees a file that cannot be sought in."""
        for at in range(0, len(data), protocol.PIECE_BYTES):
            some = data[at : at + protocol.PIECE_BYTES]
            known = min(len(some), max(0, self._known - self._read_bytes))
            if known < len(some):
                self._append(self._read_bytes + known, some[known:])
            self._read_bytes += len(some)
        return len(data)

    def _append(self, offset: int, data: bytes) -> None:
        while True:
            if self._stop.is_set():
                raise PushError("the push was stopped")
            try:
                self._log.append([protocol.piece(offset, data)])
            except SpoolFullError:
                time.sleep(FULL_PAUSE_S)
                continue
            break
        self._noted(offset, len(data), self._log.next_number - 1)
        self._loop.call_soon_threadsafe(self._more.set)

    def _noted(self, offset: int, size: int, number: int) -> None:
        """A piece is in the spool; an empty one ends the stream."""
        self._made = offset + size
        self._whole = self._whole or not size
        self._pieces.append((self._made, number))

    def _read(self, known: int) -> None:
        """Read the source to its end, passing over what is known."""
        self._known = known
        try:
            with av.open(self._plan.source, "r", timeout=(OPEN_TIMEOUT_S, None)) as given:
                send(given, av.open(self, "w", format="flv", options=FLV), self._report, realtime=self._realtime)
        except (av.FFmpegError, OSError) as error:
            raise PushError(f"cannot read {self._plan.source}: {error}") from error
        self._append(self._read_bytes, b"")

    def _start_reading(self, wanted: int) -> "asyncio.Task[None]":
        """Read from where the spool ends; from what the server wants, where that is before all that is in the spool."""
        if wanted < self._first():
            self._log.acknowledge(self._log.next_number - 1)
            self._pieces.clear()
            self._made = 0
        return asyncio.create_task(asyncio.to_thread(self._read, max(wanted, self._made)), name="push-read")

    # -- the connection

    async def run(self, report: Callable[[Sent], None] = lambda _: None) -> Sent:
        """Push until the server has all of it.

        Raises:
            PushError: the source cannot be read, or the server refuses this push for good.
        """
        reading: asyncio.Task[None] | None = None
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                try:
                    async with self._connected() as connection:
                        wanted = await self._begin(connection, fresh=reading is None)
                        if wanted is None:
                            break
                        pause_s = FIRST_PAUSE_S
                        self._tell(report, "")
                        if reading is None and not self._whole:
                            reading = self._start_reading(wanted)
                        await self._exchange(connection, wanted, reading, report)
                        break
                except ConnectionClosed as error:
                    self._refuse(error)
                    said = error.rcvd.reason if error.rcvd else ""
                    trouble = said or "the connection was cut"
                except (OSError, TimeoutError, InvalidHandshake, InvalidMessage) as error:
                    log.info("no connection to %s: %s", self._url, error)
                    trouble = f"no connection: {error or 'no answer in time'}"
                except InvalidURI as error:
                    raise PushError(f"{self._url} is no address of a gateway") from error
                self._tell(report, trouble)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LAST_PAUSE_S)
        finally:
            self._stop.set()
            if reading is not None:
                await asyncio.wait({reading})
        self._done()
        return self._state

    def _tell(self, report: Callable[[Sent], None], trouble: str) -> None:
        """Say that there is a connection, or why there is none; one that was there and went is a cut."""
        cut = bool(trouble) and not self._state.trouble
        self._state = replace(self._state, made=self._made, cuts=self._state.cuts + cut, trouble=trouble)
        report(self._state)

    def _connected(self) -> connect:
        return connect(
            self._url,
            subprotocols=[Subprotocol(protocol.PROTOCOL)],
            additional_headers={"Authorization": f"Bearer {self._key}"},
            compression=None,
            max_size=protocol.MAX_MESSAGE_BYTES,
            open_timeout=ANSWER_S,
            close_timeout=1.0,
            proxy=None,
        )

    async def _begin(self, connection: ClientConnection, *, fresh: bool) -> int | None:
        """Say what is pushed; gives the first byte that the server wants, None when it has all.

        A source that can be read again and is not read yet (`fresh`) has all bytes.
        """
        first = 0 if fresh and self._plan.again else self._first()
        await connection.send(protocol.text("push", push=self._plan.push, **{"from": first}))
        async with asyncio.timeout(ANSWER_S):
            said = protocol.read_text(str(await connection.recv()))
        return None if said["type"] == "ended" else int(said["offset"])

    def _first(self) -> int:
        """The first byte that is in the spool; where it will go on, when it is empty."""
        entries, _ = self._log.read(self._log.oldest, 1)
        return int.from_bytes(entries[0].data[:OFFSET_BYTES], "big") if entries else self._made

    async def _exchange(
        self,
        connection: ClientConnection,
        wanted: int,
        reading: "asyncio.Task[None] | None",
        report: Callable[[Sent], None],
    ) -> None:
        """Send from an offset on and hear acknowledgements, until the server has all."""
        hearing = asyncio.create_task(self._hear(connection, report), name="push-hear")
        sending = asyncio.create_task(self._send(connection, wanted), name="push-send")
        waits = {hearing, sending, *({reading} if reading else ())}
        try:
            while not hearing.done():
                done, waits = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            hearing.cancel()
            sending.cancel()
            await asyncio.gather(hearing, sending, return_exceptions=True)

    async def _hear(self, connection: ClientConnection, report: Callable[[Sent], None]) -> None:
        while (said := protocol.read_text(str(await connection.recv())))["type"] != "ended":
            if said["type"] == "ack":
                self._forget(int(said["offset"]))
                report(self._state)

    async def _send(self, connection: ClientConnection, wanted: int) -> None:
        cursor = self._log.oldest
        while True:
            self._more.clear()
            entries, cursor = await asyncio.to_thread(self._log.read, cursor, READ_BYTES)
            for entry in entries:
                offset, size = int.from_bytes(entry.data[:OFFSET_BYTES], "big"), len(entry.data) - OFFSET_BYTES
                if not size:
                    await connection.send(protocol.text("end"))
                    return
                if offset + size > wanted:
                    await connection.send(entry.data)
            if not entries:
                await self._more.wait()

    def _forget(self, offset: int) -> None:
        number = -1
        while self._pieces and self._pieces[0][0] <= offset and len(self._pieces) > 1:
            number = self._pieces.popleft()[1]
        if number >= 0:
            self._log.acknowledge(number)
        self._state = replace(self._state, made=self._made, acknowledged=max(offset, self._state.acknowledged))

    def _refuse(self, error: ConnectionClosed) -> None:
        """Raise what cannot change by trying again."""
        code = error.rcvd.code if error.rcvd else 0
        if code in protocol.FINAL_CODES:
            raise PushError(f"the server refuses this push: {error.rcvd.reason if error.rcvd else ''}") from error
        log.info("the connection to %s was cut: %s", self._url, error)

    def _done(self) -> None:
        """Nothing is left to send."""
        self._log.acknowledge(self._log.next_number - 1)
        (self._directory / "plan.json").unlink(missing_ok=True)
        self._state = replace(self._state, made=self._made, acknowledged=self._made, trouble="")
