"""Anything may die in the middle of a live push: nothing that was taken is lost or doubled, and playlists stay valid.

Numbered pictures, comments and likes go in; every playlist is watched. The longest pauses are printed (`docs/faults.md`).
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.numbered import numbered_clip
from tests.e2e.publishing import FRAME_RATE, Clip
from tests.faults.broadcast import on_air, proven_whole
from tests.faults.numbered_push import LosslessPush, RtmpPush
from tests.faults.process_faults import Faults

Say = Callable[[str], None]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
by_hand = pytest.mark.skipif(
    "LOGCAST_FAULTS" not in os.environ, reason="a minute or more each: LOGCAST_FAULTS=1 runs it"
)

CLIP_S = 180
"""Longer than any fault, on any machine; a push is ended when all is well again."""

STOPPED_S = 20
LOSSLESS_S = 20


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return numbered_clip(tmp_path_factory.mktemp("numbered") / "long.mp4", CLIP_S * FRAME_RATE)


@by_hand
@pytest.mark.parametrize("role", ["worker", "gateway", "consumers", "kafka", "cassandra"])
async def test_kill_9_loses_nothing(
    role: str, stack: LiveStack, channel: Channel, clip: Clip, faults: Faults, http: httpx.AsyncClient, say: Say
) -> None:
    push = RtmpPush.of(stack, channel.key, clip)
    async with on_air(stack, channel, push) as broadcast, broadcast.harmed(f"kill -9 of {role}"):
        await faults.killed_and_back(role)
    await proven_whole(broadcast, http, say)


@by_hand
async def test_kill_9_of_the_ingest_loses_nothing_that_it_had_spooled(
    stack: LiveStack,
    channel: Channel,
    clip: Clip,
    faults: Faults,
    http: httpx.AsyncClient,
    tmp_path: Path,
    say: Say,
) -> None:
    push = RtmpPush.of(stack, channel.key, clip)
    async with on_air(stack, channel, push) as broadcast, broadcast.harmed("kill -9 of ingest"):
        with faults.stopped("ingest") as pid:
            await asyncio.to_thread(broadcast.note_spooled, tmp_path / "spool")
            death = faults.kill("ingest")
            assert death.pid == pid
        await faults.back(death)
    await proven_whole(broadcast, http, say)
    assert len(push.runs) == 2


@by_hand
@pytest.mark.parametrize("role", ["worker", "gateway", "consumers", "kafka", "cassandra", "ingest"])
async def test_twenty_seconds_of_standing_still_lose_nothing(
    role: str, stack: LiveStack, channel: Channel, clip: Clip, faults: Faults, http: httpx.AsyncClient, say: Say
) -> None:
    push = RtmpPush.of(stack, channel.key, clip)
    async with on_air(stack, channel, push) as broadcast, broadcast.harmed(f"SIGSTOP of {role}"):
        with faults.stopped(role):
            await asyncio.sleep(STOPPED_S)
    await proven_whole(broadcast, http, say)


@by_hand
@pytest.mark.parametrize("roles", [("worker", "gateway"), ("gateway", "consumers")])
async def test_two_that_die_at_once_lose_nothing(
    roles: tuple[str, str],
    stack: LiveStack,
    channel: Channel,
    clip: Clip,
    faults: Faults,
    http: httpx.AsyncClient,
    say: Say,
) -> None:
    push = RtmpPush.of(stack, channel.key, clip)
    async with on_air(stack, channel, push) as broadcast, broadcast.harmed(f"kill -9 of {' and '.join(roles)}"):
        deaths = [faults.kill(role) for role in roles]
        for death in deaths:
            await faults.back(death)
    await proven_whole(broadcast, http, say)


@by_hand
async def test_a_lossless_push_brings_every_frame_of_the_file_through_kill_9_of_ingest_and_gateway(
    stack: LiveStack,
    channel: Channel,
    faults: Faults,
    http: httpx.AsyncClient,
    tmp_path: Path,
    say: Say,
) -> None:
    clip = await asyncio.to_thread(numbered_clip, tmp_path / "numbered.mp4", LOSSLESS_S * FRAME_RATE)
    push = LosslessPush(stack, channel.name, clip.path, clip.frames)
    async with on_air(stack, channel, push, steady=False) as broadcast:
        for role in ("gateway", "ingest"):
            async with broadcast.harmed(f"kill -9 of {role}", goes_on=False):
                await faults.killed_and_back(role)
    await proven_whole(broadcast, http, say)
