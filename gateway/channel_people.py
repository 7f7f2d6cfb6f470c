"""The people of a channel: who owns and moderates it, who follows it; and how an account makes a channel.

A stream key steers broadcasts; it gives no roles and makes no other key, so that a leaked one can be made harmless.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import auth_forms as forms
from gateway.api import HEADERS, answer, body_of
from gateway.auth import Auth, user_row
from gateway.identity import Identity, must_have_channel, signature_name, unauthorized
from gateway.problems import Problem, not_found
from stores.accounts import (
    Accounts,
    BadChannelName,
    BadTitle,
    ChannelExists,
    NewKey,
    TooManyChannels,
    checked_name,
    checked_title,
)
from stores.memberships import Grant, LastOwner
from stores.roles import GRANTED, Role
from stores.users import NoSuchUser, UsersError


def channel_people_routes(auth: Auth) -> list[BaseRoute]:
    """The routes of this module."""
    routes = ChannelPeople(auth)
    role = "/v1/channels/{channel}/roles/{user}"
    return [
        Route("/v1/channels", routes.make, methods=["POST"]),
        Route("/v1/channels/{channel}/key", routes.rotate_key, methods=["POST"]),
        Route("/v1/channels/{channel}/roles", routes.roles, methods=["GET"]),
        Route(role, routes.grant, methods=["PUT"]),
        Route(role, routes.withdraw, methods=["DELETE"]),
        Route("/v1/channels/{channel}/follow", routes.follow, methods=["PUT", "DELETE"]),
    ]


class ChannelPeople:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def make(self, request: Request) -> Response:
        """Make a channel that one owns; the answer shows its stream key, this once."""
        who = await self._auth.logged_in(request)
        values = forms.checked(await body_of(request), {"name": _channel_name}, {"title": _title})
        most = self._auth.settings.channels_per_user
        try:
            made = await self._accounts.create_channel(
                values["name"],
                values.get("title", ""),
                owner=who.user.number,
                most_owned=None if who.user.admin else most,
            )
        except ChannelExists as error:
            message = "this name is taken; choose another"
            raise forms.wrong_fields([{"field": "name", "rule": "taken", "message": message}], 409) from error
        except TooManyChannels as error:
            raise Problem(403, "too_many_channels", str(error)) from error
        self._auth.state.standings.forget(who.user.id)
        return answer(_key_row(made), 201)

    async def rotate_key(self, request: Request) -> Response:
        """Give the channel another stream key, shown this once; the old one stops working."""
        channel = await must_have_channel(self._auth.state, request)
        await self._person(request, channel, Role.OWNER)
        return answer(_key_row(await self._accounts.rotate_key(channel)))

    async def roles(self, request: Request) -> Response:
        """Who has a role here, for those who do."""
        channel = await must_have_channel(self._auth.state, request)
        await self._auth.identities.must_be(request, channel, Role.MODERATOR)
        return answer({"roles": [grant_row(grant) for grant in await self._auth.memberships.grants(channel)]})

    async def grant(self, request: Request) -> Response:
        """Give somebody a role; owners do."""
        channel = await must_have_channel(self._auth.state, request)
        by = await self._person(request, channel, Role.OWNER)
        values = forms.checked(await body_of(request), {"role": _role}, {})
        try:
            granted = await self._auth.memberships.grant(
                request.path_params["user"], channel, values["role"], signature_name(by)
            )
        except NoSuchUser as error:
            raise _no_user(request) from error
        except LastOwner as error:
            raise Problem(409, "last_owner", str(error)) from error
        self._auth.state.standings.forget(granted.user.id)
        return answer(grant_row(granted))

    async def withdraw(self, request: Request) -> Response:
        """Take somebody's role away: owners do, and everybody their own."""
        channel = await must_have_channel(self._auth.state, request)
        found = await self._auth.users.find(request.path_params["user"])
        identity = await self._auth.identities.must_know(request)
        if found is not None and identity.id == found.id:
            await self._auth.logged_in(request)
        else:
            await self._person(request, channel, Role.OWNER)
        if found is None:
            raise _no_user(request)
        try:
            await self._auth.memberships.withdraw(found.id, channel)
        except LastOwner as error:
            raise Problem(409, "last_owner", str(error)) from error
        self._auth.state.standings.forget(found.id)
        return Response(status_code=204, headers=HEADERS)

    async def follow(self, request: Request) -> Response:
        """PUT: follow; DELETE: no more."""
        channel = await must_have_channel(self._auth.state, request)
        who = await self._auth.logged_in(request)
        try:
            if request.method == "PUT":
                await self._auth.memberships.follow(who.user.number, channel)
            else:
                await self._auth.memberships.unfollow(who.user.number, channel)
        except UsersError as error:
            raise Problem(409, "too_many_follows", str(error)) from error
        self._auth.state.standings.forget(who.user.id)
        return Response(status_code=204, headers=HEADERS)

    @property
    def _accounts(self) -> Accounts:
        assert self._auth.state.accounts is not None
        return self._auth.state.accounts

    async def _person(self, request: Request, channel: str, least: Role) -> Identity:
        """Who asks: an account with the role and a session that is not over, or the operator; no stream key.

        Raises:
            Problem: 401, 403.
        """
        identity = await self._auth.identities.must_be(request, channel, least)
        if identity.owns:
            raise unauthorized("account_needed", "a stream key cannot do this: expected the access token of an owner")
        if identity.account:
            await self._auth.logged_in(request)
        return identity


def grant_row(grant: Grant) -> dict[str, Any]:
    """A role and who has it."""
    return {
        "user": user_row(grant.user),
        "channel": grant.channel,
        "role": grant.role.value,
        "granted_ms": grant.granted_ms,
        "granted_by": grant.granted_by,
    }


def _key_row(made: NewKey) -> dict[str, Any]:
    return {"name": made.channel.name, "title": made.channel.title, "stream_key": made.stream_key}


def _channel_name(value: Any) -> str:
    try:
        return checked_name(forms.text(value, 2, 40))
    except BadChannelName as error:
        raise forms.Wrong("characters", str(error)) from error


def _title(value: Any) -> str:
    try:
        return checked_title(forms.text(value, 0, 200))
    except BadTitle as error:
        raise forms.Wrong("characters", str(error)) from error


def _role(value: Any) -> Role:
    if not isinstance(value, str) or value not in list(GRANTED):
        raise forms.Wrong("choice", f"expected one of {', '.join(GRANTED)}")
    return Role(value)


def _no_user(request: Request) -> Problem:
    return not_found(f"there is no user {request.path_params['user']:.40}", "no_user")
