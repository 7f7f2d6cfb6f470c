"""List, show and replay dead letters: records that could not be processed."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.commands.link import Duration
from logcast.errors import LogcastError
from logcast.video_tables import operator_errors, show

if TYPE_CHECKING:
    from rich.table import Table

    from stores.dead_letters import Letter
    from stores.settings import Settings

MOST = 50
DUMP_BYTES = 4_096
"""So much of a value that cannot be decoded is dumped."""


class Since(click.ParamType):
    """`2h` ago, or an ISO 8601 time (of this machine's time zone, if it names none), as ms since 1970."""

    name = "age|time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType.convert`."""
        if isinstance(value, int):  # the default
            return value
        if re.fullmatch(r"[0-9]{1,6}[smhd]", str(value)):
            return round((time.time() - Duration().convert(value, param, ctx)) * 1000)
        try:
            return round(datetime.fromisoformat(str(value)).astimezone(UTC).timestamp() * 1000)
        except ValueError:
            self.fail(f"expected 30m, 2h, 7d or a time as 2026-11-30T18:00, found {value}", param, ctx)


topic_option = click.option("--topic", help="Only letters about records of this topic.")
since_option = click.option(
    "--since", "since_ms", type=Since(), default=0, help="Only letters of the last 30m, 2h, 7d, or since an ISO time."
)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group("letters")
def command() -> None:
    """Records that could not be processed, with the cause. The log keeps them for 30 days."""


@command.command("list")
@topic_option
@since_option
@click.option("--limit", type=click.IntRange(1), default=MOST, show_default=True, help="Only so many, the newest.")
@json_option
@data_option
def list_(topic: str | None, since_ms: int, limit: int, *, as_json: bool, data_dir: Path | None) -> None:
    """Which there are, oldest first, and which were replayed."""
    import json

    from stores.dead_letters import letters

    settings = absolute_settings(data_dir)
    with operator_errors():
        found = letters(settings, since_ms=since_ms, topic=topic)
    newest = found[-limit:]
    if as_json:
        click.echo(json.dumps([_overview(letter) for letter in newest], indent=2))
        return
    if newest:
        show(_table(newest))
    left = f", the newest {len(newest)} are shown" if len(newest) < len(found) else ""
    click.echo(f"{len(found)} dead letters{left}")


@command.command("show")
@click.argument("letter_id", metavar="ID", type=click.IntRange(0))
@json_option
@data_option
def show_(letter_id: int, *, as_json: bool, data_dir: Path | None) -> None:
    """Everything about one: who rejected it and why, where it was, its headers, its key and its value."""
    import json

    from stores.dead_letters import letters, with_values

    settings = absolute_settings(data_dir)
    with operator_errors():
        chosen = _chosen(letters(settings), (letter_id,))
        (letter,) = with_values(settings, chosen)
    if as_json:
        click.echo(json.dumps(_details(letter), indent=2))
        return
    for line in _lines(letter):
        click.echo(line)


@command.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]...", type=click.IntRange(0))
@click.option("--all", "every", is_flag=True, help="All that were not replayed.")
@topic_option
@since_option
@click.option("--again", is_flag=True, help="Also what was replayed already.")
@click.option("--dry-run", is_flag=True, help="Only show what would be put back.")
@data_option
def replay(
    ids: tuple[int, ...],
    topic: str | None,
    since_ms: int,
    *,
    every: bool,
    again: bool,
    dry_run: bool,
    data_dir: Path | None,
) -> None:
    """Put the records of letters back on their topics, key, value and headers as they were, for who rejected them.

    With ids all of them or none; with --all or --topic those that can be. A record counts once, however often it is put back.
    Exit code 1: some cannot be put back.
    """
    if bool(ids) == (every or topic is not None):
        raise click.UsageError("give ids, or --all, or --topic")
    settings = absolute_settings(data_dir)
    with operator_errors():
        done, refused = _replayed(settings, ids, topic, since_ms, again=again, dry_run=dry_run)
    click.echo(f"{done} records {'would be put' if dry_run else 'are'} back on their topics")
    if refused:
        raise LogcastError(f"{refused} cannot be put back")


def _replayed(
    settings: "Settings",
    ids: tuple[int, ...],
    topic: str | None,
    since_ms: int,
    *,
    again: bool,
    dry_run: bool,
) -> tuple[int, int]:
    """Replay; gives how many were put back and how many cannot be."""
    from contextlib import nullcontext

    from stores.dead_letters import Replayer, letters, objections, with_values

    with nullcontext() if dry_run else Replayer(settings, _who()) as replayer:  # first: it ends what others had begun
        found = letters(settings, since_ms=since_ms, topic=topic)
        chosen = _chosen(found, ids) if ids else [one for one in found if again or not one.replays]
        against = objections(settings, chosen, again=again)
        for letter_id, why in against.items():
            click.echo(f"letter {letter_id} {why}", err=True)
        if ids and against:
            raise LogcastError("nothing was put back")
        done = 0
        for letter in with_values(settings, [one for one in chosen if one.id not in against]):
            place = f"{letter.topic}/{letter.event.partition}"
            if replayer is None:
                click.echo(f"letter {letter.id}: {place}@{letter.event.offset} for {letter.event.app}")
            else:
                told = replayer.replay(letter)
                click.echo(f"letter {letter.id}: {place}@{letter.event.offset} is {place}@{told.replayed_offset} now")
            done += 1
        return done, len(against)


