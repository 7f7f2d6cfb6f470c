"""A gateway with a database and without a log: people register and log in over ASGI, as browsers and as programs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.auth import Auth
from gateway.identity import Identities, Identity
from gateway.state import GatewayState
from stores.settings import Settings
from stores.sql import open_engine
from tests.gateway.conftest import Clock

CHEAP = {"argon2_memory_kib": 8, "argon2_time_cost": 1, "attempts_per_minute": 1_000}
"""Passwords are hashed quickly, and nobody is too fast."""

ORIGIN = {"Origin": "http://gateway"}
PASSWORD = "correct horse"


@dataclass
class Person:
    """Somebody logged in by a program: tokens in bodies."""

    client: httpx.AsyncClient
    id: str
    access: str
    refresh: str

    async def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        return await self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {self.access}"})


@dataclass
class Site:
    """The gateway."""

    app: Starlette
    state: GatewayState
    clock: Clock
    client: httpx.AsyncClient

    async def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        return await self.client.post(path, json=body, headers=headers)

    async def register(self, login: str, **more: Any) -> Person:
        """Make an account and log it in."""
        done = await self.post("/v1/auth/register", {"login": login, "password": PASSWORD, **more})
        assert done.status_code == 201, done.text
        values = done.json()
        return Person(self.client, values["user"]["id"], values["access_token"], values["refresh_token"])

    async def has_email(self, login: str, email: str) -> None:
        """An address that was there before anybody asked whether it is theirs: no mail is sent for it."""
        assert self.state.users is not None
        user = await self.state.users.known(login)
        await self.state.users.set_profile(user.number, email=email)

    async def log_in(self, login: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        return await self.post("/v1/auth/login", {"login": login, "password": password, **more})

    async def state_identity(self, token: str) -> Identity:
        """Who a token stands for."""
        return await Identities(self.state).of_token(token)

    def browser(self) -> httpx.AsyncClient:
        """A client with a cookie jar of its own that shows our page's Origin."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=ORIGIN, timeout=60)

    @property
    def auth(self) -> Auth:
        """What the routes of accounts share."""
        assert self.state.auth is not None
        return self.state.auth

    def stop_the_clock_of_limits(self) -> None:
        """However slow the machine is: no limit lets anybody try again."""
        for limit in vars(self.auth.attempts).values():
            limit._now = lambda: 0.0

    def operator(self) -> dict[str, str]:
        """The headers of the operator."""
        return {"Authorization": f"Bearer {self.state.settings.admin_token.get_secret_value()}"}


@asynccontextmanager
async def account_site(make_settings: Callable[..., Settings], **options: Any) -> AsyncIterator[Site]:
    """A gateway whose database is open."""
    clock = Clock()
    settings = make_settings(**(CHEAP | options))
    state = GatewayState(settings, clock)
    app = create_app(settings, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        open_engine(settings.sql_url) as engine,
        httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60) as client,
    ):
        state.use_sql(engine)
        site = Site(app, state, clock, client)
        async with site.auth.open():
            yield site
