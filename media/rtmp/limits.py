"""How much of everything a stranger may send before the connection is refused."""

from dataclasses import dataclass, fields

_LARGEST_MESSAGE = 0xFFFFFF  # the message length has 24 bits (RTMP 1.0, 5.3.1.2.1)


@dataclass(frozen=True, slots=True)
class RtmpLimits:
    """Bounds of one connection; a peer that passes one gets a `LimitError`.

    The memory of a connection stays below `partial_bytes` + `message_bytes` once it publishes, and below
    two times `bytes_before_publish` until then, besides the events that the caller has not taken yet.

    Raises:
        ValueError: a limit is not positive, or two of them contradict each other.
    """

    message_bytes: int = 8 << 20
    """Body of one message; a keyframe of a very good 4K stream is about 2 MiB."""
    partial_bytes: int = 12 << 20
    """Unfinished messages of all chunk streams together."""
    chunk_streams: int = 32
    """Different chunk stream ids; encoders use 3 to 8."""
    bytes_before_publish: int = 512 << 10
    """Everything between the handshake and an accepted publish, media that is sent ahead of the answer included."""
    commands_before_publish: int = 64
    """Commands until a publish is accepted; encoders send 5 to 8."""
    streams: int = 8
    """Calls of createStream."""
    app_chars: int = 256
    """Length of the application name."""
    stream_key_chars: int = 256
    """Length of the stream key."""
    command_bytes: int = 256 << 10
    """Body of one command or data message."""
    amf_string_bytes: int = 16 << 10
    """One AMF0 string."""
    amf_values: int = 16_384
    """AMF0 values in one message, members of objects and arrays included."""
    amf_depth: int = 16
    """AMF0 objects and arrays inside each other."""
    aggregate_messages: int = 4_096
    """Messages inside one aggregate message."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ValueError(f"RtmpLimits.{field.name} is {value}, expected at least 1")
        if self.message_bytes > _LARGEST_MESSAGE:
            raise ValueError(
                f"RtmpLimits.message_bytes is {self.message_bytes}, but RTMP messages end at {_LARGEST_MESSAGE} bytes"
            )
        if self.partial_bytes < self.message_bytes:
            raise ValueError(
                f"RtmpLimits.partial_bytes is {self.partial_bytes}, expected at least message_bytes ({self.message_bytes})"
            )
