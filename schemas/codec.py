"""Events to bytes and back, in the Confluent wire format: a zero byte, the schema id (4 bytes, big endian), Avro binary.

Errors: `CodecError` for everything that is not a record of a known schema.
"""

import dataclasses
import io
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import fastavro

from schemas import events
from schemas.events import Event
from schemas.reaction_batch import ReactionBatch, read_batch
from schemas.reaction_reader import VERSIONS, read_reactions
from schemas.registry import all_schemas, newest_schemas

T = TypeVar("T")

MAGIC = 0
HEADER = struct.Struct(">bI")


class CodecError(ValueError):
    """The bytes are no record that this version can read; says what was expected and found."""


def encode(event: Event) -> bytes:
    """The record of an event, in its newest schema."""
    schema = newest_schemas()[type(event).__name__]
    out = io.BytesIO()
    out.write(HEADER.pack(MAGIC, schema.id))
    try:
        fastavro.schemaless_writer(out, schema.parsed, _record(event))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise CodecError(f"{type(event).__name__} does not fit its schema: {error}") from error
    return out.getvalue()


def decode(data: bytes) -> Event:
    """The event of a record, whichever version wrote it; fields that it did not have take their defaults.

    Raises:
        CodecError: not in the wire format, an unknown schema id, or broken Avro.
    """
    schema_id = schema_id_of(data)
    writer = all_schemas().get(schema_id)
    if writer is None:
        raise CodecError(f"schema id {schema_id} is not in the registry of this version; upgrade the reader")
    if (version := VERSIONS.get(schema_id)) is not None:
        return _read_reactions(data, version, read_reactions)
    reader = newest_schemas()[writer.event]
    body = io.BytesIO(data)
    body.seek(HEADER.size)
    try:
        values = fastavro.schemaless_reader(body, writer.parsed, None if reader is writer else reader.parsed)
        return _event(writer.event, values)
    except (ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, struct.error) as error:
        raise CodecError(f"broken {writer.event} record of {len(data)} bytes: {error!r}") from error


def decode_counted(data: bytes) -> Event | ReactionBatch:
    """As `decode`, but of `ReactionsRecorded` only what is counted. Errors as `decode`."""
    version = VERSIONS.get(schema_id_of(data))
    return decode(data) if version is None else _read_reactions(data, version, read_batch)


def _read_reactions(data: bytes, version: int, read: Callable[[bytes, int, int], T]) -> T:
    try:
        return read(data, HEADER.size, version)
    except (ValueError, IndexError) as error:
        raise CodecError(f"broken ReactionsRecorded record of {len(data)} bytes: {error!r}") from error


def schema_id_of(data: bytes) -> int:
    """The schema id in a record's header."""
    if len(data) < HEADER.size or data[0] != MAGIC:
        raise CodecError(f"expected a record in the Confluent wire format, found {data[:8]!r} ({len(data)} bytes)")
    return int(HEADER.unpack_from(data)[1])


def as_json(event: Event) -> dict[str, Any]:
    """An event as values that JSON can carry: bytes as their length, the event's name under `event`."""
    return {"event": type(event).__name__} | {k: _plain(v) for k, v in _record(event).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 32 else f"<{len(value)} bytes>"
    return value


@cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind))


_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
"""Types of most fields: written as they are."""


def _record(event: Any) -> dict[str, Any]:
    """A dataclass as the dict that fastavro writes; shallow but for the few nested records."""
    record = {name: getattr(event, name) for name in _fields(event.__class__)}
    for name, value in record.items():
        if type(value) in _PLAIN:
            continue
        if isinstance(value, tuple):
            record[name] = [_record(item) if dataclasses.is_dataclass(item) else item for item in value]
        elif dataclasses.is_dataclass(value):
            record[name] = _record(value)
    return record


def _event(name: str, values: Any) -> Event:
    if name in _REVIVE:
        _REVIVE[name](values)
    kind = getattr(events, name)
    return kind(**values)  # type: ignore[no-any-return]


