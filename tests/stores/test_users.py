"""The users, held to the same promises on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.accounts import Accounts, NoSuchChannel, TooManyChannels
from stores.memberships import LastOwner, Memberships, Standing
from stores.roles import Role
from stores.settings import Settings
from stores.sql import open_engine
from stores.users import NameTaken, NoSuchUser, Users, name_key
from tests.stores.sql_databases import empty_database


@dataclass
class Database:
    users: Users
    memberships: Memberships
    accounts: Accounts


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    settings: Settings = await empty_database(request, tmp_path)
    async with open_engine(settings.sql_url) as engine:
        users = Users(engine, lambda: 5)
        made = Database(users, Memberships(engine, users, lambda: 5), Accounts(engine))
        for name in ("red", "blue"):
            await made.accounts.create_channel(name)
        yield made


async def test_a_user_is_found_by_login_and_by_id(database: Database) -> None:
    users = database.users
    ann = await users.create("ann", "hash", email="ann@example.org")
    assert (ann.number, ann.login, ann.name, ann.admin, ann.created_ms) == (1, "ann", "ann", False, 5)
    for who in ("ann", "@ann", ann.id):
        assert await users.find(who) == ann
    assert await users.password_hash("ann") == (ann, "hash")
    assert await users.find("u_" + "0" * 16) is None
    assert await users.password_hash("nobody") is None
    with pytest.raises(NoSuchUser, match="no user 'nobody'"):
        await users.set_admin("nobody", admin=True)


async def test_numbers_are_dense_however_many_come_at_once_and_fail_between(database: Database) -> None:
    async def make(n: int) -> None:
        login = f"user{n % 20}"
        with suppress(NameTaken):
            await database.users.create(login, None)

    await asyncio.gather(*(make(n) for n in range(40)))
    assert [user.number for user in await database.users.every()] == list(range(1, 21))


async def test_a_name_that_looks_like_anothers_is_taken(database: Database) -> None:
    users = database.users
    ann = await users.create("ann", None)
    ben = await users.create("ben", None, name="Ben Hur")
    for login, name in (
        ("ann", ""),
        ("a-n_n", ""),
        ("carl", "ANN"),
        ("carl", "\uff41\uff4e\uff4e"),
        ("benhur", ""),
        ("carl", "ben"),
    ):
        with pytest.raises(NameTaken):
            await users.create(login, None, name=name)
    for name in ("Ben hur", "BEN"):
        with pytest.raises(NameTaken):
            await users.set_profile(ann.number, name=name)
    changed = await users.set_profile(ben.number, name="BEN", colour="#112233")
    assert (changed.name, changed.colour, changed.login) == ("BEN", "#112233", "ben")
    assert (await users.set_profile(ann.number, avatar="https://x.example/a.png")).name == "ann"


async def test_sql_in_a_name_is_only_a_name(database: Database) -> None:
    nasty = "x'; DROP TABLE users; --"
    user = await database.users.create("ann", None, name=nasty)
    assert (await database.users.known("ann")).name == nasty
    for who in ("' OR '1'='1", "ann'--", "u_' OR 1=1 --xxx", "%"):
        assert await database.users.find(who) is None
    assert await database.memberships.standing("' OR 1=1 --", "red' OR '1'='1") == Standing(
        admin=False, role=Role.GUEST
    )
    with pytest.raises(NoSuchChannel):
        await database.memberships.follow(user.number, "red' OR '1'='1")


async def test_a_standing_is_of_one_channel(database: Database) -> None:
    users, memberships = database.users, database.memberships
    ann = await users.create("ann", None)

    async def roles() -> list[Role]:
        return [(await memberships.standing(ann.id, channel)).role for channel in ("red", "blue", "none")]

    assert await roles() == [Role.VIEWER, Role.VIEWER, Role.VIEWER]
    await memberships.follow(ann.number, "red")
    await memberships.follow(ann.number, "red")
    assert await roles() == [Role.FOLLOWER, Role.VIEWER, Role.VIEWER]
    assert await memberships.follows(ann.number) == ["red"]
    await memberships.grant("ann", "red", Role.MEMBER, "operator")
    granted = await memberships.grant("@ann", "red", Role.MODERATOR, "operator")
    assert await roles() == [Role.MODERATOR, Role.VIEWER, Role.VIEWER]
    assert await memberships.grants("red") == await memberships.grants_of(ann.number) == [granted]
    assert await memberships.grants("blue") == []
    await memberships.withdraw("ann", "red")
    await memberships.unfollow(ann.number, "red")
    assert await roles() == [Role.VIEWER, Role.VIEWER, Role.VIEWER]
    admin = await users.set_admin("ann", admin=True)
    assert admin == replace(ann, admin=True)
    assert (await memberships.standing(ann.id, "blue")).admin
    assert (await memberships.standing("u_nobody", "red")).role is Role.GUEST


async def test_a_channel_keeps_an_owner_also_when_two_leave_at_once(database: Database) -> None:
    users, memberships = database.users, database.memberships
    ann, ben = [await users.create(login, None) for login in ("ann", "ben")]
    made = await database.accounts.create_channel("green", owner=ann.number)
    assert (await memberships.standing(ann.id, made.channel.name)).role is Role.OWNER
    with pytest.raises(LastOwner):
        await memberships.withdraw("ann", "green")
    with pytest.raises(LastOwner):
        await memberships.grant("ann", "green", Role.MODERATOR, "ann")
    await memberships.grant("ann", "green", Role.OWNER, "ann")
    await memberships.grant("ben", "green", Role.OWNER, "ann")
    left = await asyncio.gather(*(memberships.withdraw(who, "green") for who in ("ann", "ben")), return_exceptions=True)
    assert sorted(type(one).__name__ for one in left) == ["LastOwner", "NoneType"]
    assert len(await memberships.grants("green")) == 1
    await memberships.withdraw(ben.id, "red")  # a channel of the operator's has none, and needs none


async def test_a_user_makes_as_many_channels_as_one_may_also_at_once(database: Database) -> None:
    ann = await database.users.create("ann", None)
    made = await asyncio.gather(
        *(database.accounts.create_channel(f"green{n}", owner=ann.number, most_owned=2) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, TooManyChannels) for one in made) == 3
    assert len(await database.memberships.grants_of(ann.number)) == 2


async def test_an_identity_of_elsewhere_is_one_users(database: Database) -> None:
    users = database.users
    ann = await users.create("ann", None, outside=("https://id.example", "42"))
    assert await users.of_outside("https://id.example", "42") == ann
    assert await users.of_outside("https://other.example", "42") is None
    with pytest.raises(NameTaken):
        await users.create("ben", None, outside=("https://id.example", "42"))
    assert await users.find("ben") is None, "all or nothing"


@given(st.text(max_size=40))
def test_a_name_and_its_capitals_have_one_key_that_fits_its_column(name: str) -> None:
    assert name_key(name) == name_key(name.casefold())
    assert len(name_key(name)) <= 64
