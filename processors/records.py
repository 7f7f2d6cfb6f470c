"""What the agents that hold acks have in common: Faust's events as records, and the end of the process."""

import logging
import os
import time
from collections.abc import Callable
from typing import Final, NoReturn

import faust
from faust.types import EventT

from processors.part_writer import Record
from schemas.dead_letter import headers_of

log = logging.getLogger(__name__)

EXIT_CODE: Final = os.EX_TEMPFAIL


def record_of(event: EventT[bytes]) -> Record:
    """The record of an event."""
    message = event.message
    headers = headers_of(message.headers)
    written_ms = round((message.timestamp or 0) * 1000)
    return Record(message.topic, message.partition, message.offset, message.key, message.value, headers, written_ms)


def ack_of(event: EventT[bytes], app: faust.App) -> Callable[[], object]:
    """How to acknowledge an event, without keeping its bytes while it is held."""
    message = event.message
    message.value = None
    return lambda: message.ack(app.consumer)


def wall_ms() -> int:
    """The wall clock, ms since 1970."""
    return time.time_ns() // 1_000_000


def end_process(error: BaseException) -> NoReturn:
    """End now, and leave nothing half done: held acks make the next process do it again."""
    log.critical("the work cannot go on; the supervisor starts a clean process", exc_info=error)
    os._exit(EXIT_CODE)
