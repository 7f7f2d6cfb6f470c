"""Which block lists a channel shares and uses, over HTTP. Owners decide."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import auth_forms as forms
from gateway.api import answer, body_of
from gateway.block_lists import SharedBans
from gateway.identity import must_have_channel
from gateway.moderation import Moderation
from stores.roles import Role


def block_list_routes(moderation: Moderation, shared: SharedBans) -> list[BaseRoute]:
    """The routes of this module."""
    routes = BlockListRoutes(moderation, shared)
    path = "/v1/channels/{channel}/block-lists"
    return [
        Route(path, routes.lists, methods=["GET"]),
        Route(path, routes.share, methods=["PUT"]),
        Route(path + "/{source}", routes.use, methods=["PUT"]),
        Route(path + "/{source}", routes.leave, methods=["DELETE"]),
    ]


class BlockListRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, moderation: Moderation, shared: SharedBans) -> None:
        self._moderation = moderation
        self._shared = shared

    async def lists(self, request: Request) -> Response:
        """Whether the channel shares its bans, whose it uses, and who uses its own."""
        return await self._answer(await self._owned(request, Role.MODERATOR))

    async def share(self, request: Request) -> Response:
        """Share the channel's bans, or not any more."""
        channel = await self._owned(request)
        wanted = forms.checked(await body_of(request), {"shared": forms.yes_or_no}, {})
        await self._shared.share(channel, shared=wanted["shared"])
        return await self._answer(channel)

    async def use(self, request: Request) -> Response:
        """Ban whom another channel bans, from now on."""
        channel = await self._owned(request)
        await self._shared.use(channel, request.path_params["source"])
        return await self._answer(channel)

    async def leave(self, request: Request) -> Response:
        """Use a list no longer: what it brought is taken back."""
        channel = await self._owned(request)
        await self._shared.leave(channel, request.path_params["source"])
        return await self._answer(channel)

    async def _answer(self, channel: str) -> Response:
        lists = self._shared.lists
        shared, used, users = await lists.shares(channel), await lists.used_by(channel), await lists.users_of(channel)
        return answer({"shared": shared, "uses": used, "used_by": users})

    async def _owned(self, request: Request, least: Role = Role.OWNER) -> str:
        channel = await must_have_channel(self._moderation.audience.state, request)
        await self._moderation.identities.must_be(request, channel, least)
        return channel
