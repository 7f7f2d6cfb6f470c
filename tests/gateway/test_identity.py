"""Who a token stands for, and what that makes them on a channel and nowhere else."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.access_tokens import Access, AccessTokenError, access_of, access_token
from gateway.guests import new_guest
from gateway.guests import token_of as guest_token
from gateway.identity import OPERATOR, Identities, IdentityError, address_of, client_address
from gateway.problems import Problem
from schemas.ids import UserId
from stores.accounts import Accounts
from stores.memberships import Memberships
from stores.roles import Role
from stores.sql import open_engine
from stores.users import User, Users
from tests.gateway.conftest import Gateway

ACCESS = Access("u_" + "0" * 16, 7, "Ann", "#aabbcc", "https://x.example/a.png", False, "s" * 26, 2_000)
SECRET = b"a common secret"


@pytest.fixture
async def users(gateway: Gateway) -> AsyncIterator[Users]:
    """The users of the gateway, with the channels ann and ben."""
    state = gateway.state
    async with open_engine(state.settings.sql_url) as engine:
        state.accounts, state.users = Accounts(engine), Users(engine)
        state.memberships = Memberships(engine, state.users)
        for name in ("ann", "ben"):
            await state.accounts.create_channel(name)
        yield state.users


def token_for(gateway: Gateway, user: User) -> str:
    access = Access(user.id, user.number, user.name, "", "", user.admin, "s" * 26, gateway.clock() + 1)
    return access_token(access, gateway.state.secret)


def request(gateway: Gateway, token: str = "", client: str = "192.0.2.1", **headers: str) -> Request:
    given = headers | ({"authorization": f"Bearer {token}"} if token else {})
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    return Request({"type": "http", "app": gateway.app, "headers": raw, "client": (client, 1)})


def test_an_access_token_says_what_was_put_in_until_it_is_too_old() -> None:
    token = access_token(ACCESS, SECRET)
    assert access_of(token, SECRET, 1_999) == ACCESS
    with pytest.raises(AccessTokenError, match="too old; POST /v1/auth/refresh"):
        access_of(token, SECRET, 2_000)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_token_is_none(at: int, bits: int) -> None:
    token = bytearray(access_token(ACCESS, SECRET).encode())
    token[at % len(token)] ^= bits
    with pytest.raises(AccessTokenError):
        access_of(token.decode("latin-1"), SECRET, 0)


async def test_no_kind_of_token_passes_for_another(gateway: Gateway, users: Users) -> None:
    identities, secret = Identities(gateway.state), gateway.state.secret
    guest = guest_token(new_guest("Gus", b"0123456789"), secret, gateway.clock())
    access = token_for(gateway, await users.create("ann", None))
    assert (await identities.of_token(guest)).guest
    assert (await identities.of_token(access)).account
    for wrong in ("la_" + guest, access.removeprefix("la_"), "", "la_", "la_.", "lc_" + "0" * 32, "é", "x" * 100_000):
        with pytest.raises(IdentityError):
            await identities.of_token(wrong)


async def test_the_operator_and_a_stream_key_are_somebody(gateway: Gateway, users: Users) -> None:
    identities = Identities(gateway.state)
    operator = await identities.of_token(gateway.state.settings.admin_token.get_secret_value())
    assert (operator.id, operator.admin, operator.account) == (OPERATOR, True, False)
    assert gateway.state.accounts is not None
    key = (await gateway.state.accounts.rotate_key("ann")).stream_key
    holder = await identities.of_token(key)
    assert (holder.id, holder.owns, holder.admin) == ("k_ann", "ann", False)
    roles = [await identities.role(who, name) for who in (operator, holder) for name in ("ann", "ben")]
    assert roles == [Role.OWNER, Role.OWNER, Role.OWNER, Role.GUEST]


async def test_a_moderator_of_one_channel_is_nothing_in_another(gateway: Gateway, users: Users) -> None:
    identities = Identities(gateway.state)
    user = await users.create("mod", None)
    assert gateway.state.memberships is not None
    await gateway.state.memberships.grant("mod", "ann", Role.MODERATOR, "operator")
    identity = await identities.of_token(token_for(gateway, user))
    assert await identities.role(identity, "ann") is Role.MODERATOR
    assert await identities.role(identity, "ben") is Role.VIEWER
    asked = request(gateway, token_for(gateway, user))
    assert await identities.must_be(asked, "ann", Role.MODERATOR) == identity
    for channel, least in (("ben", Role.MODERATOR), ("ann", Role.OWNER)):
        with pytest.raises(Problem, match="you are not") as caught:
            await identities.must_be(asked, channel, least)
        assert caught.value.status == 403


async def test_who_says_in_a_token_to_be_an_administrator_must_still_be_one(gateway: Gateway, users: Users) -> None:
    identities = Identities(gateway.state)
    user = await users.create("root", None, admin=True)
    identity = await identities.of_token(token_for(gateway, user))
    assert await identities.role(identity, "ann") is Role.OWNER
    await users.set_admin("root", admin=False)
    gateway.state.standings.forget(user.id)
    assert identity.admin
    assert await identities.role(identity, "ann") is Role.VIEWER
    assert await identities.role(replace(identity, id=UserId("u_nobody")), "ann") is Role.GUEST


async def test_without_a_token_nobody_is_known_and_a_wrong_one_is_refused(gateway: Gateway, users: Users) -> None:
    identities = Identities(gateway.state)
    assert await identities.of_request(request(gateway)) is None
    for token in ("", "la_x.y"):
        with pytest.raises(Problem) as caught:
            await identities.must_know(request(gateway, token))
        assert (caught.value.status, caught.value.headers["WWW-Authenticate"]) == (401, "Bearer")
    with pytest.raises(Problem, match="stream key of channel ann") as caught:
        await identities.must_be(request(gateway, "la_x.y"), "ann")
    assert caught.value.status == 401


def test_only_a_trusted_proxy_says_where_a_request_came_from(gateway: Gateway) -> None:
    def seen(client: str, forwarded: str = "") -> str:
        return client_address(request(gateway, client=client, **({"x_forwarded_for": forwarded} if forwarded else {})))

    assert seen("192.0.2.1") == "192.0.2.1"
    assert seen("192.0.2.1", "198.51.100.9") == "192.0.2.1", "the setting trusts the loopback only"
    assert seen("127.0.0.1", "198.51.100.9") == "198.51.100.9"
    assert seen("127.0.0.1", "10.9.9.9, 198.51.100.9, 127.0.0.2") == "198.51.100.9", (
        "what the client wrote is left of it"
    )
    assert seen("::ffff:192.0.2.1") == "192.0.2.1"
    assert seen("2001:db8:1:2:3::4") == seen("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert seen("127.0.0.1", "nonsense") == "nonsense"


def test_an_address_is_told_apart_but_not_told(gateway: Gateway) -> None:
    one, same, other = (
        address_of(request(gateway, client=client)) for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2")
    )
    assert one == same != other
    assert len(one) == 32


def test_roles_are_ordered() -> None:
    assert sorted(Role, reverse=True) == [
        Role.OWNER,
        Role.MODERATOR,
        Role.MEMBER,
        Role.FOLLOWER,
        Role.VIEWER,
        Role.GUEST,
    ]
    assert Role.OWNER >= Role.OWNER > Role.MODERATOR
    assert Role.GUEST < Role.VIEWER <= Role.VIEWER
