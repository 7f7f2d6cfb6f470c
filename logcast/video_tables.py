"""Videos as tables for a terminal, plain lines elsewhere; and the sentences of what an operator's command cannot do."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from logcast.errors import LogcastError
from logcast.keep_times import keep_text

if TYPE_CHECKING:
    from rich.table import Table

    from consumers.retention import Due
    from schemas.events import VideoChanged
    from stores.segments import Removed


@contextmanager
def operator_errors() -> Iterator[None]:
    """Errors of the log and the stores end the command with their sentence."""
    from schemas.codec import CodecError
    from stores.accounts import AccountsError
    from stores.backup_files import BackupError
    from stores.cassandra import CassandraError
    from stores.kafka import LogError
    from stores.recordings import RecordingsError
    from stores.segments import SegmentStoreError
    from stores.sql import DatabaseError

    try:
        yield
    except (
        *(AccountsError, BackupError, CassandraError, CodecError, DatabaseError),
        *(LogError, RecordingsError, SegmentStoreError),
    ) as error:
        raise LogcastError(str(error)) from error


def show(table: "Table") -> None:
    """Print a table; as wide as it is where nobody watches."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)


def video_table(rows: "Sequence[tuple[VideoChanged, Removed | None]]") -> "Table":
    """Videos with how they are kept and shown; sizes where they were looked up."""
    from rich.markup import escape

    from schemas.video_settings import expires_ms

    table = _table("video", "channel", "title", "state", "started", "length", "keep", "until", "visibility", "MB")
    for video, size in rows:
        expires = expires_ms(video)
        table.add_row(
            video.video_id,
            video.channel,
            escape(video.title),
            video.state.value,
            _when(video.started_ms),
            _length(video),
            keep_text(video.keep_days),
            _when(expires) if expires is not None and video.keep_days else "",
            video.visibility.value,
            "" if size is None else f"{size.size_bytes / 1e6:,.1f}",
        )
    return table


def due_table(rows: "Sequence[tuple[Due, Removed]]") -> "Table":
    """Videos that are past their time, with what they have in the cold store."""
    from rich.markup import escape

    table = _table("video", "channel", "title", "ended", "keep", "reason", "since", "objects", "MB")
    for found, size in rows:
        video = found.video
        table.add_row(
            video.video_id,
            video.channel,
            escape(video.title),
            _when(video.ended_ms or 0),
            keep_text(video.keep_days),
            found.reason,
            _when(found.since_ms),
            str(size.files),
            f"{size.size_bytes / 1e6:,.1f}",
        )
    return table


def _table(*titles: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, justify="right" if title in {"MB", "objects", "length"} else "left", no_wrap=True)
    return table


def _when(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_ms / 1000))


def _length(video: "VideoChanged") -> str:
    from logcast.stack.table import duration

    return "" if video.ended_ms is None else duration((video.ended_ms - video.started_ms) / 1000)
