"""What a request says of its device: `deviceType` in the query, else the client hints among its headers."""

from typing import Final
from urllib.parse import parse_qsl

from gateway.answers import Request
from gateway.problems import Problem
from media.devices import HINTS, Device, UnknownDeviceError, Wish, wish_of

MAX_FIELDS: Final = 20


def wish_of_request(query: bytes, request: Request) -> tuple[Wish, tuple[str, ...]]:
    """What a client wishes, and the names of the headers that the answer depends on.

    Raises:
        Problem: 400, there is no such device type.
    """
    try:
        fields = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise Problem(400, "bad_query", f"expected at most {MAX_FIELDS} parameters") from error
    device_type = fields.get("deviceType")
    try:
        wish = wish_of(device_type, request.headers(HINTS))
    except UnknownDeviceError as error:
        raise Problem(400, "bad_device_type", str(error), extra={"choices": list(Device)}) from error
    return wish, () if device_type is not None else HINTS
