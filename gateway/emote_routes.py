"""The emotes of a channel: everybody sees them, moderators give and take them."""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import HEADERS, answer, bytes_of
from gateway.identity import Identities, must_have_channel, signature_name
from gateway.problems import Problem, not_found
from gateway.state import GatewayState
from stores.emotes import MAX_BYTES, Emote, Emotes, EmotesError, TooManyEmotes
from stores.roles import Role

NAME: Final = re.compile(r"[a-z0-9_]{2,32}")
KEPT_S: Final = 31_536_000


def emote_routes(state: GatewayState) -> list[BaseRoute]:
    """The routes of this module."""
    routes = EmoteRoutes(state)
    path = "/v1/channels/{channel}/emotes"
    return [
        Route(path, routes.all, methods=["GET"]),
        Route(path + "/{name}", routes.picture, methods=["GET"]),
        Route(path + "/{name}", routes.put, methods=["PUT"]),
        Route(path + "/{name}", routes.remove, methods=["DELETE"]),
    ]


class EmoteRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._identities = Identities(state)

    async def all(self, request: Request) -> Response:
        """The emotes of a channel by name, with the address of each picture."""
        channel = await must_have_channel(self._state, request)
        return answer({"emotes": [emote_row(channel, emote) for emote in await self._emotes.of(channel)]})

    async def picture(self, request: Request) -> Response:
        """One picture; with the right `v` it never changes."""
        channel, name = await must_have_channel(self._state, request), _name(request)
        found = await self._emotes.find(channel, name)
        if found is None:
            raise not_found(f"channel {channel} has no emote {name}", "no_emote")
        lasting = request.query_params.get("v") == found.sha256[:16]
        headers = {
            "Cache-Control": f"public, max-age={KEPT_S}, immutable" if lasting else "no-cache",
            "ETag": f'"{found.sha256[:16]}"',
            "X-Content-Type-Options": "nosniff",
            "Access-Control-Allow-Origin": "*",
        }
        return Response(found.data, 200, headers, found.media_type)

    async def put(self, request: Request) -> Response:
        """Give the channel an emote: the body is the picture."""
        channel, name = await must_have_channel(self._state, request), _name(request)
        by = await self._identities.must_be(request, channel, Role.MODERATOR)
        try:
            made = await self._emotes.put(channel, name, await bytes_of(request, MAX_BYTES), signature_name(by))
        except TooManyEmotes as error:
            raise Problem(409, "too_many_emotes", str(error)) from error
        except EmotesError as error:
            raise Problem(422, "bad_picture", str(error), extra={"field": "body", "rule": "picture"}) from error
        return answer(emote_row(channel, made), 201)

    async def remove(self, request: Request) -> Response:
        """Take an emote away."""
        channel, name = await must_have_channel(self._state, request), _name(request)
        await self._identities.must_be(request, channel, Role.MODERATOR)
        if not await self._emotes.remove(channel, name):
            raise not_found(f"channel {channel} has no emote {name}", "no_emote")
        return Response(status_code=204, headers=HEADERS)

    @property
    def _emotes(self) -> Emotes:
        assert self._state.emotes is not None
        return self._state.emotes


def emote_row(channel: str, emote: Emote) -> dict[str, object]:
    """An emote as JSON has it."""
    url = f"/v1/channels/{channel}/emotes/{emote.name}?v={emote.sha256[:16]}"
    return {"name": emote.name, "url": url, "media_type": emote.media_type, "made_ms": emote.made_ms}


def _name(request: Request) -> str:
    found = str(request.path_params["name"])
    if NAME.fullmatch(found) is None:
        raise Problem(400, "bad_name", f"expected a name of 2 to 32 of a-z, 0-9 and _, found {found!r:.60}")
    return found
