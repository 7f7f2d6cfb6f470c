"""`/v1/me` and `/v1/users/ID`: who one is, how one is shown, who the others are."""

from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import auth_forms as forms
from gateway.api import answer, body_of
from gateway.auth import Auth, LoggedIn, user_row
from gateway.email_routes import mail_link
from gateway.identity import Identity
from gateway.problems import Problem, not_found
from stores.users import NameTaken, User

PROFILE = {"name": forms.display_name, "colour": forms.colour, "avatar": forms.avatar, "email": forms.email}


def me_routes(auth: Auth) -> list[BaseRoute]:
    """The routes of this module."""
    routes = MeRoutes(auth)
    return [
        Route("/v1/me", routes.me, methods=["GET"]),
        Route("/v1/me", routes.change, methods=["PATCH"]),
        Route("/v1/users/{user}", routes.user, methods=["GET"]),
    ]


class MeRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def me(self, request: Request) -> Response:
        """Who the token stands for; guests and stream keys too."""
        identity = await self._auth.identities.must_know(request)
        if not identity.account:
            return answer(identity_row(identity))
        who = await self._auth.logged_in(request)
        return answer(await self._row(who.user))

    async def change(self, request: Request) -> Response:
        """Change how one is shown; the access token of the answer says it."""
        who = await self._auth.logged_in(request)
        given = await body_of(request)
        values = forms.checked(given, {}, {**PROFILE, "password": forms.given_password})
        password = values.pop("password", None)
        if not values:
            message = f"expected some of {', '.join(PROFILE)}"
            raise forms.wrong_fields([{"field": "body", "rule": "required", "message": message}])
        moved = values.get("email", who.user.email) != who.user.email
        if moved:
            await self._must_know_password(request, who, password)
        try:
            user = await self._auth.users.set_profile(who.user.number, **values)
        except NameTaken as error:
            raise forms.wrong_fields([{"field": "name", "rule": "taken", "message": str(error)}], 409) from error
        if moved:
            with suppress(Problem):  # they may have it sent later
                mail_link(self._auth, user)
        return answer(await self._row(user) | self._auth.access(user, who.identity.session))

    async def user(self, request: Request) -> Response:
        """What everybody may know of somebody."""
        self._auth.attempts.of_lookup(request)
        found = await self._auth.users.find(request.path_params["user"])
        if found is None:
            raise not_found(f"there is no user {request.path_params['user']:.40}", "no_user")
        return answer(user_row(found))

    async def _must_know_password(self, request: Request, who: LoggedIn, password: str | None) -> None:
        """Mail resets the password, so a stolen access token must not change where it goes."""
        found = await self._auth.users.password_hash(who.user.login)
        if found is None or found[1] is None:
            return
        self._auth.attempts.of_login(request, who.user.login)
        if password is None or not await self._auth.passwords.fits(found[1], password):
            message = "expected your password, to change where a reset is sent"
            raise forms.wrong_fields([{"field": "password", "rule": "wrong", "message": message}])

    async def _row(self, user: User) -> dict[str, Any]:
        grants = await self._auth.memberships.grants_of(user.number)
        found = await self._auth.users.password_hash(user.login)
        return {
            **user_row(user),
            "guest": False,
            "admin": user.admin,
            "email": user.email,
            "email_verified": user.email_verified,
            "has_password": found is not None and found[1] is not None,
            "roles": [{"channel": grant.channel, "role": grant.role.value} for grant in grants],
            "follows": await self._auth.memberships.follows(user.number),
        }


def identity_row(identity: Identity) -> dict[str, Any]:
    """Somebody without an account."""
    return {
        "id": identity.id,
        "number": 0,
        "login": "",
        "name": identity.name,
        "colour": "",
        "avatar": "",
        "guest": identity.guest,
        "admin": identity.admin,
        "email": "",
        "email_verified": False,
        "has_password": False,
        "roles": [{"channel": identity.owns, "role": "owner"}] if identity.owns else [],
        "follows": [],
    }
