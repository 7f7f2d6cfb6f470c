"""What the routes of accounts share: who is logged in, tokens and cookies, and how often one may try."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access_tokens import Access, access_token
from gateway.api import answer
from gateway.auth_passwords import Passwords
from gateway.identity import Identities, Identity, address_of, client_address, unauthorized
from gateway.mail import Mail
from gateway.oidc import OidcProvider
from gateway.origins import is_secure, must_be_own_origin
from gateway.problems import Problem
from gateway.rate_limits import RateLimits
from gateway.sql_janitor import SqlJanitor
from gateway.state import GatewayState
from stores.email_verifications import EmailVerifications
from stores.memberships import Memberships
from stores.sessions import Opened, Sessions
from stores.users import User, Users

COOKIE: Final = "logcast_refresh"
COOKIE_PATH: Final = "/v1/auth"
MAIL_EVERY_S: Final = 120
"""So often an address is sent a link, in the long run."""
MAILS_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """An account whose session is not over, as the database says now."""

    identity: Identity
    user: User


class Attempts:
    """How often one may try what can be guessed or flooded; of one gateway."""

    def __init__(self, per_minute: int) -> None:
        per_second = per_minute / 60
        self._address = RateLimits("attempts_address", per_second, 2 * per_minute)
        self._pair = RateLimits("attempts_account_address", per_second / 2, max(1, per_minute))
        self._account = RateLimits("attempts_account", per_second * 2, 4 * per_minute)
        self._refresh = RateLimits("refresh_address", per_second * 6, 12 * per_minute)
        self._lookup = RateLimits("account_lookups", 10, 60)
        self._change = RateLimits("account_changes", per_second * 3, 6 * per_minute)
        self._mails = RateLimits("verification_mails", 1 / MAIL_EVERY_S, MAILS_AT_ONCE)

    def of_address(self, request: Request) -> None:
        """One try of an address.

        Raises:
            Problem: 429.
        """
        self._address.must_take(client_address(request))

    def of_login(self, request: Request, login: str) -> None:
        """One try of an address on an account.

        All addresses together get four times as many: a stranger should not lock an account up, and many strangers not
        guess its password.

        Raises:
            Problem: 429.
        """
        self._address.must_take(client_address(request))
        self._pair.must_take(f"{login:.64} {client_address(request)}")
        self._account.must_take(f"{login:.64}")

    def succeeded(self, request: Request, login: str) -> None:
        """They knew the password: they may soon mistype it again."""
        self._pair.forget(f"{login:.64} {client_address(request)}")

    def of_refresh(self, request: Request) -> None:
        """One use of a refresh token.

        Raises:
            Problem: 429.
        """
        self._refresh.must_take(client_address(request))

    def of_lookup(self, request: Request) -> None:
        """One look at who somebody is.

        Raises:
            Problem: 429.
        """
        self._lookup.must_take(client_address(request))

    def of_change(self, user: User) -> None:
        """One change that an account makes.

        Raises:
            Problem: 429.
        """
        self._change.must_take(user.id)

    def of_mail(self, email: str) -> None:
        """One mail to an address that somebody says is theirs: nobody's mailbox is flooded by strangers.

        Raises:
            Problem: 429.
        """
        self._mails.must_take(email.lower())


class Auth:
    """One for a gateway."""

    def __init__(self, state: GatewayState) -> None:
        self.state: Final = state
        self.settings: Final = state.settings
        self.identities: Final = Identities(state)
        self.attempts: Final = Attempts(state.settings.attempts_per_minute)
        self.passwords: Final = Passwords(state.settings)
        self.mail: Final = Mail(state.settings)
        self.oidc: Final = OidcProvider(state.settings, state.clock)
        state.auth = self
        self.janitor: Final = SqlJanitor(state)
        state.resource(self.open)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Send mails until closed; then close what is open elsewhere."""
        try:
            async with self.mail.open():
                yield
        finally:
            await self.oidc.aclose()
            self.passwords.close()

    @property
    def memberships(self) -> Memberships:
        """What users are to channels, while the gateway is open."""
        assert self.state.memberships is not None
        return self.state.memberships

    @property
    def users(self) -> Users:
        """The users, while the gateway is open."""
        assert self.state.users is not None
        return self.state.users

    @property
    def sessions(self) -> Sessions:
        """The sessions, while the gateway is open."""
        assert self.state.sessions is not None
        return self.state.sessions

    @property
    def verifications(self) -> EmailVerifications:
        """The tokens that verify addresses, while the gateway is open."""
        assert self.state.verifications is not None
        return self.state.verifications

    async def logged_in(self, request: Request) -> LoggedIn:
        """Who asks, with an account and a session that is not over: looked up, where a change depends on it.

        Raises:
            Problem: 401 without a token of an account, 429.
        """
        identity = await self.identities.must_know(request)
        if not identity.account:
            raise unauthorized(
                "account_needed", "expected an access token of an account: POST /v1/auth/login gives one"
            )
        user = await self.sessions.user(identity.session)
        if user is None or user.id != identity.id:
            raise unauthorized("session_over", "the session is over; log in again")
        if request.method not in {"GET", "HEAD"}:
            self.attempts.of_change(user)
        return LoggedIn(identity, user)

    async def start(self, request: Request, user: User) -> Opened:
        """A new session, whatever was there before: nobody can have prepared it (session fixation)."""
        agent = "".join(c for c in request.headers.get("user-agent", "") if c.isprintable())
        return await self.sessions.start(user, agent, address_of(request))

    def access(self, user: User, session_id: str) -> dict[str, Any]:
        """A new access token, as it is answered (RFC 6749 section 5.1)."""
        seconds = self.settings.access_token_s
        expires_ms = self.state.clock() + seconds * 1000
        shown = user.name, user.colour, user.avatar
        access = Access(user.id, user.number, *shown, user.admin, session_id, expires_ms, verified=user.email_verified)
        return {"access_token": access_token(access, self.state.secret), "token_type": "Bearer", "expires_in": seconds}

    def answer_opened(self, request: Request, opened: Opened, *, cookie: bool, status: int = 200) -> Response:
        """Tokens, and who they are for; the refresh token in the cookie or in the body, never in both."""
        values = self.access(opened.user, opened.session_id) | {"user": user_row(opened.user)}
        if not cookie:
            return answer(values | {"refresh_token": opened.refresh_token}, status)
        response = answer(values, status)
        self.set_cookie(request, response, opened.refresh_token)
        return response

    def set_cookie(self, request: Request, response: Response, refresh_token: str) -> None:
        """Give the browser the refresh token: no script reads it, no other site sends it, no other path gets it."""
        response.set_cookie(
            COOKIE,
            refresh_token,
            max_age=self.settings.session_days * 86_400 if refresh_token else 0,
            path=COOKIE_PATH,
            secure=is_secure(request) or self.settings.public_url.startswith("https://"),
            httponly=True,
            samesite="strict",
        )

    def refresh_token_of(self, request: Request, values: dict[str, Any]) -> tuple[str, bool]:
        """The refresh token of a request, and whether it came by cookie; empty when there is none.

        Raises:
            Problem: 403, the cookie comes with a request that is not of our page.
        """
        given = values.get("refresh_token", "")
        if given:
            return given, False
        cookie = request.cookies.get(COOKIE, "")
        if cookie:
            must_be_own_origin(request, self.settings)
        return cookie, bool(cookie)


def user_row(user: User) -> dict[str, Any]:
    """What everybody may know of a user."""
    return {
        "id": user.id,
        "number": user.number,
        "login": user.login,
        "name": user.name,
        "colour": user.colour,
        "avatar": user.avatar,
    }


def wrong_login() -> Problem:
    """The one answer to a wrong password, an unknown user and a user without a password."""
    return unauthorized("wrong_login", "the login or the password is wrong")
