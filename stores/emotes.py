"""Emotes: small pictures of a channel that a name in a comment stands for. On the engine of `stores/sql.py`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Select, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from stores.accounts import NoSuchChannel
from stores.sql_tables import channels_table, emotes_table

MAX_EMOTES: Final = 100
"""Of a channel."""
MAX_BYTES: Final = 64 * 1024
_MAGIC: Final = {
    "image/png": (b"\x89PNG\r\n\x1a\n", 0, b""),
    "image/gif": (b"GIF8", 0, b""),
    "image/webp": (b"RIFF", 8, b"WEBP"),
}


class EmotesError(Exception):
    """An emote cannot be taken; the message says why and what to do."""


class TooManyEmotes(EmotesError):  # noqa: N818  (reads as what it is)
    """The channel has as many as it may have."""


@dataclass(frozen=True, slots=True)
class Emote:
    """One emote; `data` is empty in lists."""

    name: str
    media_type: str
    sha256: str
    made_ms: int
    made_by: str
    data: bytes = field(default=b"", repr=False)


def media_type_of(data: bytes) -> str:
    """What a picture is, by its first bytes: nothing that a stranger sends is served as something else.

    Raises:
        EmotesError: neither PNG, GIF nor WebP, or too large.
    """
    if len(data) > MAX_BYTES:
        raise EmotesError(f"expected at most {MAX_BYTES} bytes, found {len(data)}")
    for name, (start, at, also) in _MAGIC.items():
        if data.startswith(start) and data[at : at + len(also)] == also:
            return name
    raise EmotesError(f"expected a PNG, GIF or WebP picture, found bytes that begin with {data[:8].hex()}")


class Emotes:
    """The emotes of all channels. Safe to share among tasks."""

    def __init__(self, engine: AsyncEngine, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms

    async def put(self, channel: str, name: str, data: bytes, made_by: str) -> Emote:
        """Give a channel an emote, in place of one of that name.

        Raises:
            EmotesError: the picture is none, or the channel has too many.
            NoSuchChannel: there is no such channel.
        """
        made = Emote(name, media_type_of(data), sha256(data).hexdigest(), self._now_ms(), made_by, data)
        table = emotes_table.c
        async with self._engine.execution_options(writes=True).begin() as connection:
            row = (await connection.execute(_channel_id(channel).with_for_update())).one_or_none()
            if row is None:
                raise NoSuchChannel(f"there is no channel {channel[:40]!r}")
            mine = table.channel_id == row.id
            await connection.execute(delete(emotes_table).where(mine, table.name == name))
            count = (await connection.execute(select(func.count()).select_from(emotes_table).where(mine))).scalar_one()
            if count >= MAX_EMOTES:
                raise TooManyEmotes(f"channel {channel} has {count} emotes, as many as it may have; remove one first")
            values = {
                field: getattr(made, field) for field in ("name", "media_type", "sha256", "data", "made_ms", "made_by")
            }
            await connection.execute(insert(emotes_table).values(values | {"channel_id": row.id}))
        return made

    async def remove(self, channel: str, name: str) -> bool:
        """Take an emote away; False: there was none."""
        channel_id = _channel_id(channel).scalar_subquery()
        mine = emotes_table.c.channel_id == channel_id
        async with self._engine.execution_options(writes=True).begin() as connection:
            done = await connection.execute(delete(emotes_table).where(mine, emotes_table.c.name == name))
        return bool(done.rowcount)

    async def of(self, channel: str) -> list[Emote]:
        """The emotes of a channel by name, without their pictures."""
        table = emotes_table.c
        columns = (table.name, table.media_type, table.sha256, table.made_ms, table.made_by)
        query = select(*columns).join(channels_table).where(channels_table.c.name == channel).order_by(table.name)
        async with self._engine.connect() as connection:
            return [_emote(row) for row in await connection.execute(query)]

    async def find(self, channel: str, name: str) -> Emote | None:
        """One emote with its picture."""
        query = select(emotes_table).join(channels_table).where(channels_table.c.name == channel)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query.where(emotes_table.c.name == name))).one_or_none()
        return None if row is None else _emote(row, bytes(row.data))


def _channel_id(channel: str) -> Select[tuple[int]]:
    return select(channels_table.c.id).where(channels_table.c.name == channel)


def _emote(row: Any, data: bytes = b"") -> Emote:
    return Emote(row.name, row.media_type, row.sha256, row.made_ms, row.made_by, data)
