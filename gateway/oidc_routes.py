"""`/v1/auth/oidc/…`: log in with the OpenID Connect provider of the settings; the session comes by cookie, as for any browser."""

import hmac
import re
import secrets
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway import auth_forms as forms
from gateway.auth import Auth
from gateway.oidc import PENDING_MS, Claims, OidcError, OidcProvider, Pending, ProviderAway
from gateway.origins import is_secure, own_url
from gateway.problems import Problem, not_found
from stores.users import NameTaken, User

COOKIE: Final = "logcast_oidc"
PATH: Final = "/v1/auth/oidc"

_OWN_PATH: Final = re.compile(r"/(?![/\\])[A-Za-z0-9_./?=&%~#@:+-]{0,500}")
_NOT_IN_LOGINS: Final = re.compile(r"[^a-z0-9_-]+")


def oidc_routes(auth: Auth) -> list[BaseRoute]:
    """The routes of this module."""
    routes = OidcRoutes(auth)
    return [
        Route(f"{PATH}/start", routes.start, methods=["GET"]),
        Route(f"{PATH}/callback", routes.callback, methods=["GET"]),
    ]


class OidcRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def start(self, request: Request) -> Response:
        """Send the browser to the provider."""
        provider = self._provider(request)
        return_to = request.query_params.get("return_to", "/")
        if _OWN_PATH.fullmatch(return_to) is None:
            raise Problem(400, "bad_return_to", "expected return_to to be a path of this server")
        pending = Pending.new(return_to, self._auth.state.clock())
        try:
            url = await provider.authorization_url(pending, self._redirect_uri)
        except ProviderAway as error:
            raise _away(error) from error
        response = RedirectResponse(url, 302, {"Cache-Control": "no-store"})
        self._remember(request, response, pending.sealed(self._auth.state.secret), PENDING_MS // 1000)
        return response

    async def callback(self, request: Request) -> Response:
        """The browser comes back from the provider: who it is gets a session, and goes on to our page."""
        provider = self._provider(request)
        query = request.query_params
        try:
            pending = Pending.opened(request.cookies.get(COOKIE, ""), self._auth.state.secret, self._auth.state.clock())
            if not hmac.compare_digest(query.get("state", "").encode(), pending.state.encode()):
                raise OidcError("this is not the log-in that this browser began; begin again")  # noqa: TRY301
            if "code" not in query:
                raise OidcError(f"the provider refused: {query.get('error', 'it gave no code'):.80}")  # noqa: TRY301
            claims = await provider.claims(query["code"], pending, self._redirect_uri)
        except ProviderAway as error:
            raise _away(error) from error
        except OidcError as error:
            raise Problem(400, "oidc_failed", str(error)) from error
        opened = await self._auth.start(request, await self._user(claims))
        response = RedirectResponse(pending.return_to, 303, {"Cache-Control": "no-store"})
        self._auth.set_cookie(request, response, opened.refresh_token)
        self._remember(request, response, "", 0)
        return response

    async def _user(self, claims: Claims) -> User:
        """The user whom the provider means, by issuer and subject only; new ones get an account.

        An account of the same name or email is not theirs: whoever can choose those at the provider would get it.
        """
        users = self._auth.users
        known = await users.of_outside(claims.issuer, claims.subject)
        if known is not None:
            return known
        wanted: dict[str, Any] = {
            "outside": (claims.issuer, claims.subject),
            "email": _or_none(forms.email, claims.email),
            "email_verified": True,  # the claim has none that is not
        }
        base = login_of(claims.login)
        for login in (base, *(f"{base[:26]}-{secrets.token_hex(2)}" for _ in range(4))):
            for name in dict.fromkeys((_or_none(forms.display_name, claims.name), login)):
                try:
                    return await users.create(login, None, name=name, **wanted)
                except NameTaken:  # or the same person came twice at once
                    known = await users.of_outside(claims.issuer, claims.subject)
                    if known is not None:
                        return known
        raise Problem(503, "busy", "no free name was found; try again", headers={"Retry-After": "1"})

    @property
    def _redirect_uri(self) -> str:
        return f"{own_url(self._auth.settings)}{PATH}/callback"

    def _provider(self, request: Request) -> OidcProvider:
        if not self._auth.oidc.is_set:
            raise not_found("there is no provider to log in with here", "no_provider")
        self._auth.attempts.of_refresh(request)
        return self._auth.oidc

    def _remember(self, request: Request, response: Response, value: str, seconds: int) -> None:
        secure = is_secure(request) or self._auth.settings.public_url.startswith("https://")
        # Lax: the browser comes back from the provider's site, and Strict would keep the cookie from us.
        response.set_cookie(COOKIE, value, seconds, path=PATH, secure=secure, httponly=True, samesite="lax")


def login_of(wanted: str) -> str:
    """A login like the one that the provider suggests."""
    plain = _NOT_IN_LOGINS.sub("-", wanted.strip().lower())[:32].strip("-_")
    try:
        return forms.login(plain)
    except forms.Wrong:
        return "viewer"


def _or_none(check: forms.Check, value: str) -> str:
    try:
        return str(check(value)) if value else ""
    except forms.Wrong:
        return ""


def _away(error: ProviderAway) -> Problem:
    return Problem(502, "provider_away", str(error))
