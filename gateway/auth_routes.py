"""`/v1/auth/…`: register, log in and out, refresh, sessions (docs/accounts.md)."""

from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import auth_forms as forms
from gateway.api import HEADERS, answer, body_of
from gateway.auth import COOKIE, Auth, wrong_login
from gateway.authors import unverified_may_comment
from gateway.channel_people import channel_people_routes
from gateway.email_routes import email_routes, mail_link
from gateway.identity import IdentityError
from gateway.me_routes import me_routes
from gateway.oidc_routes import PATH as OIDC_PATH
from gateway.oidc_routes import oidc_routes
from gateway.origins import is_own_origin, must_be_own_origin
from gateway.password_routes import password_routes
from gateway.problems import Problem, not_found
from gateway.state import GatewayState
from stores.sessions import Session, SessionError
from stores.users import LOGIN, NameTaken


def install(state: GatewayState) -> list[BaseRoute]:
    """Everything about accounts, over one `Auth`."""
    auth = Auth(state)
    routes = AuthRoutes(auth)
    return [
        Route("/v1/auth", routes.ways, methods=["GET"]),
        Route("/v1/auth/register", routes.register, methods=["POST"]),
        Route("/v1/auth/login", routes.login, methods=["POST"]),
        Route("/v1/auth/refresh", routes.refresh, methods=["POST"]),
        Route("/v1/auth/logout", routes.logout, methods=["POST"]),
        Route("/v1/auth/sessions", routes.sessions, methods=["GET"]),
        Route("/v1/auth/sessions", routes.end_others, methods=["DELETE"]),
        Route("/v1/auth/sessions/{session}", routes.end, methods=["DELETE"]),
        *password_routes(auth),
        *email_routes(auth),
        *oidc_routes(auth),
        *me_routes(auth),
        *channel_people_routes(auth),
    ]


class AuthRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def ways(self, _request: Request) -> Response:
        """How one logs in here, for pages that offer it."""
        settings = self._auth.settings
        provider = {"name": settings.oidc_name, "start": f"{OIDC_PATH}/start"} if self._auth.oidc.is_set else None
        return answer(
            {
                "registration": settings.registration,
                "oidc": provider,
                "mail": self._auth.mail.is_set,
                "unverified_may_comment": unverified_may_comment(settings),
            }
        )

    async def register(self, request: Request) -> Response:
        """Make an account, and log it in."""
        self._auth.attempts.of_address(request)
        if self._auth.settings.registration == "closed":
            raise Problem(403, "registration_closed", "accounts are made by the operator here: logcast user create")
        values = forms.checked(
            await body_of(request),
            {"login": forms.login, "password": forms.password},
            {"name": forms.display_name, "email": forms.email, "cookie": forms.flag},
        )
        cookie = self._cookie_wanted(request, values)
        if values["password"].casefold() == values["login"]:
            raise forms.wrong_fields(
                [{"field": "password", "rule": "common", "message": "expected another than the login"}]
            )
        hashed = await self._auth.passwords.hash(values["password"])
        try:
            user = await self._auth.users.create(
                values["login"], hashed, name=values.get("name", ""), email=values.get("email", "")
            )
        except NameTaken as error:
            raise forms.wrong_fields([{"field": "login", "rule": "taken", "message": str(error)}], 409) from error
        with suppress(Problem):  # they have the account, and may have the mail sent later
            mail_link(self._auth, user)
        opened = await self._auth.start(request, user)
        return self._auth.answer_opened(request, opened, cookie=cookie, status=201)

    async def login(self, request: Request) -> Response:
        """Log in; the answer and the work are the same for a wrong password and for nobody."""
        values = forms.checked(
            await body_of(request),
            {"login": lambda value: forms.text(value, 1, 100), "password": forms.given_password},
            {"cookie": forms.flag},
        )
        cookie, login = self._cookie_wanted(request, values), values["login"].strip().lower()
        self._auth.attempts.of_login(request, login)
        known = LOGIN.fullmatch(login) is not None
        found = await self._auth.users.password_hash(login) if known else None
        hashed = found[1] if found is not None else None
        if not await self._auth.passwords.fits(hashed, values["password"]) or found is None or hashed is None:
            raise wrong_login()
        if self._auth.passwords.is_outdated(hashed):
            again = await self._auth.passwords.hash(values["password"])
            await self._auth.users.set_password_hash(found[0].number, again)
        self._auth.attempts.succeeded(request, login)
        if cookie:
            await self._end_old_cookie(request)
        return self._auth.answer_opened(request, await self._auth.start(request, found[0]), cookie=cookie)

    async def refresh(self, request: Request) -> Response:
        """Use a refresh token: it is over, and the answer has the next one."""
        self._auth.attempts.of_refresh(request)
        values = forms.checked(await _body_if_any(request), {}, {"refresh_token": forms.token})
        token, by_cookie = self._auth.refresh_token_of(request, values)
        if not token:
            raise Problem(401, "no_session", "expected a refresh token in the body or the cookie; log in")
        try:
            opened = await self._auth.sessions.rotate(token)
        except SessionError as error:
            raise _refused(error) from error
        return self._auth.answer_opened(request, opened, cookie=by_cookie)

    async def logout(self, request: Request) -> Response:
        """End the session of the cookie, of the refresh token in the body, or of the access token."""
        self._auth.attempts.of_refresh(request)
        values = forms.checked(await _body_if_any(request), {}, {"refresh_token": forms.token})
        token, by_cookie = self._auth.refresh_token_of(request, values)
        if token:
            await self._auth.sessions.revoke_token(token)
        try:
            identity = await self._auth.identities.of_request(request)
        except IdentityError:
            identity = None
        if identity is not None and identity.account:
            await self._auth.sessions.revoke(identity.number, identity.session)
        response = Response(status_code=204, headers=HEADERS)
        if by_cookie:
            self._auth.set_cookie(request, response, "")
        return response

    async def sessions(self, request: Request) -> Response:
        """Where one is logged in."""
        who = await self._auth.logged_in(request)
        rows = [
            session_row(session, who.identity.session) for session in await self._auth.sessions.of_user(who.user.number)
        ]
        return answer({"sessions": rows})

    async def end(self, request: Request) -> Response:
        """End one of one's own sessions; somebody else's is not there."""
        who = await self._auth.logged_in(request)
        session_id = request.path_params["session"]
        fits = len(session_id) == 26 and session_id.isascii() and session_id.isalnum()
        if not fits or not await self._auth.sessions.revoke(who.user.number, session_id):
            raise not_found("you have no session of this id", "no_session")
        return Response(status_code=204, headers=HEADERS)

    async def end_others(self, request: Request) -> Response:
        """End all of one's sessions but this one."""
        who = await self._auth.logged_in(request)
        await self._auth.sessions.revoke_all(who.user.number, besides=who.identity.session)
        return Response(status_code=204, headers=HEADERS)

    def _cookie_wanted(self, request: Request, values: dict[str, Any]) -> bool:
        """Whether the browser is to have the refresh token: only our own page may ask so (log-in CSRF)."""
        wanted = bool(values.get("cookie", False))
        if wanted:
            must_be_own_origin(request, self._auth.settings)
        return wanted

    async def _end_old_cookie(self, request: Request) -> None:
        old = request.cookies.get(COOKIE, "")
        if old and is_own_origin(request, self._auth.settings):
            await self._auth.sessions.revoke_token(old[:100])


def session_row(session: Session, current: str) -> dict[str, Any]:
    """A session as its owner sees it."""
    return {
        "id": session.id,
        "device": session.device,
        "created_ms": session.created_ms,
        "used_ms": session.used_ms,
        "expires_ms": session.expires_ms,
        "current": session.id == current,
    }


async def _body_if_any(request: Request) -> dict[str, Any]:
    """The body's object; an empty body is an empty object."""
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return await body_of(request) if has_body else {}


def _refused(error: SessionError) -> Problem:
    reason = {"SessionOver": "session_over", "TokenReused": "token_reused", "RefreshRaced": "refresh_raced"}
    raced = type(error).__name__ == "RefreshRaced"
    return Problem(409 if raced else 401, reason[type(error).__name__], str(error))
