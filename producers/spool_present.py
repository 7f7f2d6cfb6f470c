"""What a spool sent before it died, as the log has it: so that it is not sent again. Blocking; used in a thread."""

import threading
from dataclasses import dataclass, field
from typing import Final

from schemas.topics import ALL_TOPICS, MEDIA_GOPS, MEDIA_SOURCE, VIDEOS, Cleanup
from stores.log_since import records_since
from stores.settings import Settings

TOPICS: Final = (MEDIA_SOURCE, MEDIA_GOPS, VIDEOS)
NUMBER_BYTES: Final = 8
_COMPACTED: Final = frozenset(topic.name for topic in ALL_TOPICS if topic.cleanup is Cleanup.COMPACT)


@dataclass(slots=True)
class Present:
    """Names of records that are on the log, and the highest number of each key of compacted topics."""

    names: set[bytes] = field(default_factory=set)
    highest: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def add(self, topic: str, key: bytes, name: bytes) -> None:
        """A record is there."""
        self.names.add(name)
        number = int.from_bytes(name[-NUMBER_BYTES:], "big")
        self.highest[topic, key] = max(number, self.highest.get((topic, key), -1))

    def has(self, name: bytes, number: int, topic: str, key: bytes) -> bool:
        """Whether a record need not be sent: it is there, or was there before a later one that compaction has kept.

        Records of one key were sent in the order of their numbers.
        """
        if topic in _COMPACTED and number <= self.highest.get((topic, key), -1):
            return True
        return name in self.names


def what_is_there(
    settings: Settings, header: str, since_ms: int, identities: frozenset[bytes], stop: threading.Event
) -> Present:
    """The records with names of these identities that the log has from a time (of records, ms) on.

    Raises:
        LogError: the log cannot be read, or `stop` was set.
    """
    present = Present()
    for topic in TOPICS:
        for message in records_since(settings, topic, since_ms, stop, "spool"):
            name = dict(message.headers() or []).get(header)
            if isinstance(name, bytes) and name[:-NUMBER_BYTES] in identities:
                present.add(topic.name, message.key() or b"", name)
    return present
