"""Channels and their stream keys, in SQLite (the default) or PostgreSQL.

A stream key is `lc_` and 32 characters of base32: 160 random bits. The database keeps only its SHA-256. A plain, fast
hash is enough here, unlike for passwords: nobody can try 2^160 keys however fast the hash is, and with neither salt nor
work factor a key is found by one look into a unique index. The key itself is shown once, by `create_channel` and
`rotate_key`, and is in no `repr`, no log and no error.

Errors: `AccountsError` is the base of `BadChannelName`, `BadTitle`, `BadKeepDays`, `ChannelExists`,
`TooManyChannels`, `NoSuchChannel`; tags and descriptions raise `stores.descriptions.BadText`, opening
`stores.sql.DatabaseError`.
"""

import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.events import Visibility
from schemas.ids import ALPHABET, CHANNEL_NAME, ChannelName, base32
from schemas.video_settings import KEPT_FOR_EVER, MAX_KEEP_DAYS
from stores.descriptions import MAX_TITLE, SEPARATOR, checked_description, checked_tags
from stores.settings import Settings
from stores.sql import open_engine
from stores.sql_tables import channels_table, roles_table, stream_keys_table, users_table

KEY_BYTES: Final = 20
STREAM_KEY: Final = re.compile(f"lc_[{ALPHABET}]{{32}}")


class AccountsError(Exception):
    """Something about accounts is wrong; the message says what to do."""


class BadChannelName(AccountsError, ValueError):  # noqa: N818  (reads as what it is, like its siblings)
    """The name is not one that a channel can have."""


class BadTitle(AccountsError, ValueError):  # noqa: N818
    """The title is too long or has control characters."""


class BadKeepDays(AccountsError, ValueError):  # noqa: N818
    """A keep time that is none."""


class ChannelExists(AccountsError):  # noqa: N818
    """There is a channel of this name already."""


class TooManyChannels(AccountsError):  # noqa: N818
    """A user has as many channels as one may have."""


