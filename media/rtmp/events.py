"""What a publisher did, as `ServerConnection` tells it."""

from dataclasses import dataclass
from typing import TypeAlias

from media.rtmp.amf0 import AmfValue


@dataclass(frozen=True, slots=True)
class Connected:
    """The connect command was accepted (RTMP 1.0, 7.2.1.1).

    `fourcc_list` holds the codecs that an E-RTMP client says it can handle, empty for others.
    """

    app: str
    tc_url: str
    flash_ver: str
    fourcc_list: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublishRequested:
    """Someone wants to publish (7.2.2.6); answer with `accept_publish` or `refuse_publish`.

    `publish_type` is `live`, `record` or `append`.
    """

    app: str
    stream_key: str
    publish_type: str


@dataclass(frozen=True, slots=True)
class PlayRequested:
    """Someone wants to watch over RTMP (7.2.2.1). It has been refused already."""

    app: str
    stream_key: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """The members of an `onMetaData` message, as sent (see `media.flv.read_metadata`)."""

    values: dict[str, AmfValue]


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """An audio message: the body of an FLV audio tag, never empty, at continuous milliseconds."""

    timestamp_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class VideoReceived:
    """A video message: the body of an FLV video tag, never empty, at continuous milliseconds (decoding time)."""

    timestamp_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class PublishEnded:
    """The publisher said that it is done. A connection that breaks off gives no such event."""


Event: TypeAlias = (
    Connected | PublishRequested | PlayRequested | Metadata | AudioReceived | VideoReceived | PublishEnded
)
