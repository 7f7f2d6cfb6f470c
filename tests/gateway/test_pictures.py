"""Pictures of folded videos: which one, from which rendition, made how often."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from functools import partial

import av
import numpy as np
import pytest
from av.container import InputContainer
from av.video.frame import VideoFrame

from gateway.frame_media import Cut, mp4_from
from gateway.frame_request import FrameRequest
from gateway.memory_cache import MemoryCache
from gateway.moments import by_width, moment_at, pictured, span_of
from gateway.picture_pool import PicturePool
from gateway.pictures import Pictures
from gateway.problems import Problem
from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from media.stills import JPEG, KINDS, encode_still
from schemas.events import PartReady, SegmentClosed, VideoState
from stores.recordings import RecordingsError, checked_recording_name
from stores.segments import SegmentStoreError, part_name
from tests.gateway.real_media import FPS, Reel, shows
from tests.gateway.tape import START_MS, VIDEO, video
from tests.processors import gops
from tests.processors.gops import Clip
from tests.waiting import eventually

SOURCE = Reel()
SMALL = Reel("90p", Clip(width=160, height=90, gops=4, gop_frames=30, part_frames=6))


@dataclass
class Store:
    """Bytes by name, and what was asked of them."""

    held: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken: bool = False

    async def part(self, video_id: str, rendition: str, segment: int, part: int) -> bytes | None:
        return await self.init(part_name(video_id, rendition, segment, part))

    async def segment(self, video_id: str, rendition: str, segment: int, parts: int) -> list[bytes] | None:
        found = [await self.part(video_id, rendition, segment, part) for part in range(parts)]
        return None if any(data is None for data in found) else [b"".join(data or b"" for data in found)]

    async def init(self, name: str) -> bytes | None:
        if self.broken:
            raise SegmentStoreError("the disk is gone")
        self.asked.append(name)
        return self.held.get(name)


@pytest.fixture
def store() -> Store:
    return Store({**SOURCE.stored, **SMALL.stored})


@pytest.fixture
async def pool() -> AsyncIterator[PicturePool]:
    async with PicturePool(2, 8).opened() as pool:
        yield pool


@pytest.fixture
def pictures(store: Store, pool: PicturePool) -> Pictures:
    return Pictures(store, MemoryCache("test", 1 << 24, len), pool)


def folded(*events: PartReady | SegmentClosed, state: VideoState = VideoState.LIVE, last: int = -1) -> VideoFold:
    fold = VideoFold(VIDEO, Limits(3_600_000, 4_000))
    ended_ms = START_MS + 60_000 if state is VideoState.ENDED else None
    fold.state(video(state, last_segment=last, ended_ms=ended_ms))
    for event in events:
        if isinstance(event, PartReady):
            fold.part(event)
        else:
            fold.closed(event)
    return fold


def recorded(*reels: Reel) -> VideoFold:
    """A video that has ended, whole."""
    return folded(*(event for reel in reels for event in reel.events()), state=VideoState.ENDED, last=3)


def shown(data: bytes) -> VideoFrame:
    container = av.open(io.BytesIO(data))
    assert isinstance(container, InputContainer)
    with container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("n", [0, 1, 7, 29, 30, 45, 61, 90, 119])
async def test_exactly_the_picture_that_is_shown_at_the_offset(pictures: Pictures, n: int) -> None:
    asked = FrameRequest(offset=n / FPS + 0.005, exact=True)
    still = await pictures.still(recorded(SOURCE), asked, JPEG, 1920)
    assert shows(shown(still.data), n)
    assert still.settled


@pytest.mark.parametrize(("at_s", "n"), [(0.0, 0), (0.4, 0), (0.6, 30), (1.4, 30), (2.6, 90), (3.9, 90)])
async def test_else_the_nearest_keyframe(pictures: Pictures, at_s: float, n: int) -> None:
    still = await pictures.still(recorded(SOURCE), FrameRequest(offset=at_s), JPEG, 1920)
    assert shows(shown(still.data), n)


async def test_the_nearest_keyframe_is_found_where_parts_are_forgotten(pictures: Pictures) -> None:
    fold = recorded(SOURCE)
    rendition = fold.renditions["source"]
    forgotten = [s.__class__(**{f: getattr(s, f) for f in s.__slots__} | {"parts": ()}) for s in rendition.segments]
    rendition.segments.clear()
    rendition.segments.extend(forgotten)
    for at_s, n in [(0.4, 0), (0.6, 30), (1.6, 60), (3.9, 90)]:
        assert shows(shown((await pictures.still(fold, FrameRequest(offset=at_s), JPEG, 1920)).data), n)
    exact = await pictures.still(fold, FrameRequest(offset=2.51, exact=True), JPEG, 1920)
    assert shows(shown(exact.data), 75)


async def test_without_an_offset_it_is_the_live_edge_or_the_start_of_a_recording(pictures: Pictures) -> None:
    live = folded(*SOURCE.events([0, 1]), *SOURCE.parts(2, 3))
    assert shows(shown((await pictures.still(live, FrameRequest(exact=True), JPEG, 1920)).data), 60 + 17)
    assert shows(shown((await pictures.still(recorded(SOURCE), FrameRequest(exact=True), JPEG, 1920)).data), 0)


@pytest.mark.parametrize(("offset", "n"), [(-0.05, 76), (-0.1, 75), (-1.0, 48), (-2.6, 0)])
async def test_a_negative_offset_counts_from_the_live_edge(pictures: Pictures, offset: float, n: int) -> None:
    live = folded(*SOURCE.events([0, 1]), *SOURCE.parts(2, 3))
    still = await pictures.still(live, FrameRequest(offset=offset + 0.001, exact=True), JPEG, 1920)
    assert shows(shown(still.data), n)


@pytest.mark.parametrize("offset", [4.5, 100.0, -5.0])
async def test_an_offset_outside_is_refused_with_the_range_that_there_is(pictures: Pictures, offset: float) -> None:
    with pytest.raises(Problem) as refused:
        await pictures.still(recorded(SOURCE), FrameRequest(offset=offset), JPEG, 1920)
    assert refused.value.status == 416
    assert refused.value.extra == {"available": {"start": 0.0, "end": 4.0}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("width", "widest", "rendition", "size"),
    [(None, 1920, "source", 320), (100, 1920, "90p", 100), (160, 1920, "90p", 160), (162, 1920, "source", 162),
     (1920, 1920, "source", 320), (None, 160, "90p", 160), (1000, 160, "90p", 160)],
)  # fmt: skip
async def test_the_smallest_rendition_that_is_large_enough_is_decoded(
    pictures: Pictures, store: Store, kind: str, width: int | None, widest: int, rendition: str, size: int
) -> None:
    fold = recorded(SOURCE, SMALL)
    still = await pictures.still(fold, FrameRequest(offset=1.0, width=width), kind, widest)
    assert shown(still.data).width == size
    assert {name.split("/")[1] for name in store.asked} == {rendition}


async def test_a_keyframe_costs_one_part_and_not_the_segment(pictures: Pictures, store: Store) -> None:
    await pictures.still(recorded(SOURCE), FrameRequest(offset=1.1), JPEG, 1920)
    assert store.asked == [SOURCE.init[0], SOURCE.parts(1)[0].name]


async def test_a_rendition_with_a_gap_there_is_passed_over(pictures: Pictures, store: Store) -> None:
    fold = recorded(SOURCE, SMALL)
    for part in SMALL.parts(1):
        del store.held[part.name]
    still = await pictures.still(fold, FrameRequest(offset=1.0, width=160), JPEG, 1920)
    assert "source" in store.asked[-1]
    assert shows(shown(still.data), 30)


async def test_a_rendition_that_is_behind_gives_its_own_edge_but_no_other_picture_than_the_exact_one(
    pictures: Pictures,
) -> None:
    live = folded(*SOURCE.events([0, 1]), *SOURCE.parts(2, 5), *SMALL.events([0, 1]), *SMALL.parts(2, 1))
    edge = await pictures.still(live, FrameRequest(width=160), JPEG, 1920)
    assert shown(edge.data).height == 90
    assert shows(shown(edge.data), 60)
    exact = await pictures.still(live, FrameRequest(offset=2.81, exact=True, width=160), JPEG, 1920)
    assert shows(shown(exact.data), 84), "taken from the source, which has it"


async def test_what_is_stored_nowhere_is_not_found(pictures: Pictures, store: Store) -> None:
    store.held.clear()
    with pytest.raises(Problem) as refused:
        await pictures.still(recorded(SOURCE), FrameRequest(offset=1.0), JPEG, 1920)
    assert (refused.value.status, refused.value.reason) == (404, "no_picture")


async def test_a_store_that_cannot_be_read_is_503(pictures: Pictures, store: Store) -> None:
    store.broken = True
    with pytest.raises(Problem) as refused:
        await pictures.still(recorded(SOURCE), FrameRequest(offset=1.0), JPEG, 1920)
    assert (refused.value.status, refused.value.reason) == (503, "store")


async def test_a_picture_is_made_once_however_many_ask_and_whatever_they_call_it(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counted(*args: object, real: Callable[..., bytes]) -> bytes:
        made.append(args)
        return real(*args)

    monkeypatch.setattr("gateway.pictures.encode_still", partial(counted, real=encode_still))
    live = folded(*SOURCE.events([0, 1]), *SOURCE.parts(2, 2))
    wanted = [FrameRequest(), FrameRequest(offset=-0.1), FrameRequest(offset=2.2), FrameRequest(width=1900)] * 5
    stills = await asyncio.gather(*(pictures.still(live, one, JPEG, 1920) for one in wanted))
    assert len({still.data for still in stills}) == 1
    assert len(made) == 1
    live.part(SOURCE.parts(2)[2])
    await pictures.still(live, FrameRequest(), JPEG, 1920)
    assert len(made) == 1, "the edge moved on, the keyframe did not"


async def test_more_work_than_the_threads_can_do_is_refused_and_nothing_is_left_over() -> None:
    async with PicturePool(1, 3).opened() as pool:
        go = threading.Event()
        waiting = [asyncio.create_task(pool.run(go.wait)) for _ in range(3)]
        await eventually(lambda: pool._under_way == 3)
        with pytest.raises(Problem) as refused:
            await pool.run(go.wait)
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "1")
        go.set()
        assert all(await asyncio.gather(*waiting))
        assert await pool.run(lambda: 7) == 7


async def test_a_sheet_has_the_keyframe_of_each_of_its_times(pictures: Pictures, store: Store) -> None:
    data = await pictures.sheet(recorded(SOURCE, SMALL), 0, 2, 2)
    read = shown(data)
    assert (read.width, read.height) == (800, 450)
    grey = read.to_ndarray(format="gray")
    for tile, n in [(0, 0), (1, 60)]:
        assert abs(int(grey[2:14, tile * 160 + 2 : tile * 160 + 24].mean()) - (16 + 32 * (n % 8) - 16)) < 25
    assert grey[100:].max() < 10
    assert all("/90p/" in name for name in store.asked)


@dataclass
class Cold:
    """Recordings of one test."""

    held: dict[str, bytes] = field(default_factory=dict)
    away: bool = False

    async def get(self, name: str) -> bytes | None:
        if self.away:
            raise RecordingsError("S3 is away")
        return self.held.get(checked_recording_name(name))

    async def put(self, name: str, data: bytes) -> None:
        if self.away:
            raise RecordingsError("S3 is away")
        self.held[checked_recording_name(name)] = data


def kept(*reels: Reel) -> VideoFold:
    fold = recorded(*reels)
    assert fold.video is not None
    fold.state(replace(fold.video, keep_days=-1))
    return fold


async def test_the_sheets_of_a_kept_video_stay_with_its_recording(store: Store, pool: PicturePool) -> None:
    cold = Cold()

    def pictures() -> Pictures:
        return Pictures(store, MemoryCache("test", 1 << 24, len), pool, lambda: cold)

    made = await pictures().sheet(kept(SOURCE, SMALL), 0, 2, 2)
    assert cold.held == {f"{VIDEO}/sprites/00000000-2.jpg": made}
    store.asked.clear()
    assert await pictures().sheet(kept(SOURCE, SMALL), 0, 2, 2) == made
    assert store.asked == []


@pytest.mark.parametrize("fold", ["live", "not kept"])
async def test_the_sheets_of_other_videos_do_not(store: Store, pool: PicturePool, fold: str) -> None:
    cold = Cold()
    of = folded(*SOURCE.events()) if fold == "live" else recorded(SOURCE)
    await Pictures(store, MemoryCache("test", 1 << 24, len), pool, lambda: cold).sheet(of, 0, 2, 2)
    assert cold.held == {}


async def test_sheets_are_made_while_the_recordings_are_away(store: Store, pool: PicturePool) -> None:
    cold = Cold(away=True)
    made = await Pictures(store, MemoryCache("test", 1 << 24, len), pool, lambda: cold).sheet(kept(SOURCE), 0, 2, 2)
    assert made.startswith(b"\xff\xd8\xff")


async def test_a_poster_is_the_first_picture_that_shows_something(
    pictures: Pictures, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = gops.picture

    def dark_at_first(clip: Clip, n: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
        image = picture(clip, n)
        return image if n >= 60 else np.full_like(image, 3)

    with monkeypatch.context() as patched:
        reel = Reel(clip=Clip(width=320, height=180, gops=4, gop_frames=30, part_frames=6, kbps=399))
        patched.setattr(gops, "picture", dark_at_first)
        store.held = dict(reel.stored)
    poster = await pictures.poster(recorded(reel), 640)
    assert shows(shown(poster.data), 60)
    assert poster.settled


async def never(*_: object) -> bool:
    return False


async def test_media_from_an_offset_on_begins_with_the_keyframe_before_it(pictures: Pictures) -> None:
    fold = recorded(SOURCE)
    moment = moment_at(fold, fold.renditions["source"], 1.5, exact=True)
    assert moment is not None
    pieces = [data async for data in mp4_from(pictures, Cut(fold, moment, 2.5), never)]
    container = av.open(io.BytesIO(b"".join(pieces)))
    assert isinstance(container, InputContainer)
    with container:
        frames = list(container.decode(video=0))
    assert len(frames) == 60
    assert shows(frames[0], 30)
    assert shows(frames[-1], 89)


async def test_media_of_a_live_video_comes_as_it_is_made(pictures: Pictures) -> None:
    live = folded(*SOURCE.events([0]), *SOURCE.parts(1, 2))
    waits: list[tuple[int, int | None]] = []

    async def wait(fold: VideoFold, name: str, wanted: tuple[int, int | None], timeout_s: float) -> bool:
        waits.append(wanted)
        segment, part = wanted
        assert part is not None
        parts = SOURCE.parts(segment)
        if part < len(parts):
            fold.part(parts[part])
        else:
            fold.closed(SOURCE.closed(segment))
        return True

    moment = moment_at(live, live.renditions["source"], 1.1, exact=True)
    assert moment is not None
    pieces = [data async for data in mp4_from(pictures, Cut(live, moment, 2.3), wait)]
    assert pieces[0] == SOURCE.init[1]
    assert pieces[1:] == [chunk.data for number in (1, 2) for chunk in SOURCE.chunks(number)][: 5 + 2]
    assert waits == [(1, 2), (1, 3), (1, 4), (1, 5), (2, 0), (2, 1)]


async def test_media_ends_where_the_publisher_stays_away(pictures: Pictures) -> None:
    live = folded(*SOURCE.events([0]), *SOURCE.parts(1, 2))
    moment = moment_at(live, live.renditions["source"], 0.2, exact=True)
    assert moment is not None
    pieces = [data async for data in mp4_from(pictures, Cut(live, moment, 30.0), never)]
    assert len(pieces) == 1 + 1 + 2


def test_renditions_are_ordered_by_how_well_they_fit() -> None:
    fold = recorded(SOURCE, SMALL)
    names = [[r.name for r in by_width(pictured(fold), width)] for width in (16, 160, 161, 4_000)]
    assert names == [["90p", "source"], ["90p", "source"], ["source", "90p"], ["source", "90p"]]
    assert span_of(pictured(fold)) == (0.0, 4.0)
