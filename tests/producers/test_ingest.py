"""Real publishers, a real Kafka: what was sent is on the log, and nobody disturbs anybody."""

import asyncio
import itertools
import signal
import sys
from collections.abc import Callable

import pytest

from schemas.events import Track, VideoState, Visibility
from stores.accounts import Accounts
from stores.settings import Settings
from tests.producers.conftest import Clip, contiguous, decoded_frames, ingest_of, log_of, push
from tests.rtmp_client import avc_config, open_publisher
from tests.waiting import eventually

pytestmark = pytest.mark.integration

MakeClip = Callable[..., Clip]


async def test_every_frame_of_a_push_is_on_the_log_and_decodes(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    clip = make_clip(3)
    async with log_of(ingest_settings) as seen:
        code, said = await (await push(clip, ingest + keys["one"])).ended()
        assert code == 0, said
        await eventually(lambda: seen.videos("one") and seen.videos("one")[-1].state is VideoState.INTERRUPTED)
        await eventually(lambda: sum(c.frames for c in seen.chunks("one")) == clip.video_frames)
        await eventually(lambda: len(seen.closed("one")) == len(seen.opened("one")))
        audio_chunks = sum(closed.audio_chunks for closed in seen.closed("one"))
        await eventually(lambda: len(seen.chunks("one", Track.AUDIO)) == audio_chunks)
        video, audio = seen.chunks("one"), seen.chunks("one", Track.AUDIO)
        assert sum(closed.video_chunks for closed in seen.closed("one")) == len(video)
        assert decoded_frames(video) == sum(c.frames for c in video) == clip.video_frames
        # The frame with which AAC encoders prime stands before the first picture and is left out.
        assert clip.audio_frames - 1 <= sum(c.frames for c in audio) <= clip.audio_frames
        assert contiguous(video)
        assert contiguous(audio)
        assert [o.gop for o in seen.opened("one")] == list(range(len(seen.closed("one"))))
        first, last = seen.videos("one")[0], seen.videos("one")[-1]
        assert (first.state, first.audio, first.video, first.part_target_ms) == (VideoState.LIVE, True, True, 200)
        assert last.video_id == first.video_id


async def test_how_a_stream_arrives_is_measured_and_why_it_ended_is_said(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    clip = make_clip(3)
    async with log_of(ingest_settings) as seen:
        assert (await (await push(clip, ingest + keys["one"])).ended())[0] == 0
        (last,) = await eventually(lambda: [m for m in seen.measured("one") if m.left], 60)
        measured = seen.measured("one")
        assert sum(m.video_frames for m in measured) == clip.video_frames
        assert (last.width, last.height, last.video_codecs[:4], last.audio_codecs) == (320, 180, "avc1", "mp4a.40.2")
        assert {(m.video_id, m.connected_ms) for m in measured} == {(last.video_id, last.connected_ms)}
        assert last.encoder.startswith("Lavf")
        assert "cut" not in last.problem, "ffmpeg says goodbye"
        async with await open_publisher(
            "127.0.0.1", ingest_settings.rtmp_port, app="live", stream_key=keys["two"]
        ) as other:
            await other.status()
            async with await open_publisher(
                "127.0.0.1", ingest_settings.rtmp_port, app="live", stream_key=keys["two"]
            ) as second:
                assert await second.status() == "NetStream.Publish.BadName"
            await eventually(lambda: any("second encoder" in m.problem for m in seen.measured("two")), 60)
        (gone,) = await eventually(lambda: [m for m in seen.measured("two") if m.left], 60)
        assert "the connection was cut" in gone.problem


async def test_a_video_takes_what_its_channel_chose_else_what_the_settings_say(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    async with Accounts.open(ingest_settings) as accounts:
        await accounts.set_channel("two", keep_days=30, visibility=Visibility.UNLISTED)
    async with log_of(ingest_settings) as seen:
        for name in ("one", "two"):
            assert (await (await push(make_clip(2), ingest + keys[name])).ended())[0] == 0
        one = await eventually(lambda: seen.videos("one"))
        two = await eventually(lambda: seen.videos("two"))
    assert {(v.keep_days, v.visibility) for v in one} == {(ingest_settings.keep_days_default, Visibility.PUBLIC)}
    assert {(v.keep_days, v.visibility) for v in two} == {(30, Visibility.UNLISTED)}


async def test_a_wrong_key_is_refused_with_a_status_and_disturbs_nobody(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    clip = make_clip(3)
    async with log_of(ingest_settings) as seen:
        good = await push(clip, ingest + keys["one"])
        async with await open_publisher(
            "127.0.0.1", ingest_settings.rtmp_port, app="live", stream_key="lc_wrong"
        ) as bad:
            assert await bad.status() == "NetStream.Publish.BadName"
            await bad.closed()
        code, said = await good.ended()
        assert code == 0, said
        await eventually(lambda: sum(c.frames for c in seen.chunks("one")) == clip.video_frames)


async def test_a_second_publisher_on_the_same_key_is_refused_while_the_first_goes_on(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    clip = make_clip(3)
    async with log_of(ingest_settings) as seen:
        first = await push(clip, ingest + keys["one"])
        await eventually(lambda: seen.chunks("one"))
        port = ingest_settings.rtmp_port
        async with await open_publisher("127.0.0.1", port, app="live", stream_key=keys["one"]) as second:
            assert await second.status() == "NetStream.Publish.BadName"
        assert (await first.ended())[0] == 0
        await eventually(lambda: sum(c.frames for c in seen.chunks("one")) == clip.video_frames)
        assert {c.epoch for c in seen.chunks("one")} == {0}


async def test_garbage_ends_its_own_connection_only(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    clip = make_clip(3)
    async with log_of(ingest_settings) as seen:
        good = await push(clip, ingest + keys["two"])
        for garbage in (b"GET / HTTP/1.1\r\n\r\n" * 200, bytes(range(256)) * 40, b"\x03" + b"\xff" * 8000):
            reader, writer = await asyncio.open_connection("127.0.0.1", ingest_settings.rtmp_port)
            writer.write(garbage)
            await asyncio.wait_for(reader.read(), 60)  # ends when the server closes
            writer.close()
        assert (await good.ended())[0] == 0
        await eventually(lambda: sum(c.frames for c in seen.chunks("two")) == clip.video_frames)


async def test_another_codec_is_refused_with_a_status(
    ingest: str, ingest_settings: Settings, keys: dict[str, str]
) -> None:
    port = ingest_settings.rtmp_port
    async with await open_publisher("127.0.0.1", port, app="live", stream_key=keys["one"]) as publisher:
        assert await publisher.status() == "NetStream.Publish.Start"
        await publisher.send(publisher.client.video(0, b"\x12\x00\x00\x00\x00old"))
        assert await publisher.status() == "NetStream.Publish.Rejected"
        await publisher.closed()


async def test_broken_parameter_sets_are_refused_with_a_status(
    ingest: str, ingest_settings: Settings, keys: dict[str, str]
) -> None:
    port = ingest_settings.rtmp_port
    async with await open_publisher("127.0.0.1", port, app="live", stream_key=keys["one"]) as publisher:
        assert await publisher.status() == "NetStream.Publish.Start"
        await publisher.send(publisher.client.video(0, avc_config(b"\x01\x42")))
        assert await publisher.status() == "NetStream.Publish.Rejected"


@pytest.mark.parametrize("track", ["video", "audio"])
async def test_a_stream_of_one_track_only_is_taken(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip, track: str
) -> None:
    clip = make_clip(3, video=track == "video", audio=track == "audio")
    async with log_of(ingest_settings) as seen:
        assert (await (await push(clip, ingest + keys["one"])).ended())[0] == 0
        wanted = clip.video_frames or clip.audio_frames
        await eventually(lambda: sum(c.frames for c in seen.chunks("one", Track(track))) == wanted)
        state = (await eventually(lambda: seen.videos("one")))[0]
        assert (state.video, state.audio) == (track == "video", track == "audio")


async def test_b_frames_and_long_gops_keep_every_frame(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    clip = make_clip(25, "-bf", "2", "-g", "750", "-sc_threshold", "0")
    async with log_of(ingest_settings) as seen:
        pushing = await push(clip, ingest + keys["one"], "-readrate", "8")
        assert (await pushing.ended())[0] == 0
        await eventually(lambda: sum(c.frames for c in seen.chunks("one")) == clip.video_frames)
        video = seen.chunks("one")
        assert decoded_frames(video) == clip.video_frames
        assert {c.gop for c in video} == {0}
        assert {c.segment for c in video} == {0, 1, 2}
        await eventually(lambda: {o.segment for o in seen.opened("one")} == {0, 1, 2})


async def test_a_publisher_that_returns_goes_on_with_the_same_video(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    clip = make_clip(3)
    async with log_of(ingest_settings) as seen:
        for _ in range(2):
            assert (await (await push(clip, ingest + keys["one"])).ended())[0] == 0
        await eventually(lambda: sum(c.frames for c in seen.chunks("one")) == 2 * clip.video_frames)
        video = seen.chunks("one")
        assert len({c.video_id for c in video}) == 1
        assert {c.epoch for c in video} == {0, 1}
        assert sorted({c.segment for c in video}) == list(range(len({c.segment for c in video})))
        assert all(a.captured_ms <= b.captured_ms for a, b in itertools.pairwise(video))


RUN = "import asyncio; from stores.settings import load_settings; from producers.ingest import run_ingest; asyncio.run(run_ingest(load_settings(), asyncio.Event()))"


async def test_an_ingest_that_was_killed_goes_on_with_the_next_numbers(
    ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    clip = make_clip(3)
    environment = {
        f"LOGCAST_{k.upper()}": str(v) for k, v in ingest_settings.model_dump(mode="json").items() if v is not None
    }
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, env=environment)
    try:
        async with log_of(ingest_settings) as seen:
            await eventually(lambda: _connects(ingest_settings.rtmp_port), what="the ingest's port")
            first = await push(clip, f"rtmp://127.0.0.1:{ingest_settings.rtmp_port}/live/{keys['one']}")
            await eventually(lambda: len({c.gop for c in seen.chunks("one")}) >= 2, what="two GOPs")
            killed.send_signal(signal.SIGKILL)
            await first.ended()
            await killed.wait()
            before = len(seen.chunks("one"))
            async with ingest_of(ingest_settings) as again:
                assert (await (await push(clip, again + keys["one"])).ended())[0] == 0
                await eventually(lambda: seen.videos("one")[-1].state is VideoState.INTERRUPTED)
            video = seen.chunks("one")
            assert len({c.video_id for c in video}) == 1
            assert len({(c.gop, c.index) for c in video}) == len(video) > before
            assert sorted({c.gop for c in video}) == list(range(len({c.gop for c in video})))
            assert any(c.video_chunks == -1 for c in seen.closed("one")), "the open GOP was closed for the dead ingest"
    finally:
        if killed.returncode is None:
            killed.kill()
            await killed.wait()


async def test_the_gop_that_a_killed_ingest_left_open_is_closed_when_its_video_ends_without_a_publisher(
    ingest_settings: Settings, keys: dict[str, str], make_clip: MakeClip
) -> None:
    settings = ingest_settings.model_copy(update={"grace_s": 1, "segment_max_ms": 2_000})
    environment = {f"LOGCAST_{k.upper()}": str(v) for k, v in settings.model_dump(mode="json").items() if v is not None}
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, env=environment)
    try:
        async with log_of(settings) as seen:
            await eventually(lambda: _connects(settings.rtmp_port), what="the ingest's port")
            pushing = await push(make_clip(3), f"rtmp://127.0.0.1:{settings.rtmp_port}/live/{keys['one']}")
            await eventually(lambda: seen.opened("one"), what="a GOP")
            killed.send_signal(signal.SIGKILL)
            await pushing.ended()
            await killed.wait()
            async with ingest_of(settings):
                await eventually(lambda: seen.videos("one")[-1].state is VideoState.ENDED, 60, "the video's end")
                last = max(opened.gop for opened in seen.opened("one"))
                await eventually(lambda: last in {c.gop for c in seen.closed("one")}, what="the marker of its last GOP")
    finally:
        if killed.returncode is None:
            killed.kill()
            await killed.wait()


def _connects(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