def _revive_track(values: dict[str, Any]) -> None:
    values["track"] = events.Track(values["track"])


def _revive_part(values: dict[str, Any]) -> None:
    _revive_track(values)
    _revive_info(values)


def _revive_video(values: dict[str, Any]) -> None:
    values["state"] = events.VideoState(values["state"])
    values["visibility"] = events.Visibility(values["visibility"])
    values["origin"] = events.Origin(values["origin"])
    values["tags"] = tuple(values["tags"])


def _revive_settings(values: dict[str, Any]) -> None:
    values["visibility"] = events.Visibility(values["visibility"])
    values["tags"] = tuple(values["tags"])


def _revive_request(values: dict[str, Any]) -> None:
    values["starts"] = tuple(values["starts"])


def _revive_task(values: dict[str, Any]) -> None:
    _revive_info(values)
    for segment in values["segments"]:
        segment["parts"] = tuple(events.MadePart(**part) for part in segment["parts"])
    values["segments"] = tuple(events.MadeSegment(**segment) for segment in values["segments"])


def _revive_rendition(values: dict[str, Any]) -> None:
    _revive_info(values)
    values["state"] = events.JobState(values["state"])


def _revive_info(values: dict[str, Any]) -> None:
    values["info"] = events.TrackInfo(**values["info"]) if values["info"] else None


def _revive_poll(values: dict[str, Any]) -> None:
    values["options"] = tuple(values["options"])


def _revive_votes(values: dict[str, Any]) -> None:
    _revive_poll(values)
    values["votes"] = tuple(values["votes"])


def _revive_captions(values: dict[str, Any]) -> None:
    values["pictures"] = tuple(events.PictureCaptions(**picture) for picture in values["pictures"])


def _revive_upload(values: dict[str, Any]) -> None:
    values["kind"] = events.CaptionKind(values["kind"])


def _revive_archived(values: dict[str, Any]) -> None:
    values["missing"] = tuple(values["missing"])


def _revive_change(values: dict[str, Any]) -> None:
    values["change"] = events.Change(values["change"])


def _revive_placed(values: dict[str, Any]) -> None:
    values["moments"] = tuple(events.PlacedMoment(**moment) for moment in values["moments"])


def _revive_held(values: dict[str, Any]) -> None:
    values["state"] = events.Queued(values["state"])


def _revive_act(values: dict[str, Any]) -> None:
    values["kind"] = events.Act(values["kind"])
    if values["rules"] is not None:
        _revive_rules(values)


def _revive_order(values: dict[str, Any]) -> None:
    _revive_act(values["act"])
    values["act"] = events.ModerationActed(**values["act"])


def _revive_rules(values: dict[str, Any]) -> None:
    rules = values["rules"]
    lists = {name: tuple(rules[name]) for name in ("blocked", "held", "banned")}
    values["rules"] = events.ChannelRules(**(rules | lists))


def _revive_letter(values: dict[str, Any]) -> None:
    values["headers"] = tuple(events.RecordHeader(**header) for header in values["headers"])


_REVIVE = {
    "DeadLetter": _revive_letter,
    "MediaChunk": _revive_track,
    "PartReady": _revive_part,
    "VideoChanged": _revive_video,
    "VideoSettingsChanged": _revive_settings,
    "RenditionRequested": _revive_request,
    "TaskFinished": _revive_task,
    "RenditionChanged": _revive_rendition,
    "SegmentArchived": _revive_archived,
    "CommentChanged": _revive_change,
    "CommentHeld": _revive_held,
    "ReactionsPlaced": _revive_placed,
    "ModerationActed": _revive_act,
    "ModerationOrdered": _revive_order,
    "RulesChanged": _revive_rules,
    "CaptionsFound": _revive_captions,
    "CaptionsUploaded": _revive_upload,
    "PollOpened": _revive_poll,
    "PollChanged": _revive_votes,
}
