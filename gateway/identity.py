"""Who asks: a guest, an account, the holder of a stream key, the operator; and what they may on a channel.

A bearer token is one of four, told apart by its form: an access token (`la_…`, checked without the database), a stream key
(`lc_…`), the operator's token, or a guest's.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from starlette.requests import HTTPConnection, Request

from gateway.access_tokens import PREFIX, AccessTokenError, access_of
from gateway.guests import GuestError, guest_of
from gateway.problems import Problem, not_found
from gateway.state import GatewayState
from schemas.ids import UserId
from stores.roles import Role
from stores.settings import networks_of

OPERATOR: Final = UserId("operator")
KEY_HOLDER: Final = "k_"
"""Before the channel's name: the id of who holds its stream key."""


class IdentityError(ValueError):
    """A token that stands for nobody; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody.

    Attributes:
        id: `u_…` of an account, `g_…` of a guest, `operator`, or `k_CHANNEL` of who holds a stream key.
        name: what people read.
        colour: of the name, `#rrggbb`, or empty.
        avatar: an https address, or empty.
        guest: they have no account.
        admin: they may everything: an administrator when the token was made (`Identities.role` looks again), or the operator.
        owns: the channel whose stream key they hold.
        number: dense, of an account; 0 of others.
        session: of an account.
        verified: the address for mail of an account was verified when the token was made.
    """

    id: UserId
    name: str
    colour: str = ""
    avatar: str = ""
    guest: bool = True
    admin: bool = False
    owns: str = ""
    number: int = 0
    session: str = ""
    verified: bool = False

    @property
    def account(self) -> bool:
        """Whether there is an account behind it."""
        return self.number > 0


class Identities:
    """Looks tokens and roles up. As many as you like over one state: what is kept, is kept there."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state

    async def of_token(self, token: str) -> Identity:
        """Who a token stands for.

        Raises:
            IdentityError: nobody.
        """
        if token.startswith(PREFIX):
            return self._account(token)
        if token.startswith("lc_"):
            return await self._key_holder(token)
        admin = self._state.settings.admin_token.get_secret_value()
        if admin and hmac.compare_digest(token.encode(), admin.encode()):
            return Identity(OPERATOR, "operator", guest=False, admin=True)
        try:
            guest = guest_of(token or None, self._state.secret, self._state.clock())
        except GuestError as error:
            raise IdentityError(str(error)) from error
        return Identity(guest.id, guest.name)

    async def of_request(self, request: HTTPConnection) -> Identity | None:
        """Who asks, by `Authorization: Bearer …`; None without.

        Raises:
            IdentityError: the token stands for nobody.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return await self.of_token(token.strip()) if scheme.lower() == "bearer" and token.strip() else None

    async def must_know(self, request: HTTPConnection) -> Identity:
        """Who asks.

        Raises:
            Problem: 401, no token or a wrong one.
        """
        try:
            found = await self.of_request(request)
        except IdentityError as error:
            raise unauthorized("bad_token", str(error)) from error
        if found is None:
            raise unauthorized("bad_token", "expected a bearer token: POST /v1/auth/login or /v1/guests gives one")
        return found

    async def role(self, identity: Identity, channel: str) -> Role:
        """What somebody is to a channel; as of some seconds ago."""
        if identity.id == OPERATOR or (identity.owns and identity.owns == channel):
            return Role.OWNER
        if not identity.account or self._state.memberships is None:
            return Role.GUEST
        standings = self._state.standings
        return standings.role_of(await standings.of(self._state.memberships, identity.id, channel))

    async def must_be(self, request: HTTPConnection, channel: str, least: Role = Role.OWNER) -> Identity:
        """Who asks, who is at least `least` on the channel.

        Raises:
            Problem: 401 `not_owner` or `not_allowed` without a token that could do, 403 for an account without the role.
        """
        try:
            identity = await self.of_request(request)
        except IdentityError:
            identity = None
        if identity is not None and await self.role(identity, channel) >= least:
            return identity
        reason = "not_owner" if least is Role.OWNER else "not_allowed"
        if identity is not None and identity.account:
            raise Problem(403, reason, f"you are not {_article(least)} of channel {channel:.40}")
        raise unauthorized(
            reason,
            f"expected the stream key of channel {channel:.40}, or the access token of {_article(least)}, as bearer token",
        )

    def _account(self, token: str) -> Identity:
        try:
            access = access_of(token, self._state.secret, self._state.clock())
        except AccessTokenError as error:
            raise IdentityError(str(error)) from error
        return Identity(
            UserId(access.user_id),
            access.name,
            access.colour,
            access.avatar,
            guest=False,
            admin=access.admin,
            number=access.number,
            session=access.session,
            verified=access.verified,
        )

    async def _key_holder(self, token: str) -> Identity:
        accounts = self._state.accounts
        owned = await accounts.channel_of_key(token) if accounts is not None else None
        if owned is None:
            raise IdentityError("the stream key is of no channel; it may have been rotated")
        return Identity(UserId(KEY_HOLDER + owned.name), owned.name, guest=False, owns=owned.name)


def unauthorized(reason: str, detail: str) -> Problem:
    """A 401: what token was expected."""
    return Problem(401, reason, detail, headers={"WWW-Authenticate": "Bearer"})


def signature_name(identity: Identity) -> str:
    """What events call who did something: `operator`, the channel of a stream key, or the id of an account."""
    return identity.owns or identity.id


async def must_have_channel(state: GatewayState, request: Request) -> str:
    """The channel in a request's path.

    Raises:
        Problem: 404, there is none.
    """
    name = str(request.path_params["channel"])
    if state.accounts is None or await state.accounts.channel(name) is None:
        raise not_found(f"there is no channel {name:.40}", "no_channel")
    return name


def client_address(connection: HTTPConnection) -> str:
    """The address that a request came from: behind trusted proxies the nearest that is none of them.

    Of an IPv6 address the network (64 bits): its owner has all of it.
    """
    found = connection.client.host if connection.client else ""
    trusted = networks_of(_state(connection).settings.trusted_proxies)
    hops = [hop.strip() for hop in ",".join(connection.headers.getlist("x-forwarded-for")).split(",") if hop.strip()]
    address = _ip(found)
    while hops and address is not None and any(address in network for network in trusted):
        found = hops.pop()
        address = _ip(found)
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address) if address is not None else found[:64]


def address_of(connection: HTTPConnection) -> str:
    """A keyed hash of who asks' address, 32 hex digits: tells addresses apart and says none of them."""
    address = client_address(connection).encode()
    return hmac.digest(_state(connection).secret, b"address." + address, sha256).hex()[:32]


def _state(connection: HTTPConnection) -> GatewayState:
    state = connection.app.state.gateway
    assert isinstance(state, GatewayState)
    return state


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _article(role: Role) -> str:
    return f"an {role.value}" if role.value[0] in "aeiou" else f"a {role.value}"
