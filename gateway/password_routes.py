"""`/v1/auth/password…`: choose another password, by the old one or by a one-time token that the operator or a mail gave."""

from email.message import EmailMessage
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import auth_forms as forms
from gateway.api import HEADERS, body_of
from gateway.auth import Auth
from gateway.origins import own_url
from gateway.problems import Problem

RESET_TEXT: Final = """\
Somebody, probably you, asked for a new password of {login} at {url}.

Choose it here, once, within {minutes} minutes:

    {url}/reset#{token}

If it was not you, there is nothing to do.
"""


def password_routes(auth: Auth) -> list[BaseRoute]:
    """The routes of this module."""
    routes = PasswordRoutes(auth)
    return [
        Route("/v1/auth/password", routes.change, methods=["POST"]),
        Route("/v1/auth/password/reset-request", routes.ask_for_reset, methods=["POST"]),
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

    async def ask_for_reset(self, request: Request) -> Response:
        """Have a reset sent by mail, if there is such a user and they have an address: the answer does not say so."""
        values = forms.checked(await body_of(request), {"login": lambda value: forms.text(value, 1, 100)}, {})
        login = values["login"].strip().lower()
        if not self._auth.mail.is_set:
            raise Problem(
                409, "no_mail", "no mail is sent here; the operator gives resets: logcast user reset-password"
            )
        self._auth.attempts.of_login(request, login)

        async def made() -> EmailMessage | None:
            return await self._reset_mail(login)

        if not self._auth.mail.put(made):
            raise Problem(503, "busy", "too many mails wait; try again later", headers={"Retry-After": "60"})
        return Response(status_code=202, headers=HEADERS)

    async def _reset_mail(self, login: str) -> EmailMessage | None:
        user = await self._auth.users.find(login)
        if user is None or not user.email:
            return None
        settings = self._auth.settings
        token = await self._auth.sessions.new_reset(user.number, settings.reset_token_s * 1000)
        text = RESET_TEXT.format(
            login=user.login, token=token, minutes=settings.reset_token_s // 60, url=own_url(settings)
        )
        return self._auth.mail.message(user.email, "Your new password", text)

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