def _chosen(found: "list[Letter]", ids: tuple[int, ...]) -> "list[Letter]":
    by_id = {letter.id: letter for letter in found}
    if unknown := [str(one) for one in ids if one not in by_id]:
        raise LogcastError(
            f"there is no dead letter {', '.join(unknown)}; `logcast letters list` shows which there are"
        )
    return [by_id[one] for one in dict.fromkeys(ids)]


def _who() -> str:
    import getpass
    import socket

    return f"{getpass.getuser()}@{socket.gethostname()}"


def _table(found: "list[Letter]") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (("id", "right"), ("when (UTC)", "left"), ("rejected by", "left"), ("record", "left")):
        table.add_column(title, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("bytes", justify="right")
    table.add_column("replayed", no_wrap=True)
    table.add_column("why", overflow="ellipsis", no_wrap=True)
    for letter in found:
        event = letter.event
        table.add_row(
            str(letter.id),
            _when(letter.at_ms),
            event.app,
            f"{letter.topic}/{event.partition}@{event.offset}",
            str(letter.size_bytes),
            _when(letter.replays[-1].replayed_ms) if letter.replays else "",
            escape(_last_line(event.cause)),
        )
    return table


def _overview(letter: "Letter") -> dict[str, Any]:
    event = letter.event
    return {
        "id": letter.id,
        "at_ms": letter.at_ms,
        "app": event.app,
        "topic": letter.topic,
        "partition": event.partition,
        "offset": event.offset,
        "written_ms": event.written_ms or None,
        "failed_ms": event.failed_ms,
        "key": (event.key or b"").decode(errors="backslashreplace"),
        "size_bytes": letter.size_bytes,
        "cause": event.cause,
        "replayed": [
            {"offset": told.replayed_offset, "at_ms": told.replayed_ms, "by": told.replayed_by}
            for told in letter.replays
        ],
    }


def _details(letter: "Letter") -> dict[str, Any]:
    from schemas.codec import as_json
    from stores.dead_letters import event_of

    event, inside = letter.event, event_of(letter.event)
    return _overview(letter) | {
        "headers": [[one.name, (one.value or b"").decode(errors="backslashreplace")] for one in event.headers],
        "event": as_json(inside) if inside is not None else None,
        "value_hex": (event.value or b"").hex(),
    }


def _lines(letter: "Letter") -> list[str]:
    """A letter for a person."""
    import pprint

    from schemas.codec import as_json
    from stores.dead_letters import event_of

    event, inside = letter.event, event_of(letter.event)
    lines = [
        f"letter       {letter.id}, {_when(letter.at_ms)} UTC",
        f"rejected by  {event.app}",
        f"record       {letter.topic}/{event.partition}@{event.offset}"
        + (f", {_when(event.written_ms)} UTC" if event.written_ms else ""),
        f"key          {(event.key or b'').decode(errors='backslashreplace')}",
        *(f"header       {one.name}: {(one.value or b'').decode(errors='backslashreplace')}" for one in event.headers),
        *(
            f"replayed     {_when(told.replayed_ms)} UTC by {told.replayed_by}, as {told.topic}/{told.partition}@"
            f"{told.replayed_offset}"
            for told in letter.replays
        ),
        "why",
        *(f"    {line}" for line in event.cause.rstrip().splitlines()),
    ]
    if inside is not None:
        told = as_json(inside)
        text = pprint.pformat({k: v for k, v in told.items() if k != "event"}, width=110, sort_dicts=False)
        return [*lines, f"value        {told['event']}, {letter.size_bytes} bytes", *_indented(text)]
    return [
        *lines,
        f"value        {letter.size_bytes} bytes that this version cannot decode",
        *_dump(event.value or b""),
    ]


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]


def _dump(data: bytes) -> list[str]:
    """Bytes as a hex dump, 16 a line."""
    lines = []
    for at in range(0, min(len(data), DUMP_BYTES), 16):
        row = data[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"    {at:08x}  {row.hex(' '):<47}  {text}")
    if len(data) > DUMP_BYTES:
        lines.append(f"    … and {len(data) - DUMP_BYTES} bytes more (--json has all of them)")
    return lines


def _when(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_ms / 1000))


def _last_line(cause: str) -> str:
    """Of a traceback the error itself."""
    return cause.strip().rpartition("\n")[2][:200]
