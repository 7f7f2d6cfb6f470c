"""`/v1/auth/email/…`: a mail with a link shows that an address is its user's (docs/accounts.md)."""

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
from stores.users import User

LINK_TEXT: Final = """\
Somebody, probably you, says that this is the address of {login} at {url}.

If it is, open this link, within {hours} hours:

    {url}/account#verify={token}

If it was not you, there is nothing to do: nothing but this mail is sent here.
"""


def email_routes(auth: Auth) -> list[BaseRoute]:
    """The routes of this module."""
    routes = EmailRoutes(auth)
    return [
        Route("/v1/auth/email/verify", routes.verify, methods=["POST"]),
        Route("/v1/auth/email/send", routes.send, methods=["POST"]),
    ]


class EmailRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def verify(self, request: Request) -> Response:
        """Use the token of a mail: its address is verified, whoever is logged in here."""
        self._auth.attempts.of_address(request)
        values = forms.checked(await body_of(request), {"token": forms.token}, {})
        if await self._auth.verifications.verify(values["token"]) is None:
            raise Problem(
                410, "link_over", "this link is unknown, used, too old, or of another address; ask for another"
            )
        return Response(status_code=204, headers=HEADERS)

    async def send(self, request: Request) -> Response:
        """Have the link sent again."""
        who = await self._auth.logged_in(request)
        if not who.user.email:
            raise Problem(409, "no_email", "you have given no address: PATCH /v1/me takes one")
        if who.user.email_verified:
            raise Problem(409, "verified", "your address is verified already")
        if not self._auth.mail.is_set:
            raise Problem(409, "no_mail", "no mail is sent here, so no address can be verified")
        mail_link(self._auth, who.user)
        return Response(status_code=202, headers=HEADERS)


def mail_link(auth: Auth, user: User) -> None:
    """Have the link sent that verifies the user's address; nothing is sent where there is no mail, address or need.

    Raises:
        Problem: 429 when the address was sent several just now, 503 when too many mails wait.
    """
    if not auth.mail.is_set or not user.email or user.email_verified:
        return
    auth.attempts.of_mail(user.email)

    async def made() -> EmailMessage:
        settings = auth.settings
        token = await auth.verifications.new(user, settings.verify_token_s * 1000)
        hours = settings.verify_token_s // 3_600 or 1
        text = LINK_TEXT.format(login=user.login, token=token, hours=hours, url=own_url(settings))
        return auth.mail.message(user.email, "Is this your address?", text)

    if not auth.mail.put(made):
        raise Problem(503, "busy", "too many mails wait; try again later", headers={"Retry-After": "60"})
