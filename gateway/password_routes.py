"""`/v1/auth/password…`: choose another password, by the old one or by a one-time token that the operator or a mail gave."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import auth_forms as forms
from gateway.api import HEADERS, body_of
from gateway.auth import Auth
from gateway.problems import Problem


def password_routes(auth: Auth) -> list[BaseRoute]:
    """The routes of this module."""
    routes = PasswordRoutes(auth)
    return [
        Route("/v1/auth/password", routes.change, methods=["POST"]),
        Route("/v1/auth/password/reset", routes.reset, methods=["POST"]),
    ]


class PasswordRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def change(self, request: Request) -> Response:
        """Choose another password; every other session ends."""
        who = await self._auth.logged_in(request)
        values = forms.checked(
            await body_of(request), {"password": forms.given_password, "new_password": forms.password}, {}
        )
        self._auth.attempts.of_login(request, who.user.login)
        found = await self._auth.users.password_hash(who.user.login)
        if not await self._auth.passwords.fits(found[1] if found else None, values["password"]):
            raise forms.wrong_fields([{"field": "password", "rule": "wrong", "message": "this is not your password"}])
        await self._auth.users.set_password_hash(
            who.user.number, await self._auth.passwords.hash(values["new_password"])
        )
        await self._auth.sessions.revoke_all(who.user.number, besides=who.identity.session)
        return Response(status_code=204, headers=HEADERS)

    async def reset(self, request: Request) -> Response:
        """Choose a password by a reset token, which works once; every session ends."""
        self._auth.attempts.of_address(request)
        values = forms.checked(await body_of(request), {"token": forms.token, "password": forms.password}, {})
        taken = None
        if await self._auth.sessions.resets(values["token"]):  # nobody makes us hash without having one
            hashed = await self._auth.passwords.hash(values["password"])
            taken = await self._auth.sessions.reset(values["token"], hashed)
        if taken is None:
            raise Problem(410, "reset_over", "this reset is unknown, used, or too old; ask for another")
        return Response(status_code=204, headers=HEADERS)
