"""Records that could not be processed."""

from dataclasses import dataclass, field


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