class NoSuchChannel(AccountsError, LookupError):  # noqa: N818
    """There is no channel of this name."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A streamer's lasting place.

    Attributes:
        id: number of the row.
        name: what addresses contain; `schemas.ids.CHANNEL_NAME`.
        title: what people read; the name when none was given.
        created_ms: wall clock, ms since 1970.
        keep_days: how long its new videos are kept, in days after the end; 0: not, -1: for ever, None: as the settings
            say.
        visibility: of its new videos.
        tags, description: of its new videos.
    """

    id: int
    name: ChannelName
    title: str
    created_ms: int
    keep_days: int | None = None
    visibility: Visibility = Visibility.PUBLIC
    tags: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A stream key, the only time that it is readable."""

    channel: Channel
    stream_key: str = field(repr=False)


def hash_of_key(stream_key: str) -> str:
    """What the database keeps of a stream key: SHA-256 as 64 hex digits."""
    return sha256(stream_key.encode()).hexdigest()


def new_stream_key(random: bytes) -> str:
    """The stream key made of 20 random bytes."""
    if len(random) != KEY_BYTES:
        raise ValueError(f"expected {KEY_BYTES} random bytes, found {len(random)}")
    return "lc_" + base32(int.from_bytes(random, "big"), 32)


def checked_name(name: str) -> ChannelName:
    """`name` as the name of a channel.

    Raises:
        BadChannelName: with the form that a name must have.
    """
    if CHANNEL_NAME.fullmatch(name) is None:
        raise BadChannelName(
            f"expected a channel name of 2 to 40 characters a-z, 0-9, '-' and '_' that begins with a letter or digit, "
            f"found {name[:60]!r}"
        )
    return ChannelName(name)


class Accounts:
    """The accounts database. Safe to share among tasks; several processes may use one database at once."""

    def __init__(
        self,
        engine: AsyncEngine,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._random = random

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Self]:
        """Connect to `settings.sql_url` and bring the tables to this version; whoever is first does it.

        Raises:
            DatabaseError: the database cannot be reached or was made by a newer version.
        """
        async with open_engine(settings.sql_url) as engine:
            yield cls(engine)

    async def create_channel(
        self, name: str, title: str = "", owner: int | None = None, most_owned: int | None = None
    ) -> NewKey:
        """Make a channel with its first stream key.

        Args:
            name: see `schemas.ids.CHANNEL_NAME`.
            title: what people read; the name when empty.
            owner: number of the user who owns it; the operator's alone without one.
            most_owned: refuse when the owner owns as many already.

        Raises:
            TooManyChannels: the owner has `most_owned` already.
            BadChannelName, BadTitle: the form is wrong.
            ChannelExists: the name is taken.
        """
        values = {"name": checked_name(name), "title": checked_title(title) or name, "created_ms": self._now_ms()}
        try:
            async with self._write() as connection:
                if owner is not None and most_owned is not None:
                    await _must_own_fewer(connection, owner, most_owned)
                result = await connection.execute(insert(channels_table).values(values).returning(*channels_table.c))
                channel = _channel(result.one())
                if owner is not None:
                    row = {"user_number": owner, "channel_id": channel.id, "role": "owner", "granted_by": "operator"}
                    await connection.execute(insert(roles_table).values(row | {"granted_ms": channel.created_ms}))
                return await self._add_key(connection, channel)
        except IntegrityError as error:
            raise ChannelExists(
                f"there is a channel {name!r} already; choose another name, or make it a new key: "
                f"logcast channel rotate-key {name}"
            ) from error

    async def rotate_key(self, name: str) -> NewKey:
        """Give a channel a new stream key; every older one stops working at once.

        Raises:
            NoSuchChannel: no channel has this name.
        """
        async with self._write() as connection:
            # The lock on the row lets two rotations at once leave one working key, not two.
            row = (await connection.execute(_by_name(name).with_for_update())).one_or_none()
            if row is None:
                raise NoSuchChannel(f"there is no channel {name[:60]!r}; `logcast channel list` shows those that exist")
            channel = _channel(row)
            keys = stream_keys_table.c
            await connection.execute(
                update(stream_keys_table)
                .where(keys.channel_id == channel.id, keys.revoked_ms.is_(None))
                .values(revoked_ms=self._now_ms())
            )
            return await self._add_key(connection, channel)

    async def set_channel(
        self,
        name: str,
        *,
        title: str | None = None,
        keep_days: int | None = None,
        visibility: Visibility | None = None,
        tags: Sequence[str] | None = None,
        description: str | None = None,
    ) -> Channel:
        """Change what is given, for the channel's next videos.

        Raises:
            BadTitle, BadKeepDays, BadText: a value is wrong.
            NoSuchChannel: no channel has this name.
        """
        values: dict[str, object] = {}
        if title is not None:
            values["title"] = checked_title(title) or name
        if keep_days is not None:
            values["keep_days"] = checked_keep_days(keep_days)
        if visibility is not None:
            values["visibility"] = visibility.value
        if tags is not None:
            values["tags"] = SEPARATOR.join(checked_tags(tags)) or None
        if description is not None:
            values["description"] = checked_description(description) or None
        async with self._write() as connection:
            if values:
                named = channels_table.c.name == name
                await connection.execute(update(channels_table).where(named).values(values))
            row = (await connection.execute(_by_name(name))).one_or_none()
        if row is None:
            raise NoSuchChannel(f"there is no channel {name[:60]!r}; `logcast channel list` shows those that exist")
        return _channel(row)

    async def channels(self) -> list[Channel]:
        """Every channel, by name."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(channels_table).order_by(channels_table.c.name))
            return [_channel(row) for row in rows]

    async def channel(self, name: str) -> Channel | None:
        """The channel of this name."""
        return await self._one(_by_name(name)) if CHANNEL_NAME.fullmatch(name) else None

    async def channel_of_key(self, stream_key: str) -> Channel | None:
        """The channel that a stream key publishes to; None for a wrong or revoked key."""
        if STREAM_KEY.fullmatch(stream_key) is None:
            return None
        keys = stream_keys_table.c
        return await self._one(
            select(channels_table)
            .join(stream_keys_table)
            .where(keys.sha256 == hash_of_key(stream_key), keys.revoked_ms.is_(None))
        )

    async def _one(self, query: Select[tuple[object, ...]]) -> Channel | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else _channel(row)

    async def _add_key(self, connection: AsyncConnection, channel: Channel) -> NewKey:
        key = new_stream_key(self._random(KEY_BYTES))
        values = {"channel_id": channel.id, "sha256": hash_of_key(key), "created_ms": self._now_ms()}
        await connection.execute(insert(stream_keys_table).values(values))
        return NewKey(channel, key)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.execution_options(writes=True).begin() as connection:
            yield connection


async def _must_own_fewer(connection: AsyncConnection, owner: int, most: int) -> None:
    """The lock on the user's row lets two that are made at once be counted one after the other."""
    users, roles = users_table.c, roles_table.c
    await connection.execute(select(users.number).where(users.number == owner).with_for_update())
    counted = select(func.count()).where(roles.user_number == owner, roles.role == "owner")
    if (owned := (await connection.execute(counted)).scalar_one()) >= most:
        raise TooManyChannels(f"you own {owned} channels, and may own {most}")


def _by_name(name: str) -> Select[tuple[object, ...]]:
    return select(channels_table).where(channels_table.c.name == name)


def _channel(row: Row[tuple[object, ...]]) -> Channel:
    visibility = Visibility(row.visibility) if row.visibility else Visibility.PUBLIC
    tags = tuple(row.tags.split(SEPARATOR)) if row.tags else ()
    about = visibility, tags, row.description or ""
    return Channel(row.id, ChannelName(row.name), row.title, row.created_ms, row.keep_days, *about)


def checked_keep_days(keep_days: int) -> int:
    """A keep time that a video can have.

    Raises:
        BadKeepDays: with the range.
    """
    if not KEPT_FOR_EVER <= keep_days <= MAX_KEEP_DAYS:
        raise BadKeepDays(
            f"expected keep_days from 0 (not kept) to {MAX_KEEP_DAYS}, or -1 (for ever), found {keep_days}"
        )
    return keep_days


def checked_title(title: str) -> str:
    """A title that a page can show, without white space around it.

    Raises:
        BadTitle: it is too long or has control characters.
    """
    if len(title) > MAX_TITLE or not title.isprintable():
        raise BadTitle(
            f"expected a title of at most {MAX_TITLE} printable characters, found {len(title)}: {title[:60]!r}"
        )
    return title.strip()
