"""Text renditions over HTTP: their playlists and segments, and the files that owners give."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope, Send

from gateway.answers import Request, send_bytes
from gateway.api import HEADERS, answer, bytes_of
from gateway.broadcasts import TooManyParkedError, Wanted
from gateway.captions import TextTrack, captions_of, reference_of
from gateway.captions_fold import span_ms
from gateway.directives import check_lead, parse_directives
from gateway.identity import OPERATOR, Identities
from gateway.media_access import media_access
from gateway.media_routes import HINT_LEAD_PARTS, PLAYLIST_TYPE, WAIT_TARGETS, Media
from gateway.playlists import target_s
from gateway.problems import Problem, not_found
from gateway.rendition_fold import RenditionFold
from gateway.state import GatewayState
from gateway.texts import Body, send_text
from gateway.video_fold import VideoFold
from media.captions.cues import Cue
from media.captions.playlist import text_playlist
from media.captions.uploads import MAX_BYTES, UploadError, read_upload
from media.captions.webvtt import document, segment_text
from media.captions.wvtt import text_segment
from media.cmaf_init import text_init
from schemas.events import CaptionKind, CaptionsUploaded, VideoChanged
from schemas.topics import VIDEOS_CAPTIONS
from stores.kafka import EventProducer, LogError

VTT_TYPE: Final = b"text/vtt; charset=utf-8"
MP4_TYPE: Final = b"application/mp4"
FOUND_AGE_S: Final = 600
FILE_AGE_S: Final = 10
"""An owner may give a better file at any time."""

MAX_FILES: Final = 40
MAX_TEXT_BYTES: Final = 900 * 1024
"""Of a file made plain; a record of the log has at most 1 MiB."""

MAX_LABEL: Final = 80
BODY_TIMEOUT_S: Final = 30.0
WRITE_TIMEOUT_S: Final = 10.0

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,4}")
_FILE = re.compile(r"(?P<segment>[0-9]{8,12})(?:\.(?P<part>[0-9]{4,6}))?")
_NUMBER = re.compile(r"[0-9]{8,12}")

Piece = tuple[int, list[Cue]]
"""Where a segment or part starts in media time, in ms, and its cues."""


def install(state: GatewayState) -> list[BaseRoute]:
    """The routes of text, and the folds behind them."""
    texts, files = TextRoutes(state), FileRoutes(state)
    below, captions = "/v1/videos/{video}/text/{track}", "/v1/videos/{video}/captions"
    return [
        Route(below + "/{segment}.vtt", Media(texts.segment)),
        Route(below + "/{segment}.m4s", Media(texts.cmaf)),
        Route(below + "/init.mp4", Media(texts.init)),
        Route(below + "/media.m3u8", Media(texts.playlist)),
        Route(captions, files.listed, methods=["GET"]),
        Route(captions + "/{language}.vtt", Media(texts.file)),
        Route(captions + "/{language}", files.put, methods=["PUT"]),
        Route(captions + "/{language}", files.delete, methods=["DELETE"]),
    ]


class TextRoutes:
    """Answers for the text of videos, live and recorded."""

    def __init__(self, state: GatewayState) -> None:
        self._media = media_access(state)
        self._captions = captions_of(state)
        self._playlists: WeakKeyDictionary[Body, Body] = WeakKeyDictionary()

    async def playlist(self, scope: Scope, request: Request, send: Send) -> None:
        """A track's playlist, at once or as soon as it holds what the delivery directives ask for."""
        asked = parse_directives(scope["query_string"])
        fold, _ = await self._find(scope, follow=not asked.vod)
        reference = reference_of(fold)
        if reference is None or fold.video is None:
            raise _no_text(scope)
        ended = fold.has_ended(reference)
        if asked.msn is not None and not ended:
            check_lead(asked, reference.following, target_s(fold.video), fold.video.part_target_ms)
            await self._reach(fold, reference, asked.msn, asked.part)
        vod = ended and (asked.vod or self._media.catalogue.lingering(fold.video_id) is None)
        shown, query = (fold, "") if asked.vod else await self._media.catalogue.further_back(fold, asked.dvr_s)
        of = shown.renditions.get(reference.name, reference)
        body = self._media.playlists.media(shown, of, skip=asked.skip, vod=vod, query=query, start_s=asked.start_s)
        await send_text(send, request, self._as_text(body, query), PLAYLIST_TYPE, 60 if ended else 1)

    async def segment(self, scope: Scope, request: Request, send: Send) -> None:
        """A text segment; or a part of one, waited for when it is the hinted one."""
        file = scope["path_params"]["segment"]
        found = _FILE.fullmatch(file)
        if found is None:
            raise _no_text(scope)
        number, part = int(found["segment"]), None if found["part"] is None else int(found["part"])
        if file != f"{number:08d}" + ("" if part is None else f".{part:04d}"):
            raise _no_text(scope)
        piece, age_s = await (self._whole(scope, number) if part is None else self._part(scope, number, part))
        if piece is None:
            raise _no_text(scope)
        start_ms, cues = piece
        await send_text(send, request, Body(segment_text(cues, start_ms).encode()), VTT_TYPE, age_s)

    async def _whole(self, scope: Scope, number: int) -> tuple[Piece | None, int]:
        """A segment, and how long it may be kept."""
        dvr_s = parse_directives(scope["query_string"]).dvr_s
        piece, age_s = None, FILE_AGE_S
        for follow in (True, False):  # the window of a video that ended just now, then the whole video
            fold, track = await self._find(scope, follow=follow)
            fold, _ = await self._media.catalogue.further_back(fold, dvr_s)
            age_s = FOUND_AGE_S if track.file is None else FILE_AGE_S
            piece = piece or await self._captions.cues(fold, track, number)
        return piece, age_s

    async def _part(self, scope: Scope, number: int, part: int) -> tuple[Piece | None, int]:
        """A part, and how long it may be kept.

        One past a segment's last is the next segment's first, under the name that it was hinted by.
        """
        fold, track = await self._find(scope, follow=True)
        reference = reference_of(fold)
        age_s = FOUND_AGE_S if track.file is None else FILE_AGE_S
        if reference is None:
            return None, age_s
        piece = await self._awaited(fold, reference, track, (number, part))
        segment = reference.segment(number)
        if piece is None and segment is not None and segment.closed and 0 < part == segment.part_count:
            piece = await self._awaited(fold, reference, track, (number + 1, 0))
        return piece, age_s

    async def _awaited(
        self, fold: VideoFold, reference: RenditionFold, track: TextTrack, wanted: tuple[int, int]
    ) -> Piece | None:
        """A part, waited for when it is about to come."""
        (number, part), (at, count) = wanted, reference.following
        hinted = (number == at and count <= part <= count + HINT_LEAD_PARTS) or wanted == (at + 1, 0)
        if hinted and fold.video is not None and not fold.has_ended(reference):
            await self._wait(fold, reference, wanted, WAIT_TARGETS * target_s(fold.video))
        return await self._captions.part(fold, track, number, part)

    async def init(self, scope: Scope, request: Request, send: Send) -> None:
        """The CMAF header of a track, for DASH."""
        await self._find(scope, follow=False)
        await send_bytes(send, request, [text_init()], MP4_TYPE, "text-init")

    async def cmaf(self, scope: Scope, request: Request, send: Send) -> None:
        """A segment in CMAF, for DASH."""
        file, query = scope["path_params"]["segment"], scope["query_string"]
        fold, track = await self._find(scope, follow=False)
        fold, _ = await self._media.catalogue.further_back(fold, parse_directives(query).dvr_s)
        reference = reference_of(fold)
        segment = reference.segment(int(file)) if reference is not None and _NUMBER.fullmatch(file) else None
        if segment is None or not segment.closed or file != f"{segment.number:08d}":
            raise _no_text(scope)
        found = await self._captions.cues(fold, track, segment.number)
        if found is None and not segment.gap:
            raise _no_text(scope)
        cues = found[1] if found is not None else []
        body = Body(text_segment(cues, *span_ms(segment), segment.number))
        lasting = track.file is None or query == b"v=" + track.version.encode()
        await send_text(send, request, body, MP4_TYPE, FOUND_AGE_S if lasting else FILE_AGE_S)

    async def file(self, scope: Scope, request: Request, send: Send) -> None:
        """A whole file as it was given, made plain."""
        video_id, language = scope["path_params"]["video"], scope["path_params"]["language"]
        files = await self._captions.files.of_video(video_id)
        file = next((file for file in files if file.language.lower() == language.lower()), None)
        text = await self._captions.files.text(file) if file is not None else None
        if text is None:
            raise _no_text(scope)
        await send_text(send, request, Body(text.text.encode()), VTT_TYPE, FILE_AGE_S)

    async def _find(self, scope: Scope, *, follow: bool) -> tuple[VideoFold, TextTrack]:
        """The fold and the track of a path.

        Raises:
            Problem: 404, there is none.
        """
        params, catalogue = scope["path_params"], self._media.catalogue
        fold = catalogue.lingering(params["video"]) if follow else None
        fold = fold or await catalogue.fold(params["video"])
        tracks = await self._captions.tracks(fold) if fold is not None else ()
        track = next((track for track in tracks if track.name == params["track"]), None)
        if fold is None or track is None:
            raise _no_text(scope)
        return fold, track

    async def _reach(self, fold: VideoFold, reference: RenditionFold, number: int, part: int | None) -> None:
        """Wait until the playlist holds a segment or part.

        Raises:
            Problem: 503, it did not come in time.
        """
        assert fold.video is not None
        timeout_s = WAIT_TARGETS * target_s(fold.video)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not (fold.has_ended(reference) or reference.reached(number, part)):
            at = reference.following[0]
            wanted = (at, 0) if part is not None and number < at else (number, part)
            left = deadline - loop.time()
            if left <= 0 or not await self._wait(fold, reference, wanted, left):
                detail = f"segment {number} did not come within {timeout_s} s; the publisher may be away"
                raise Problem(503, "not_in_time", detail, headers={"Retry-After": "1"})

    async def _wait(self, fold: VideoFold, reference: RenditionFold, wanted: Wanted, timeout_s: float) -> bool:
        try:
            return await self._media.broadcasts.wait(fold, reference.name, wanted, timeout_s)
        except TooManyParkedError as error:
            raise Problem(503, "overloaded", str(error), headers={"Retry-After": "2"}) from error

    def _as_text(self, video: Body, query: str) -> Body:
        """The text playlist of a video's: of all tracks the same one."""
        text = self._playlists.get(video)
        if text is None:
            text = self._playlists[video] = Body(text_playlist(video.plain.decode(), query).encode())
        return text


