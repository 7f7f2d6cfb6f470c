"""Records that could not be processed, and how one that is put back says so.

A replayed record has the header `REPLAY_HEADER`: it was on the log before, and whoever did not reject it had it then. So it is
for the app that rejected it; others that count records, or act on each, pass it over.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

REPLAY_HEADER: Final = "logcast-replay"


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """A header of a record."""

    name: str
    value: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be processed, with the cause and its bytes (topic `dead.letters`)."""

    topic: str
    partition: int
    offset: int
    app: str
    cause: str
    failed_ms: int
    key: bytes | None = None
    value: bytes | None = field(default=None, repr=False)
    headers: tuple[RecordHeader, ...] = ()
    written_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterReplayed:
    """A dead letter's record is on its topic again (topic `dead.letters`)."""

    letter: int
    topic: str
    partition: int
    offset: int
    app: str
    replayed_offset: int
    replayed_ms: int
    replayed_by: str


class Replay(NamedTuple):
    """What the header of a replayed record says: whom it is for, and where it was first (topic without prefix)."""

    app: str
    topic: str
    partition: int
    offset: int


Header = tuple[str, bytes | None]


def headers_of(given: Any) -> tuple[Header, ...]:
    """The headers of a record as a client gives them: pairs, or nothing."""
    return tuple(given) if given else ()


def replay_header(replay: Replay) -> Header:
    """The header of a record that is put back."""
    return REPLAY_HEADER, "|".join(map(str, replay)).encode()


def replay_of(headers: Iterable[Header] | None) -> Replay | None:
    """Whether a record was put back; one whose header cannot be read was not put back by us."""
    for name, value in headers or ():
        if name == REPLAY_HEADER and value is not None:
            try:
                app, topic, partition, offset = value.decode().split("|")
                return Replay(app, topic, int(partition), int(offset))
            except ValueError:
                continue
    return None


def record_headers(headers: Iterable[Header] | None) -> tuple[RecordHeader, ...]:
    """Headers as a letter keeps them; of an earlier replay only the record's own."""
    return tuple(RecordHeader(name, value) for name, value in headers or () if name != REPLAY_HEADER)
