"""The gateway's application: groups of routes over one state, opened and closed by the server's lifespan."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from gateway import (
    audience_routes,
    auth_routes,
    caption_routes,
    clip_routes,
    dash_routes,
    download_routes,
    health_routes,
    ingest_relay,
    link_routes,
    media_routes,
    pages,
    picture_routes,
    registry_routes,
    rendition_routes,
    shelf_routes,
)
from gateway.catching_up import UntilCaughtUp
from gateway.problems import Problem, answer_away, answer_crash, answer_http_error, answer_problem
from gateway.state import GatewayState
from gateway.viewing_guard import ViewingGuard
from stores.settings import Settings

Install = Callable[[GatewayState], list[BaseRoute]]

GROUPS: Final[tuple[Install, ...]] = (
    media_routes.install,
    dash_routes.install,
    picture_routes.install,
    download_routes.install,
    clip_routes.install,
    shelf_routes.install,
    caption_routes.install,
    auth_routes.install,
    audience_routes.install,
    link_routes.install,
    rendition_routes.install,
    pages.install,
    registry_routes.install,
    ingest_relay.install,
    health_routes.install,
)
"""Each says what it needs of the state and gives its routes; the busiest come first."""

AWAY: Final = (ConnectionError, TimeoutError, InterfaceError, PoolTimeoutError)
"""What comes of asking an SQL server that is away or stands still (`stores.sql`)."""


def create_app(settings: Settings, state: GatewayState | None = None) -> Starlette:
    """A gateway. Nothing is opened until its lifespan starts; its state is at `app.state.gateway`."""
    state = state or GatewayState(settings)
    routes = [route for install in GROUPS for route in install(state)]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with state:
            yield

    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(UntilCaughtUp, state=state), Middleware(ViewingGuard, state=state)],
        exception_handlers={
            Problem: answer_problem,
            HTTPException: answer_http_error,
            **dict.fromkeys(AWAY, answer_away),
            Exception: answer_crash,
        },
    )
    app.state.gateway = state
    return app
