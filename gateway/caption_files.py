"""The caption files that owners gave, for a gateway: what the log said lately, and before that what Cassandra keeps."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.cassandra_link import CassandraLink
from gateway.memory_cache import MemoryCache
from media.captions.cues import Cue
from media.captions.uploads import UploadError, read_upload
from schemas.events import CaptionsUploaded, Event
from stores.captions import CaptionFile, CaptionStore, file_of
from stores.cassandra import CassandraError
from stores.log_reader import Place

log = logging.getLogger(__name__)

HEARD_MS: Final = 3_600_000
"""Uploads of the last hour are heard from the log; earlier ones are in Cassandra by then."""

LIST_MS: Final = 30_000
"""What Cassandra said of a video's files is asked again after so long."""


@dataclass(frozen=True, slots=True)
class CaptionText:
    """A file's text and its cues in order."""

    text: str
    cues: tuple[Cue, ...]

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        return 3 * len(self.text) + 200 * len(self.cues)


class CaptionFiles:
    """Files by video and language. Cassandra may be away: then there is what the log said."""

    def __init__(self, link: CassandraLink, clock: Callable[[], int], max_bytes: int) -> None:
        self._link = link
        self._clock = clock
        self._max_bytes = max_bytes
        self._heard: OrderedDict[tuple[str, str], CaptionsUploaded] = OrderedDict()
        self._heard_bytes = 0
        self._lists = MemoryCache[tuple[CaptionFile, ...]]("caption_lists", max_bytes, lambda files: 200 * len(files))
        self._texts = MemoryCache[CaptionText]("caption_texts", max_bytes, lambda text: text.size_bytes)

    def uploaded(self, event: Event, _place: Place | None = None) -> None:
        """Hear of an upload; the newest of a video and language counts."""
        if not isinstance(event, CaptionsUploaded):
            return
        key = event.video_id, event.language
        known = self._heard.get(key)
        if known is not None and known.uploaded_ms > event.uploaded_ms:
            return
        self._drop(key)
        self._heard[key] = event
        self._heard_bytes += _size(event)
        while self._heard_bytes > self._max_bytes and len(self._heard) > 1:
            self._drop(next(iter(self._heard)))

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        for key in [key for key in self._heard if key[0] == video_id]:
            self._drop(key)

    async def of_video(self, video_id: str) -> tuple[CaptionFile, ...]:
        """The files of a video, by language."""
        files = {file.language: file for file in await self._stored(video_id)}
        for (video, language), event in self._heard.items():
            if video == video_id and (language not in files or files[language].uploaded_ms <= event.uploaded_ms):
                files[language] = file_of(event)
        return tuple(files[language] for language in sorted(files) if files[language].size_bytes)

    async def text(self, file: CaptionFile) -> CaptionText | None:
        """The text of a file; None where it cannot be had now."""
        key = file.video_id, file.language, file.uploaded_ms
        return await self._texts.get(key, lambda: self._read(file))

    async def _stored(self, video_id: str) -> tuple[CaptionFile, ...]:
        async def ask() -> tuple[CaptionFile, ...] | None:
            session = self._link.session
            return None if session is None else tuple(await CaptionStore(session).files(video_id))

        try:
            return await self._lists.get((video_id, self._clock() // LIST_MS), ask) or ()
        except CassandraError as error:
            log.warning("caption files of %s are left out: %s", video_id, error)
            return ()

    async def _read(self, file: CaptionFile) -> CaptionText | None:
        heard = self._heard.get((file.video_id, file.language))
        if heard is not None and heard.uploaded_ms == file.uploaded_ms:
            return _parsed(heard.text)
        session = self._link.session
        if session is None:
            return None
        try:
            text = await CaptionStore(session).text(file.video_id, file.language)
        except CassandraError as error:
            log.warning("captions %s of %s cannot be read: %s", file.language, file.video_id, error)
            return None
        return _parsed(text) if text else None

    def _drop(self, key: tuple[str, str]) -> None:
        gone = self._heard.pop(key, None)
        self._heard_bytes -= _size(gone) if gone is not None else 0


def _parsed(text: str) -> CaptionText | None:
    """A text as it was stored; one that is none (another version wrote it) is left out."""
    try:
        return CaptionText(text, read_upload(text.encode()))
    except UploadError as error:
        log.warning("a stored caption file cannot be read: %s", error)
        return None


def _size(event: CaptionsUploaded) -> int:
    return 400 + 2 * len(event.text)
