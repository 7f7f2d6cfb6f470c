"""The contract of the cold store, held by a directory and by a real S3 server alike."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from stores.recordings import (
    BadRecordingNameError,
    Recorded,
    Recordings,
    RecordingsError,
    open_recordings,
    recordings_problem,
    segment_name,
    shown_url,
)
from stores.segments import Removed, init_name
from stores.settings import Settings, SettingsError, load_settings

VIDEO = "0123456789abcdefghjk"
OTHER = "zzzzzzzzzzzzzzzzzzzz"


@pytest.fixture(params=["directory", "s3"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty store of either kind."""
    if request.param == "directory":
        return load_settings(data_dir=tmp_path, recordings_url=f"file://{tmp_path}/deep/er%20recordings")
    options = request.getfixturevalue("s3").options(f"tests/{secrets.token_hex(6)}")
    return load_settings(data_dir=tmp_path, **options)


@pytest.fixture
async def recordings(where: Settings) -> AsyncIterator[Recordings]:
    async with open_recordings(where) as recordings:
        yield recordings


async def test_what_is_put_can_be_got_by_every_process(where: Settings) -> None:
    name = segment_name(VIDEO, "480p", 7)
    async with open_recordings(where) as writer, open_recordings(where) as reader:
        await writer.put(name, b"segment")
        assert await reader.get(name) == b"segment"
        assert await reader.size(name) == 7


async def test_a_name_that_was_never_put_has_no_bytes(recordings: Recordings) -> None:
    name = segment_name(VIDEO, "480p", 7)
    assert await recordings.get(name) is None
    assert await recordings.get_range(name, 0, 1) is None
    assert await recordings.size(name) is None


async def test_putting_twice_is_the_same_as_once_and_the_last_bytes_count(recordings: Recordings) -> None:
    name = segment_name(VIDEO, "source", 0)
    for data in (b"broken by a crash", b"whole", b"whole"):
        await recordings.put(name, data)
    assert await recordings.get(name) == b"whole"
    assert await recordings.remove_video(VIDEO) == Removed(1, 5)


async def test_empty_and_large_segments_are_kept_exactly(recordings: Recordings) -> None:
    large = os.urandom(1 << 20) * 24
    await recordings.put(segment_name(VIDEO, "source", 0), b"")
    await recordings.put(segment_name(VIDEO, "source", 1), large)
    assert await recordings.get(segment_name(VIDEO, "source", 0)) == b""
    assert await recordings.get(segment_name(VIDEO, "source", 1)) == large


async def test_a_part_is_a_range_of_its_segment(recordings: Recordings) -> None:
    parts = [os.urandom(size) for size in (1, 70_000, 3)]
    name = segment_name(VIDEO, "source", 0)
    await recordings.put(name, b"".join(parts))
    at = 0
    for part in parts:
        assert await recordings.get_range(name, at, len(part)) == part
        at += len(part)


@pytest.mark.parametrize(("start", "length"), [(8, 3), (10, 1), (99, 1)])
async def test_a_range_past_the_end_is_an_error_not_fewer_bytes(
    recordings: Recordings, start: int, length: int
) -> None:
    name = segment_name(VIDEO, "source", 0)
    await recordings.put(name, b"0123456789")
    with pytest.raises(RecordingsError, match=f"cannot read bytes {start} to"):
        await recordings.get_range(name, start, length)


async def test_an_empty_range_is_a_callers_mistake(recordings: Recordings) -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        await recordings.get_range(segment_name(VIDEO, "source", 0), 0, 0)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        f"../{VIDEO}/480p/00000000.m4s",
        f"{VIDEO}/../{OTHER}/00000000.m4s",
        f"{VIDEO}/480p/../00000000.m4s",
        f"{VIDEO}/480p/00000000.m4s/..",
        f"{VIDEO}/480p/00000000.m4s\n",
        f"{VIDEO}/480p/00000000.m4s\0",
        f"{VIDEO}/480p/.hidden",
        f"{VIDEO}/480p/a%2f..mp4",
        f"{VIDEO}//00000000.m4s",
        f"{VIDEO.upper()}/480p/00000000.m4s",
        "x" * 5000,
    ],
)
async def test_a_name_that_no_recording_can_have_is_refused(recordings: Recordings, name: str) -> None:
    for call in (recordings.get(name), recordings.put(name, b""), recordings.get_range(name, 0, 1)):
        with pytest.raises(BadRecordingNameError, match="expected VIDEO/RENDITION/FILE"):
            await call


