"""People who come and go: accounts, viewers by HLS, DASH and the feed, comments, likes, reactions, polls, pictures."""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urljoin

import httpx

from logcast.client import FeedClient, FeedError, NotConnectedError

PASSWORD: Final = "correct horse battery"
KINDS: Final = ("heart", "clap", "laugh", "wow", "fire")
STAY_S: Final = (15.0, 60.0)
TOKEN_S: Final = 300.0
KEPT_S: Final = 240.0
AGAIN: Final = frozenset({429, 503})


class People:
    """Everybody on one server. `counts` says what was done, and which answers were errors of the server."""

    def __init__(self, http: httpx.AsyncClient, server: str, counts: Counter[str]) -> None:
        self._http = http
        self._server = server
        self._counts = counts
        self._tokens: dict[str, str] = {}
        self._number = 0

    async def call(
        self, method: str, path: str, token: str = "", body: object = None, **more: Any
    ) -> httpx.Response | None:
        """One call; None when there was no answer. What the server did wrong is counted."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            answer = await self._http.request(method, self._server + path, json=body, headers=headers | more)
        except httpx.HTTPError as error:
            self._counts[f"no answer: {type(error).__name__}"] += 1
            return None
        if answer.status_code >= 500 and answer.status_code not in AGAIN:
            self._counts[f"{answer.status_code} {method} {path.rsplit('/', maxsplit=1)[-1].partition('?')[0]}"] += 1
        self._counts["calls"] += 1
        return answer

    # -- accounts

    async def owner(self, login: str) -> str:
        """An account with channels; gives its token."""
        return await self._register(login)

    async def channel(self, token: str, name: str, keep_days: int) -> str:
        """A channel of somebody's; gives its stream key."""
        made = await self.call("POST", "/v1/channels", token, {"name": name, "title": f"Soak {name}"})
        assert made is not None, "the gateway does not answer"
        assert made.is_success, made.text
        await self.call("PATCH", f"/v1/channels/{name}", token, {"keep_days": keep_days})
        return str(made.json()["stream_key"])

    async def log_in(self, login: str) -> str:
        """A new session; gives its token."""
        answer = await self.call("POST", "/v1/auth/login", "", {"login": login, "password": PASSWORD})
        return str(answer.json()["access_token"]) if answer is not None and answer.is_success else ""

    async def account(self) -> None:
        """Somebody registers, logs in once more, changes something, reads about themselves and logs out of both."""
        self._number += 1
        login = f"soak{self._number}x{secrets.token_hex(3)}"
        first = await self._register(login)
        second = await self.log_in(login)
        await self.call("PATCH", "/v1/me", second, {"colour": "#336699"})
        await self.call("GET", "/v1/me", second)
        await self.call("GET", "/v1/auth/sessions", second)
        for token in (second, first):
            await self.call("POST", "/v1/auth/logout", token)

    async def _register(self, login: str) -> str:
        form = {"login": login, "password": PASSWORD, "name": login.title(), "email": f"{login}@example.org"}
        answer = await self.call("POST", "/v1/auth/register", "", form)
        return str(answer.json()["access_token"]) if answer is not None and answer.is_success else ""

    # -- videos

    async def live(self) -> list[dict[str, Any]]:
        """The channels that are on the air."""
        answer = await self.call("GET", "/v1/channels")
        if answer is None or not answer.is_success:
            return []
        return [row for row in answer.json()["channels"] if row.get("state") == "live"]

    async def on_live(self, act: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Do it with one of the channels that are on the air, if there is one."""
        if live := await self.live():
            await act(random.choice(live))

    async def old(self, channel: str) -> list[dict[str, Any]]:
        """The recordings of a channel."""
        answer = await self.call("GET", f"/v1/channels/{channel}/videos")
        return list(answer.json()["videos"]) if answer is not None and answer.is_success else []

    async def remove_old(self, channel: str, token: str, now_s: float) -> None:
        """Its owner removes the recordings that ended some minutes ago."""
        for video in await self.old(channel):
            ended_ms = video.get("ended_ms")
            if ended_ms and now_s - ended_ms / 1000 > KEPT_S:
                await self.call("DELETE", f"/v1/videos/{video['id']}", token)
                self._counts["videos removed"] += 1

    async def watch(self, master: str) -> None:
        """A viewer by HLS: one rendition with blocking reload and all its parts, for a while."""
        answer = await self.call("GET", master)
        if answer is None or not answer.is_success:
            return
        names = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
        if not names:
            return
        url = urljoin(self._server + master, random.choice(names))
        self._counts["HLS viewers"] += 1
        got: set[str] = set()
        loop = asyncio.get_running_loop()
        end, ask = loop.time() + random.uniform(*STAY_S), ""
        while loop.time() < end:
            playlist = await self._get(url + ask)
            if playlist is None:
                return
            text = playlist.text
            new = [part for part in _parts(text) if part not in got]
            for uri in new[-6:]:
                await self._get(urljoin(url, uri))
            got.update(new)
            if "#EXT-X-ENDLIST" in text:
                return
            ask = _next(text)

    async def look(self, video: str) -> None:
        """Pictures, manifests, totals: what pages and bots ask for."""
        self._counts["lookers"] += 1
        offset = random.randint(0, 20)
        below = f"/v1/videos/{video}"
        kind = random.choice(["image/jpeg", "image/webp"])
        await self.call("GET", f"{below}/frame?offset={offset}&width={random.choice([96, 160, 320])}", Accept=kind)
        for path in (
            "poster.jpg",
            "thumbnails.vtt",
            "manifest.mpd",
            "master.m3u8",
            "totals",
            "viewers",
            "comments",
            "polls",
            "bursts",
        ):
            await self.call("GET", f"{below}/{path}")

    async def listen(self, channel: str, token: str) -> None:
        """A viewer on the feed who talks, likes and reacts, for a while."""
        self._counts["feed viewers"] += 1
        name = None if token else f"Guest {secrets.token_hex(2)}"
        async with FeedClient(self._server, channel, name=name, token=token or None, wants=("source",)) as feed:
            reading = asyncio.create_task(_read(feed, self._counts))
            loop = asyncio.get_running_loop()
            end = loop.time() + random.uniform(*STAY_S)
            while loop.time() < end:
                await asyncio.sleep(random.uniform(1.0, 4.0))
                await self._say(feed)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _say(self, feed: FeedClient) -> None:
        try:
            async with asyncio.timeout(10):
                match random.randint(0, 5):
                    case 0 | 1:
                        seq = await feed.post(f"This is comment {secrets.token_hex(4)} of a long day")
                        self._counts["comments"] += seq > 0
                    case 2:
                        await feed.like(liked=random.random() < 0.8)
                    case _:
                        await feed.react(random.choice(KINDS), random.randint(1, 5))
                self._counts["said"] += 1
        except (FeedError, NotConnectedError, TimeoutError) as error:
            self._counts[f"not said: {type(error).__name__}"] += 1

    async def poll(self, video: str, owner: str) -> None:
        """A poll, some votes, its end."""
        below = f"/v1/videos/{video}/polls"
        asked = await self.call("POST", below, owner, {"question": "Which?", "options": ["this", "that"]})
        if asked is None or not asked.is_success:
            return
        poll = asked.json()["id"]
        self._counts["polls"] += 1
        for _ in range(4):
            guest = await self.call("POST", "/v1/guests", "", {"name": "Voter"})
            if guest is not None and guest.is_success:
                await self.call(
                    "POST", f"{below}/{poll}/votes", guest.json()["token"], {"option": random.randint(0, 1)}
                )
        await asyncio.sleep(5)
        await self.call("POST", f"{below}/{poll}/close", owner)

    async def _get(self, url: str) -> httpx.Response | None:
        answer = await self.call("GET", url.removeprefix(self._server))
        return answer if answer is not None and answer.is_success else None


async def _read(feed: FeedClient, counts: Counter[str]) -> None:
    async for _ in feed:
        counts["heard"] += 1


def _parts(playlist: str) -> list[str]:
    lines = playlist.splitlines()
    parts = [line.partition('URI="')[2].partition('"')[0] for line in lines if line.startswith("#EXT-X-PART:")]
    return parts or [line for line in lines if line and not line.startswith("#")]


def _next(playlist: str) -> str:
    """The query for the part after the last one (blocking reload)."""
    first, whole, parts = 0, 0, 0
    for line in playlist.splitlines():
        if line.startswith("#EXT-X-MEDIA-SEQUENCE:"):
            first = int(line.partition(":")[2])
        elif line.startswith("#EXT-X-PART:"):
            parts += 1
        elif line and not line.startswith("#"):
            whole, parts = whole + 1, 0
    return f"?_HLS_msn={first + whole}&_HLS_part={parts}"


async def repeated(every_s: Callable[[], float], act: Callable[[], Awaitable[None]], counts: Counter[str]) -> None:
    """Do it again and again until cancelled; what goes wrong is counted, and does not end the soak."""
    while True:
        await asyncio.sleep(every_s())
        try:
            await act()
        except (httpx.HTTPError, OSError, KeyError, ValueError, AssertionError) as error:
            counts[f"failed: {type(error).__name__}"] += 1
