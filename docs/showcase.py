"""A running Logcast with people in it: channels on the air, a conversation, a poll, likes, reactions, comments that wait for review.

What `docs/screenshots.py` takes pictures of. It uses the API as any program does.
"""

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from logcast.client import FeedClient
from tests.e2e.live_stack import LiveStack
from tests.e2e.publishing import Clip, publishing
from tests.waiting import eventually_async

PASSWORD: Final = "correct horse battery"  # noqa: S105  (of people who live for some minutes)
OWNER: Final = "mira"
CHANNEL: Final = "atelier"
VIEWERS: Final = 23
OLD_CLIP_S: Final = 24
CLIP_S: Final = 40

CHANNELS: Final = {
    CHANNEL: (OWNER, "Painting dusk over water, with you"),
    "fieldnotes": ("jonas", "Slow fractals and field recordings"),
    "late-shift": ("amara", "Synth jam: one patch, no plan"),
    "cellar": ("jonas", "Cellular automata for beginners"),
}
LIVE: Final = (CHANNEL, "late-shift")
PICTURES: Final = {
    CHANNEL: "gradients=s=640x360:r=15:c0=0x0b1f3a:c1=0x1f6f78:c2=0xf2a65a:c3=0x3a1f4a:n=4:speed=0.024:type=spiral:seed=7",
    "late-shift": "gradients=s=640x360:r=15:c0=0x2b0f54:c1=0xff4f79:c2=0x1b1b3a:n=3:speed=0.02:type=radial:seed=3",
    "cellar": "life=s=320x180:mold=12:r=15:ratio=0.2:seed=5:death_color=#c83232:life_color=#f2d0a4:mold_color=#3a2f28,scale=640:360:flags=neighbor",
}
PEOPLE: Final = {
    "mira": ("Mira", "#f2a65a"),
    "jonas": ("Jonas", "#7fb6ff"),
    "amara": ("Amara", "#8ccf8e"),
    "tomek": ("Tomek", ""),
    "yuki": ("Yuki", "#d9a2ff"),
    "lena": ("Lena W.", "#ff9d8a"),
    "sol": ("Sol", ""),
}
TALK: Final = (
    ("jonas", "Evening! Made it home just in time.", None),
    ("amara", "that underpainting already looks like a storm", None),
    ("mira", "Welcome everybody. Tonight: *one* brush, **three** colours, an hour.", None),
    ("tomek", "Which blue is that? Ultramarine?", None),
    ("mira", "@tomek Prussian blue, with a touch of burnt umber.", 3),
    ("yuki", "Konbanwa! Greetings from Sapporo", None),
    ("lena", "The reflection on the water!", None),
    ("sol", "First time here. Is there a recording later?", None),
    ("jonas", "@sol yes, with the chat beside it", 7),
    ("amara", "Do the lighthouse! Do the lighthouse!", None),
    ("lena", "Voted. The poll is close…", None),
    ("tomek", "Note to self: thinner glazes. `1:3` is the trick, right?", None),
    ("yuki", "clap clap clap", None),
    ("mira", "Right. And patience, which I have none of.", 11),
)
WAITING: Final = (
    ("sol", "My shop has the same brushes: brushes-for-you dot shop"),
    ("tomek", "spoiler: it ends up purple"),
    ("yuki", "Is this a spoiler? The title says dusk."),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account."""

    name: str
    token: str


class Showcase:
    """The people of a stack, and what they do."""

    def __init__(self, stack: LiveStack, http: httpx.AsyncClient) -> None:
        self._stack = stack
        self._http = http
        self.people: dict[str, Person] = {}

    async def call(self, method: str, path: str, who: str, body: object = None) -> Any:
        """One call of somebody's; repeated while they are too fast for the server's limits or their channel is not known yet."""
        token = self.people[who].token if who in self.people else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}

        async def tried() -> httpx.Response | None:
            done = await self._http.request(method, self._stack.server + path, json=body, headers=headers)
            return None if done.status_code in {429, 503} else done

        done = await eventually_async(tried, what=f"{method} {path}")
        assert done is not None
        assert done.is_success, f"{method} {path}: {done.status_code} {done.text}"
        return done.json() if done.content else None

    async def come(self) -> None:
        """Everybody makes an account, and has a colour."""
        for login, (name, colour) in PEOPLE.items():
            form = {"login": login, "password": PASSWORD, "name": name, "email": f"{login}@example.org"}
            made = await self.call("POST", "/v1/auth/register", "", form)
            self.people[login] = Person(name, made["access_token"])
            if colour:
                changed = await self.call("PATCH", "/v1/me", login, {"colour": colour})
                self.people[login] = Person(name, changed["access_token"])

    async def make_channel(self, name: str) -> str:
        """A channel of its owner; gives the stream key."""
        owner, title = CHANNELS[name]
        made = await self.call("POST", "/v1/channels", owner, {"name": name, "title": title})
        return str(made["stream_key"])

    async def video(self, channel: str) -> str:
        """The video of a channel that is on the air."""

        async def live() -> str:
            row = (await self._http.get(f"{self._stack.server}/v1/channels/{channel}")).json()
            return str(row["video_id"]) if row.get("state") == "live" else ""

        return await eventually_async(live, what=f"a stream on {channel}")

    async def ended(self, channel: str) -> None:
        """Wait until a channel's video can be watched later."""

        async def kept() -> bool:
            answer = await self._http.get(f"{self._stack.server}/v1/channels/{channel}/videos")
            return bool(answer.json().get("videos"))

        await eventually_async(kept, 180, f"the recording of {channel}")

    async def rule(self) -> None:
        """What the channel holds back, who moderates, who follows whom."""
        await self.call("PUT", f"/v1/channels/{CHANNEL}/moderation/rules", OWNER, {"held": ["spoiler", "shop"]})
        await self.call("PUT", f"/v1/channels/{CHANNEL}/roles/amara", OWNER, {"role": "moderator"})
        for login in PEOPLE:
            await self.call("PUT", f"/v1/channels/{CHANNEL}/follow", login)
        await self.call("PUT", "/v1/channels/fieldnotes/follow", OWNER)

    async def talk(self, video: str) -> None:
        """The conversation; one comment is pinned, some are liked, some wait for a moderator."""
        path = f"/v1/videos/{video}/comments"
        said: list[str] = []
        for login, text, about in TALK:
            parent = {"parent": said[about]} if about is not None else {}
            comment = {"id": secrets.token_hex(10), "text": text, **parent}
            said.append((await self.call("POST", path, login, comment))["id"])
        for number, fans in ((2, ("jonas", "lena", "yuki")), (6, ("mira", "amara")), (9, ("sol",))):
            for fan in fans:
                await self.call("PUT", f"{path}/{said[number]}/like", fan)
        pin = {"kind": "pin", "video_id": video, "comment_id": said[2]}
        await self.call("POST", f"/v1/channels/{CHANNEL}/moderation/acts", OWNER, pin)
        for login, text in WAITING:
            await self.call("POST", path, login, {"id": secrets.token_hex(10), "text": text})

    async def ask(self, video: str) -> None:
        """A poll, and votes."""
        options = ["The lighthouse", "A fishing boat", "Nothing, leave it empty"]
        asked = {"question": "What goes on the horizon?", "options": options}
        poll = (await self.call("POST", f"/v1/videos/{video}/polls", OWNER, asked))["id"]
        for login, option in (("jonas", 0), ("amara", 0), ("tomek", 1), ("yuki", 0), ("lena", 1), ("sol", 2)):
            await self.call("POST", f"/v1/videos/{video}/polls/{poll}/votes", login, {"option": option})

    async def like(self, video: str) -> None:
        """Likes and reactions of accounts."""
        for login in PEOPLE:
            await self.call("PUT", f"/v1/videos/{video}/like", login)
            for kind in ("heart", "clap", "fire"):
                await self.call("POST", f"/v1/videos/{video}/reactions", login, {"kind": kind, "count": 3})


def clip_of(channel: str, directory: Path) -> Clip:
    """The picture of a channel with a quiet tone, as a file."""
    seconds = OLD_CLIP_S if channel == "cellar" else CLIP_S
    path = directory / f"{channel}.mp4"
    sound = f"sine=frequency=110:sample_rate=48000:duration={seconds},volume=0.05"
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-b:v", "3M", "-g", "30", "-bf", "0")
    argv = [
        *("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
        *("-f", "lavfi", "-t", str(seconds), "-i", PICTURES[channel], "-f", "lavfi", "-i", sound),
        *video,
        *("-c:a", "aac", "-b:a", "96k", "-ac", "2", str(path)),
    ]
    subprocess.run(argv, check=True, timeout=600)
    return Clip(path, 0, seconds)


@asynccontextmanager
async def showcase(directory: Path) -> AsyncIterator[tuple[LiveStack, Showcase]]:
    """A stack with everything of this module in it, until the end."""
    clips = {channel: await asyncio.to_thread(clip_of, channel, directory) for channel in PICTURES}
    stack = LiveStack(directory / "stack")
    stack.environ |= {
        "LOGCAST_ATTEMPTS_PER_MINUTE": "1000",
        "LOGCAST_CHANNELS_PER_USER": "9",
        "LOGCAST_SLOW_MODE_MS": "0",
        "LOGCAST_LADDER": "180:250",
        "LOGCAST_SPOOL_SYNC_MS": "0",
        "LOGCAST_SPOOL_PATIENCE_S": "120",
        "LOGCAST_OIDC_ISSUER": "https://id.example.org",
        "LOGCAST_OIDC_CLIENT_ID": "logcast",
        "LOGCAST_OIDC_NAME": "Example ID",
    }
    await asyncio.to_thread(stack.start)
    try:
        async with AsyncExitStack() as opened, httpx.AsyncClient(timeout=60) as http:
            show = Showcase(stack, http)
            await show.come()
            keys = {channel: await show.make_channel(channel) for channel in CHANNELS}
            log = directory / "ffmpeg.log"
            with publishing(clips["cellar"], stack.push_url(keys["cellar"]), log) as once:
                assert await once.finished(120) == 0
            for channel in LIVE:
                push = publishing(
                    clips[channel], stack.push_url(keys[channel]), directory / f"{channel}.log", for_ever=True
                )
                opened.enter_context(push)
            videos = [await show.video(channel) for channel in LIVE]
            await show.rule()
            for number in range(VIEWERS):
                channel = CHANNEL if number < VIEWERS * 2 // 3 else LIVE[1]
                await opened.enter_async_context(FeedClient(stack.server, channel, name=f"Viewer {number}"))
            for video in videos:
                await show.like(video)
            await show.ask(videos[0])
            await show.talk(videos[0])
            await show.ended("cellar")
            yield stack, show
        await asyncio.to_thread(stack.stop)
    finally:
        stack.kill_all()