@pytest.mark.parametrize("video_id", ["", "..", ".", "/", f"{VIDEO}/480p"])
async def test_a_video_that_cannot_be_is_not_removed(recordings: Recordings, video_id: str) -> None:
    await recordings.put(segment_name(VIDEO, "480p", 0), b"1")
    with pytest.raises(BadRecordingNameError, match="video id"):
        await recordings.remove_video(video_id)
    assert await recordings.videos() == [VIDEO]


async def test_all_of_a_video_is_listed_with_its_sizes(recordings: Recordings) -> None:
    names = [segment_name(VIDEO, r, n) for r in ("source", "480p") for n in range(3)]
    names.append(init_name(VIDEO, "480p", b"init"))
    for name in [*names, segment_name(OTHER, "source", 0)]:
        await recordings.put(name, b"1234")
    found = [recorded async for recorded in recordings.of_video(VIDEO)]
    assert sorted(found, key=lambda r: r.name) == [Recorded(name, 4) for name in sorted(names)]
    assert await recordings.videos() == [VIDEO, OTHER]


async def test_an_object_can_be_removed_by_itself_as_often_as_one_likes(recordings: Recordings) -> None:
    names = [segment_name(VIDEO, "source", segment) for segment in (0, 1)]
    for name in names:
        await recordings.put(name, b"whole")
    for _ in range(2):
        await recordings.remove(names[0])
    assert [await recordings.get(name) for name in names] == [None, b"whole"]


async def test_removing_a_video_leaves_the_others_and_nothing_behind(recordings: Recordings) -> None:
    for video in (VIDEO, OTHER):
        for rendition in ("source", "480p"):
            await recordings.put(segment_name(video, rendition, 0), b"1234")
    assert await recordings.remove_video(VIDEO) == Removed(2, 8)
    assert await recordings.remove_video(VIDEO) == Removed(0, 0)
    assert await recordings.get(segment_name(VIDEO, "source", 0)) is None
    assert await recordings.get(segment_name(OTHER, "source", 0)) == b"1234"
    assert await recordings.videos() == [OTHER]
    await recordings.put(segment_name(VIDEO, "source", 1), b"back")
    assert await recordings.videos() == [VIDEO, OTHER]


async def test_a_video_of_more_objects_than_a_page_goes_whole(recordings: Recordings) -> None:
    count = 1_030
    async with asyncio.TaskGroup() as tasks:
        for n in range(count):
            tasks.create_task(recordings.put(segment_name(VIDEO, "240p", n), b"x"))
    assert await recordings.remove_video(VIDEO) == Removed(count, count)
    assert await recordings.videos() == []


async def test_who_removes_at_the_same_time_is_no_error(where: Settings) -> None:
    async with open_recordings(where) as one, open_recordings(where) as two:
        for n in range(40):
            await one.put(segment_name(VIDEO, "240p", n), b"x")
        await asyncio.gather(one.remove_video(VIDEO), two.remove_video(VIDEO))
        assert [found async for found in two.of_video(VIDEO)] == []


async def test_a_reader_never_sees_half_a_segment(where: Settings) -> None:
    name = segment_name(VIDEO, "source", 0)
    versions = [bytes([n]) * 300_000 for n in range(2)]
    async with open_recordings(where) as writer, open_recordings(where) as reader:
        await writer.put(name, versions[0])

        async def write() -> None:
            for n in range(30):
                await writer.put(name, versions[n % 2])

        writing = asyncio.create_task(write())
        seen = set()
        while not writing.done():
            seen.add(await reader.get(name))
        await writing
    assert seen <= set(versions)


