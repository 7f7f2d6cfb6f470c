"""The cold store: whole segments of the videos that are kept, as objects in a directory, S3, GCS or Azure.

A name is `VIDEO/RENDITION/FILE`: `00000007.m4s` is the parts of a segment joined, `init-HASH.mp4` its initialization.
The same name always holds the same bytes, so writing twice is harmless and what was read may be kept for ever.

The client library's blocking calls run in threads of our own: they bound how much is under way at once, and its asyncio
calls abort the interpreter now and then when a process ends right after one (docs/adr/0008).

Errors:
    RecordingsError: the store cannot do it now; the message says what to do. Trying again later may succeed.
    BadRecordingNameError: a name that is not of the form above; a caller's mistake or a stranger's attempt.
"""

import asyncio
import errno
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store

from schemas.ids import VIDEO_ID
from stores.segments import Removed
from stores.settings import Settings

MAX_CALLS: Final = 8
"""Calls under way at once, of one process."""

TIMEOUT: Final = timedelta(seconds=30)
RETRY: Final[Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
LIST_PAGE: Final = 1_000
MAX_SENTENCE: Final = 300

_RENDITION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FILE = re.compile(r"[a-z0-9][a-z0-9-]{0,47}(\.[a-z0-9]{1,8}){1,2}")
_SERVER_SAYS = re.compile(r"<Code>(\w{1,60})</Code>.{0,200}?<Message>([^<]{1,300})</Message>", re.DOTALL)

R = TypeVar("R")


class RecordingsError(RuntimeError):
    """The cold store cannot do what was asked now."""


class BadRecordingNameError(ValueError):
    """A name that no recording can have."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An object of the store."""

    name: str
    size_bytes: int


def segment_name(video_id: str, rendition: str, segment: int) -> str:
    """The name of a whole segment, such as `VIDEO/480p/00000007.m4s`."""
    return f"{video_id}/{rendition}/{segment:08d}.m4s"


def checked_recording_name(name: str) -> str:
    """`name`, when it is one that a recording can have.

    Raises:
        BadRecordingNameError: it is not.
    """
    video, _, rest = name.partition("/")
    rendition, _, file = rest.partition("/")
    if VIDEO_ID.fullmatch(video) and _RENDITION.fullmatch(rendition) and _FILE.fullmatch(file):
        return name
    raise BadRecordingNameError(f"expected VIDEO/RENDITION/FILE, found {name[:120]!r}")


def object_store(settings: Settings, url: str) -> ObjectStore:
    """Another store at a URL of the same form, with the keys of the cold store; nothing is asked of it yet. Blocking.

    Raises:
        RecordingsError: URL and settings do not make a store.
    """
    return _store(settings.model_copy(update={"recordings_url": url}))


@asynccontextmanager
async def open_recordings(settings: Settings) -> AsyncIterator["Recordings"]:
    """The cold store of `settings.recordings_url`; nothing is asked of it yet.

    Raises:
        RecordingsError: the settings do not make a store; the message names what is wrong.
    """
    store = await asyncio.to_thread(_store, settings)
    recordings = Recordings(store, shown_url(settings), settings.recordings_reserve_mb * 1_000_000)
    try:
        yield recordings
    finally:
        recordings.close()


def shown_url(settings: Settings) -> str:
    """Where recordings are, for people; no key is in it."""
    return settings.recordings_url or f"file://{(settings.data_dir / 'recordings').resolve()}"


def recordings_problem(settings: Settings) -> str:
    """Why the cold store cannot be used now and what to do, in one sentence; empty when it can. Blocks some seconds.

    A directory that is not there yet is not made.
    """
    url = shown_url(settings)
    directory = _directory_of(url)
    if directory is not None:
        there = next(path for path in (directory, *directory.parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            return f"cannot write recordings to {url}: {there} is no directory that this user may write to"
        return ""
    try:
        obstore.list_with_delimiter(_store(settings))
    except (BaseError, OSError, ValueError) as error:
        return f"cannot list {url}: {_said(error)}"
    except RecordingsError as error:
        return str(error)
    return ""


class Recordings:
    """Objects by name. Safe to share among tasks of one loop.

    Attributes:
        url: where they are, for messages.
    """

    def __init__(self, store: ObjectStore, url: str, reserve_bytes: int = 0) -> None:
        self.url: Final = url
        self._store = store
        self._reserve_bytes = reserve_bytes
        self._directory = _directory_of(url)
        self._threads = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="recordings")

    def close(self) -> None:
        """Take no more calls; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def put(self, name: str, data: bytes) -> None:
        """Store `data` whole or not at all; what was there under the name is replaced.

        Raises:
            BadRecordingNameError, RecordingsError.
        """
        checked_recording_name(name)
        await self._call(f"write {name}", lambda: self._put(name, data))

    def _put(self, name: str, data: bytes) -> None:
        """Kafka and Cassandra may be on the same disk: recordings leave them room."""
        if self._directory is not None and shutil.disk_usage(self._directory).free < self._reserve_bytes + len(data):
            raise OSError(
                errno.ENOSPC,
                f"less than {self._reserve_bytes // 1_000_000} MB are left on the disk (LOGCAST_RECORDINGS_RESERVE_MB); free "
                "some, keep recordings for fewer days, or move them",
            )
        obstore.put(self._store, name, data, use_multipart=False)

    async def get(self, name: str) -> bytes | None:
        """The bytes of `name`, None where there are none.

        Raises:
            BadRecordingNameError, RecordingsError.
        """
        checked_recording_name(name)
        return await self._find(f"read {name}", lambda: bytes(obstore.get(self._store, name).bytes()))

    async def get_range(self, name: str, start: int, length: int) -> bytes | None:
        """Exactly `length` bytes of `name` from `start` on, None where there is no such object.

        Raises:
            BadRecordingNameError.
            RecordingsError: also when the object ends before the range does.
        """
        checked_recording_name(name)
        if start < 0 or length < 1:
            raise ValueError(f"expected a range of at least one byte from 0 on, found {length} from {start}")
        what = f"read bytes {start} to {start + length - 1} of {name}"
        data = await self._find(what, lambda: bytes(obstore.get_range(self._store, name, start=start, length=length)))
        if data is not None and len(data) != length:
            raise RecordingsError(f"cannot {what}: the object ends at {start + len(data)}")
        return data

    async def size(self, name: str) -> int | None:
        """How many bytes `name` has, None where there is no such object; reads no content.

        Raises:
            BadRecordingNameError, RecordingsError.
        """
        checked_recording_name(name)
        return await self._find(f"look up {name}", lambda: obstore.head(self._store, name)["size"])

    async def remove(self, name: str) -> None:
        """Remove one object; one that is not there is no error.

        Raises:
            BadRecordingNameError, RecordingsError.
        """
        checked_recording_name(name)
        await self._find(f"remove {name}", partial(obstore.delete, self._store, name))

    async def of_video(self, video_id: str) -> AsyncIterator[Recorded]:
        """Every object of a video, page by page, in no promised order.

        Raises:
            BadRecordingNameError, RecordingsError.
        """
        prefix = _checked_video(video_id) + "/"
        pages = obstore.list(self._store, prefix=prefix, chunk_size=LIST_PAGE)
        while page := await self._call(f"list {video_id}", lambda: next(pages, None)):
            for found in page:
                yield Recorded(found["path"], found["size"])

    async def videos(self) -> list[str]:
        """The ids of all videos that have an object, sorted: oldest first.

        Raises:
            RecordingsError.
        """
        found = await self._call("list the videos", lambda: obstore.list_with_delimiter(self._store))
        names = (prefix.rstrip("/") for prefix in found["common_prefixes"])
        return sorted(name for name in names if VIDEO_ID.fullmatch(name))

    async def remove_video(self, video_id: str) -> Removed:
        """Remove every object of a video; one that is not there is no error.

        Raises:
            BadRecordingNameError.
            RecordingsError: some may be gone; calling again removes the rest.
        """
        removed = Removed()
        while page := await self._page(video_id):
            names = [found.name for found in page]
            # What is gone already is no error: another process removes the same video. What is left is listed again.
            await self._find(f"remove {len(names)} objects", partial(obstore.delete, self._store, names))
            removed += Removed(len(page), sum(found.size_bytes for found in page))
        return removed

    async def _page(self, video_id: str) -> list[Recorded]:
        """The first objects of a video."""
        page: list[Recorded] = []
        async for found in self.of_video(video_id):
            page.append(found)
            if len(page) == LIST_PAGE:
                break
        return page

    async def _find(self, what: str, call: Callable[[], R]) -> R | None:
        """The call's value; None when there is no such object, which a missing bucket is not."""
        try:
            return await self._run(call)
        except (BaseError, OSError, ValueError) as error:
            absent = isinstance(error, FileNotFoundError) or "NoSuchKey" in str(error)
            if absent and "NoSuchBucket" not in str(error):
                return None
            raise self._explained(what, error) from error

    async def _call(self, what: str, call: Callable[[], R]) -> R:
        try:
            return await self._run(call)
        except (BaseError, OSError, ValueError) as error:
            raise self._explained(what, error) from error

    async def _run(self, call: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _explained(self, what: str, error: Exception) -> RecordingsError:
        return RecordingsError(
            f"cannot {what} in {self.url}: {_said(error)}; is LOGCAST_RECORDINGS_URL right, is it up, is there room, and do the "
            "keys allow it?"
        )


def _checked_video(video_id: str) -> str:
    if not VIDEO_ID.fullmatch(video_id):
        raise BadRecordingNameError(f"expected a video id, found {video_id[:40]!r}")
    return video_id


def _said(error: Exception) -> str:
    """What the client library or the server behind it says, without the library's own traces."""
    text = str(error)
    if found := _SERVER_SAYS.search(text):
        return ": ".join(found.groups())
    return text.partition("\n\nDebug source")[0].strip()[:MAX_SENTENCE]


def _store(settings: Settings) -> ObjectStore:
    """The client of the store that the settings name."""
    try:
        return _client(settings)
    except (BaseError, OSError, ValueError) as error:
        raise RecordingsError(f"cannot use the recordings at {shown_url(settings)}: {_said(error)}") from error


def _directory_of(url: str) -> Path | None:
    """The directory of a file:// URL, None of others."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _client(settings: Settings) -> ObjectStore:
    url = urlsplit(shown_url(settings))
    directory = _directory_of(shown_url(settings))
    if directory is not None:
        return LocalStore(directory, mkdir=True, automatic_cleanup=True)
    access, secret = settings.recordings_access_key, settings.recordings_secret_key.get_secret_value()
    endpoint = settings.recordings_endpoint
    options: Any = {"allow_http": endpoint.startswith("http://"), "timeout": TIMEOUT}
    common: dict[str, Any] = {"prefix": url.path.strip("/") or None, "client_options": options, "retry_config": RETRY}
    if url.scheme == "gs":
        return GCSStore(url.netloc, **common)
    if url.scheme == "az":
        azure: Any = _given(endpoint=endpoint, account_name=access, account_key=secret)
        return AzureStore(url.netloc, config=azure, **common)
    virtual = None if settings.recordings_path_style else "true"
    s3: Any = _given(
        endpoint=endpoint,
        region=settings.recordings_region,
        access_key_id=access,
        secret_access_key=secret,
        virtual_hosted_style_request=virtual,
    )
    return S3Store(url.netloc, config=s3, **common)


def _given(**options: str | None) -> dict[str, str]:
    """The options that are set; the usual environment variables tell the others."""
    return {name: value for name, value in options.items() if value}