class FileRoutes:
    """Takes caption files from the owner of a channel, and from the operator."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._identities = Identities(state)
        self._catalogue = media_access(state).catalogue
        self._captions = captions_of(state)
        self._producer: EventProducer | None = None
        state.resource(self._open)

    async def listed(self, request: HttpRequest) -> Response:
        """The files of a video."""
        video = await self._video(request)
        files = await self._captions.files.of_video(video.video_id)
        rows = [
            {
                "language": file.language,
                "label": file.label,
                "kind": file.kind.value,
                "bytes": file.size_bytes,
                "uploaded_ms": file.uploaded_ms,
                "url": f"/v1/videos/{video.video_id}/captions/{file.language}.vtt",
            }
            for file in files
        ]
        return answer({"captions": rows})

    async def put(self, request: HttpRequest) -> Response:
        """Give a video a file in a language, or a better one."""
        video = await self._video(request)
        by, language = await self._owner(request, video), _language(request)
        label, kind = _described(request, language)
        cues = await self._cues(request)
        files = await self._captions.files.of_video(video.video_id)
        known = next((file for file in files if file.language == language), None)
        if known is None and len(files) >= MAX_FILES:
            raise Problem(409, "too_many", f"expected at most {MAX_FILES} languages of a video; remove one first")
        row = await self._write(video, language, label=label, kind=kind, text=cues, by=by)
        return answer(row, 200 if known is not None else 201)

    async def delete(self, request: HttpRequest) -> Response:
        """Take a file away; one that is not there is no error."""
        video = await self._video(request)
        by, language = await self._owner(request, video), _language(request)
        await self._write(video, language, label="", kind=CaptionKind.CAPTIONS, text="", by=by)
        return Response(status_code=204, headers=HEADERS)

    async def _write(
        self, video: VideoChanged, language: str, *, label: str, kind: CaptionKind, text: str, by: str
    ) -> dict[str, Any]:
        """Put a file on the log.

        Raises:
            Problem: 503, the log does not take it.
        """
        event = CaptionsUploaded(
            video_id=video.video_id,
            channel=video.channel,
            language=language,
            label=label,
            kind=kind,
            text=text,
            uploaded_ms=self._state.clock(),
            uploaded_by=by,
        )
        assert self._producer is not None
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._producer.send(VIDEOS_CAPTIONS, f"{video.video_id}/{language}", event)
        except (LogError, TimeoutError) as error:
            raise Problem(
                503, "log_away", "the log does not answer; send it again", headers={"Retry-After": "2"}
            ) from error
        self._captions.files.uploaded(event)
        return {"language": language, "label": label, "kind": kind.value, "bytes": len(text.encode())}

    async def _cues(self, request: HttpRequest) -> str:
        """The text of a body, made plain.

        Raises:
            Problem: 413 too large, 408 it does not come, 422 it is no WebVTT and no SubRip.
        """
        body = await bytes_of(request, MAX_BYTES, BODY_TIMEOUT_S)
        try:
            cues = await asyncio.to_thread(read_upload, body)
        except UploadError as error:
            raise Problem(422, "bad_captions", str(error)) from error
        if not cues:
            raise Problem(422, "bad_captions", "expected at least one cue, found none")
        text = document(cues)
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise Problem(413, "too_large", f"expected at most {MAX_TEXT_BYTES} bytes when made plain")
        return text

    async def _video(self, request: HttpRequest) -> VideoChanged:
        video_id = request.path_params["video"]
        video = await self._catalogue.state(video_id)
        if video is None:
            raise not_found(f"there is no video {video_id:.40}", "no_video")
        return video

    async def _owner(self, request: HttpRequest, video: VideoChanged) -> str:
        owner = await self._identities.must_be(request, video.channel)
        return "operator" if owner.id == OPERATOR else "owner"

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        async with EventProducer(self._state.settings, "captions") as self._producer:
            yield


def canonical_language(tag: str) -> str | None:
    """A BCP 47 tag in its usual case, such as `pt-BR` or `zh-Hant`; None for what is none."""
    if _LANGUAGE.fullmatch(tag) is None:
        return None
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *(_subtag(subtag) for subtag in rest)])


def _subtag(subtag: str) -> str:
    if len(subtag) == 2 and subtag.isalpha():
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag.lower()


def _language(request: HttpRequest) -> str:
    found = request.path_params["language"]
    language = canonical_language(found)
    if language is None:
        raise Problem(400, "bad_language", f"expected a language such as en or pt-BR (BCP 47), found {found!r:.40}")
    return language


def _described(request: HttpRequest, language: str) -> tuple[str, CaptionKind]:
    label, kind = request.query_params.get("label", language).strip(), request.query_params.get("kind", "captions")
    if not 0 < len(label) <= MAX_LABEL or not label.isprintable() or '"' in label:
        raise Problem(
            400, "bad_label", f"expected a label of 1 to {MAX_LABEL} letters without quotes, found {label!r:.90}"
        )
    if kind not in (CaptionKind.CAPTIONS, CaptionKind.SUBTITLES):
        raise Problem(400, "bad_kind", f"expected kind to be captions or subtitles, found {kind!r:.40}")
    return label, CaptionKind(kind)


def _no_text(scope: Scope) -> Problem:
    return not_found(f"there is no text at {scope['path'][:200]}", "no_text")
