"""Anything may die in the middle of a live push: nothing that was taken is lost or doubled, and playlists stay valid.

Numbered pictures, comments and likes go in; every playlist is watched. The longest pauses are printed (`docs/faults.md`).
"""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.live_stack import Channel, LiveStack, port_block
from tests.e2e.numbered import numbered_clip
from tests.e2e.publishing import FRAME_RATE, Clip
from tests.faults.broadcast import on_air, proven_whole
from tests.faults.clocks import LIBRARY, RoleClock
from tests.faults.numbered_push import LosslessPush, RtmpPush
from tests.faults.process_faults import Faults
from tests.waiting import eventually

Say = Callable[[str], None]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
by_hand = pytest.mark.skipif(
    "LOGCAST_FAULTS" not in os.environ, reason="a minute or more each: LOGCAST_FAULTS=1 runs it"
)

CLIP_S = 180
"""Longer than any fault, on any machine; a push is ended when all is well again."""

STOPPED_S = 20
JUMP_S = 600
SEEN_S = 5
"""libfaketime looks every second."""

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
    push = LosslessPush(stack, channel, clip.path, clip.frames)
    async with on_air(stack, channel, push, steady=False) as broadcast:
        for role in ("gateway", "ingest"):
            async with broadcast.harmed(f"kill -9 of {role}", goes_on=False):
                await faults.killed_and_back(role)
    await proven_whole(broadcast, http, say)


@contextmanager
def own_stack(directory: Path, *arguments: str, **options: object) -> Iterator[LiveStack]:
    """A stack of one test, of its own kind."""
    stack = LiveStack(directory, arguments, **options)
    stack.start()
    try:
        yield stack
        stack.stop()
    finally:
        stack.kill_all()


@by_hand
async def test_with_a_standby_either_may_die(clip: Clip, http: httpx.AsyncClient, tmp_path: Path, say: Say) -> None:
    with own_stack(tmp_path / "stack", "--standby", health_port_standby=port_block(1)[0]) as stack:
        channel, faults = stack.new_channel(), Faults(stack)
        push = RtmpPush.of(stack, channel.key, clip)
        async with on_air(stack, channel, push) as broadcast:
            for role in ("worker", "standby"):
                async with broadcast.harmed(f"kill -9 of {role}"):
                    await faults.killed_and_back(role)
        await proven_whole(broadcast, http, say)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("needs root, to mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@by_hand
async def test_a_full_disk_takes_nothing_new_keeps_the_old_and_goes_on_when_there_is_room(
    clip: Clip, small_disk: Path, http: httpx.AsyncClient, tmp_path: Path, say: Say
) -> None:
    options = {"spool_dir": small_disk / "spool", "spool_reserve_mb": 0, "spool_patience_s": 3}
    with own_stack(tmp_path / "stack", **options) as stack:
        channel = stack.new_channel()
        push = RtmpPush.of(stack, channel.key, clip)
        async with on_air(stack, channel, push) as broadcast, broadcast.harmed("a full disk"):
            fill(small_disk / "ballast")
            await eventually(lambda: push.refusals, 120, "a refusal")
            await eventually(lambda: len(push.refusals) > 2, 120, "refusals of those who come anew")
            (small_disk / "ballast").unlink()
        say(f"the publisher was told {sorted(set(push.refusals))}")
        await proven_whole(broadcast, http, say)
        assert [run.cut for run in push.runs] == [True, False]


def fill(ballast: Path) -> None:
    """Take all that a disk has left."""
    with ballast.open("wb", buffering=0) as file:
        try:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))
        finally:
            os.fsync(file.fileno())


@by_hand
@pytest.mark.skipif(not LIBRARY.exists(), reason="needs libfaketime")
@pytest.mark.parametrize("role", ["ingest", "worker", "gateway"])
async def test_a_clock_that_jumps_loses_nothing(
    role: str, clip: Clip, http: httpx.AsyncClient, tmp_path: Path, say: Say
) -> None:
    stack = LiveStack(tmp_path / "stack")
    clock = RoleClock(stack, role, tmp_path)
    stack.start()
    try:
        channel = stack.new_channel()
        push = RtmpPush.of(stack, channel.key, clip)
        async with on_air(stack, channel, push) as broadcast:
            for ahead_s in (JUMP_S, 0):
                async with broadcast.harmed(f"{role} {ahead_s:+d} s"):
                    clock.set(ahead_s)
                    await asyncio.sleep(SEEN_S)
        await proven_whole(broadcast, http, say)
        stack.stop()
    finally:
        stack.kill_all()
