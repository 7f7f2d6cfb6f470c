"""The commands of RTMP 1.0, 7.2, read and answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from media.rtmp.amf0 import AmfValue, Encodable, encode
from media.rtmp.errors import CommandError, LimitError

PUBLISH_TYPES = frozenset({"live", "record", "append"})
_AUDIO_FOURCCS = frozenset({"mp4a", "Opus", ".mp3", "fLaC", "ac-3", "ec-3"})
_CAN_DECODE_AND_FORWARD = 5.0  # FourCcInfoMask: 1 and 4
_CAPS_MOD_EX = 4.0  # packets of type ModEx are understood; not reconnect requests, not several tracks
REPLIES = frozenset({"_result", "_error", "onStatus"})
"""Names that answer commands of ours; nothing has to be done about them."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command message: its name, its transaction id (0 when no answer is wanted) and the values after it."""

    name: str
    transaction_id: float
    arguments: tuple[AmfValue, ...]

    def text(self, index: int, what: str, *, max_chars: int) -> str:
        """Give a string argument; one that is missing or null is empty.

        Raises:
            CommandError: the argument has another type.
            LimitError: it is longer than `max_chars`.
        """
        value = self.arguments[index] if index < len(self.arguments) else None
        if value is None:
            return ""
        return checked_text(value, f"{what} of {self.name}", max_chars=max_chars)

    def number(self, index: int, what: str) -> float:
        """Give a number argument.

        Raises:
            CommandError: the argument is missing or has another type.
        """
        value = self.arguments[index] if index < len(self.arguments) else None
        if not isinstance(value, float):
            raise CommandError(f"found {type(value).__name__} as {what} of {self.name}, expected a number")
        return value


def read_command(values: list[AmfValue]) -> Command:
    """Give the command that AMF0 values stand for.

    Raises:
        CommandError: the first two values are not a name and a number.
    """
    name = values[0] if values else None
    transaction_id = values[1] if len(values) > 1 else 0.0
    if not isinstance(name, str) or not isinstance(transaction_id, float):
        raise CommandError(
            f"command starts with {type(name).__name__} and {type(transaction_id).__name__}, expected a name and a number"
        )
    return Command(name, transaction_id, tuple(values[2:]))


def checked_text(value: AmfValue, what: str, *, max_chars: int) -> str:
    """Give `value` if it is a string of at most `max_chars` characters.

    Raises:
        CommandError: it is no string.
        LimitError: it is longer.
    """
    if not isinstance(value, str):
        raise CommandError(f"found {type(value).__name__} as {what}, expected a string")
    if len(value) > max_chars:
        raise LimitError(f"{what} has {len(value)} characters, at most {max_chars} are allowed")
    return value


def client_fourccs(properties: Mapping[str, AmfValue]) -> tuple[str, ...]:
    """Give the codecs that an E-RTMP client declares in its connect command.

    They stand in `fourCcList`, or as names in `videoFourCcInfoMap` and `audioFourCcInfoMap` (E-RTMP v2, "Enhancing
    NetConnection connect Command").
    """
    listed = properties.get("fourCcList")
    found = [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []
    for name in ("videoFourCcInfoMap", "audioFourCcInfoMap"):
        info = properties.get(name)
        found += info if isinstance(info, dict) else ()
    return tuple(dict.fromkeys(found))


def connect_success(transaction_id: float, fourccs: tuple[str, ...]) -> bytes:
    """Answer connect (7.2.1.1), with the codecs of E-RTMP if there are any to tell.

    They are told as a list, as version 1 has it, and as what is done with each, as version 2 has it.
    """
    properties: dict[str, Encodable] = {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0}
    if fourccs:
        properties["fourCcList"] = fourccs
        for kind, of_audio in (("video", False), ("audio", True)):
            names = (name for name in fourccs if (name in _AUDIO_FOURCCS) is of_audio)
            properties[f"{kind}FourCcInfoMap"] = dict.fromkeys(names, _CAN_DECODE_AND_FORWARD)
        properties["capsEx"] = _CAPS_MOD_EX
    information: dict[str, Encodable] = {
        "level": "status",
        "code": "NetConnection.Connect.Success",
        "description": "Connection succeeded.",
        "objectEncoding": 0.0,
    }
    return encode("_result", transaction_id, properties, information)


def result(transaction_id: float, *values: Encodable) -> bytes:
    """Answer a call: `_result`, the transaction, a null for the command object, and the values (7.2.1.2)."""
    return encode("_result", transaction_id, None, *values)


def error(transaction_id: float, code: str, description: str) -> bytes:
    """Answer a call that failed: `_error` (7.2.1.2)."""
    return encode("_error", transaction_id, None, _information("error", code, description))


def on_status(level: str, code: str, description: str) -> bytes:
    """Tell the state of a stream: `onStatus` (7.2.2). Levels are `status`, `warning` and `error`."""
    return encode("onStatus", 0.0, None, _information(level, code, description))


def on_fc_publish(code: str, description: str) -> bytes:
    """Answer FCPublish the way Flash Media Server does; some encoders wait for it."""
    return encode("onFCPublish", 0.0, None, _information("status", code, description))


def _information(level: str, code: str, description: str) -> dict[str, Encodable]:
    return {"level": level, "code": code, "description": description}