class TestWhatIsWrongIsSaid:
    """In a sentence with the address and what to look at, without a key."""

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"recordings_url": "s3://no-such-bucket/x"}, "NoSuchBucket: The specified bucket does not exist."),
            ({"recordings_secret_key": "not-the-key"}, "SignatureDoesNotMatch"),
            ({"recordings_endpoint": "http://127.0.0.1:1"}, "127.0.0.1:1"),
        ],
    )
    async def test_by_every_call(
        self, request: pytest.FixtureRequest, tmp_path: Path, options: dict[str, str], said: str
    ) -> None:
        settings = load_settings(data_dir=tmp_path, **(request.getfixturevalue("s3").options("x") | options))
        name = segment_name(VIDEO, "source", 0)
        async with open_recordings(settings) as recordings:
            calls: tuple[Callable[[], object], ...] = (
                lambda: recordings.put(name, b""),
                lambda: recordings.get(name),
                lambda: recordings.remove_video(VIDEO),
            )
            for call in calls:
                with pytest.raises(RecordingsError, match="LOGCAST_RECORDINGS_URL") as caught:
                    await call()  # type: ignore[misc]
                assert said in str(caught.value)
                assert settings.recordings_secret_key.get_secret_value() not in str(caught.value)

    async def test_a_disk_that_is_nearly_full_which_keeps_room_for_the_log(self, tmp_path: Path) -> None:
        settings = load_settings(data_dir=tmp_path, recordings_reserve_mb=10**9)
        async with open_recordings(settings) as recordings:
            with pytest.raises(RecordingsError, match=r"left on the disk .LOGCAST_RECORDINGS_RESERVE_MB."):
                await recordings.put(segment_name(VIDEO, "source", 0), b"x")
            assert await recordings.videos() == []

    def test_before_anything_is_recorded(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        good = request.getfixturevalue("s3").options("x")
        assert recordings_problem(load_settings(data_dir=tmp_path)) == ""
        assert list(tmp_path.iterdir()) == []
        assert recordings_problem(load_settings(data_dir=tmp_path, **good)) == ""
        bad = good | {"recordings_url": "s3://no-such-bucket/x"}
        assert "NoSuchBucket" in recordings_problem(load_settings(data_dir=tmp_path, **bad))
        (tmp_path / "file").write_bytes(b"")
        nowhere = load_settings(recordings_url=f"file://{tmp_path}/file/recordings")
        assert "is no directory" in recordings_problem(nowhere)

    async def test_a_directory_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(RecordingsError, match="cannot use the recordings at file://"):
            async with open_recordings(load_settings(recordings_url=f"file://{tmp_path}/file/recordings")):
                pass

    @pytest.mark.parametrize("url", ["ftp://host/x", "recordings", "s3://key:secret@bucket/x", "s3://", "file://dir"])
    def test_a_url_of_another_kind_is_refused(self, url: str) -> None:
        with pytest.raises(SettingsError, match=r"recordings_url: .*expected file:///DIR, s3://BUCKET/PREFIX"):
            load_settings(recordings_url=url)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, "LocalStore"),
        ({"recordings_url": "s3://bucket/a/b"}, 'S3Store(bucket="bucket", prefix="a/b")'),
        ({"recordings_url": "gs://bucket/a"}, 'GCSStore(bucket="bucket", prefix="a")'),
        (
            {
                "recordings_url": "az://container/a",
                "recordings_access_key": "account",
                "recordings_secret_key": "a2V5",
            },
            'AzureStore(container_name="container", account_name="account", prefix="a")',
        ),
    ],
)
async def test_the_url_chooses_the_store(tmp_path: Path, options: dict[str, str], kind: str) -> None:
    async with open_recordings(load_settings(data_dir=tmp_path, **options)) as recordings:
        assert repr(recordings._store).startswith(kind)


def test_recordings_are_in_the_data_directory_unless_told_otherwise(tmp_path: Path) -> None:
    assert shown_url(load_settings(data_dir=tmp_path)) == f"file://{tmp_path}/recordings"
