"""The external classifier: a real server that answers well, badly, late or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from gateway import classifier as hook
from gateway.classifier import Classifier, ClassifierError, opinion_of
from gateway.feed_messages import Post
from gateway.speaking import Author, Opinion
from schemas.events import VideoChanged, VideoState
from stores.settings import Settings

ANN = Author(id="g_ann", name="Ann")
POST = Post(id="comment-1", text="hello", parent=None, media_ms=None)
VIDEO = VideoChanged(
    video_id="01m3250v00hk6gtkcdsr",
    channel="demo",
    title="Demo",
    state=VideoState.LIVE,
    started_ms=1,
    changed_ms=1,
    last_segment=-1,
    part_target_ms=200,
    segment_max_ms=10_000,
    audio=True,
    video=True,
)


class Judge:
    """A server that gives one answer to everything, or none, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: bytes | None = b'{"verdict": "allow"}'
        self.status = "200 OK"
        self.asked: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.silent = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while head := await _head(reader):
                length = int(head.get("content-length", "0"))
                self.asked.append(orjson.loads(await reader.readexactly(length)))
                self.tokens.append(head.get("authorization", ""))
                if self.answer is None:
                    await self.silent.wait()
                    return
                writer.write(f"HTTP/1.1 {self.status}\r\ncontent-length: {len(self.answer)}\r\n\r\n".encode())
                writer.write(self.answer)
                await writer.drain()


async def _head(reader: asyncio.StreamReader) -> dict[str, str]:
    """The headers of a request, in lower case; empty at the end of the connection."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return {}
    lines = [line.split(": ", 1) for line in text.split("\r\n")[1:] if line]
    return {name.lower(): value for name, value in lines}


@pytest.fixture
async def judge() -> Judge:
    return Judge()


@asynccontextmanager
async def asking(judge: Judge, make_settings: Callable[..., Settings], **more: Any) -> AsyncIterator[Classifier]:
    server = await asyncio.start_server(judge.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = make_settings(classifier_url=f"http://127.0.0.1:{port}/", classifier_token="let-me-in", **more)
    try:
        async with Classifier(settings) as classifier:
            yield classifier
    finally:
        judge.silent.set()
        server.close()
        await server.wait_closed()


async def test_it_is_asked_with_everything_that_it_needs_and_may_hold_or_reject(
    judge: Judge, make_settings: Callable[..., Settings]
) -> None:
    async with asking(judge, make_settings, classifier_timeout_ms=5_000) as classifier:
        assert await classifier.opinion(VIDEO, ANN, POST) == Opinion()
        judge.answer = b'{"verdict": "hold", "reason": "rude"}'
        assert await classifier.opinion(VIDEO, ANN, POST) == Opinion("hold", "rude")
        judge.answer = b'{"verdict": "reject"}'
        assert await classifier.opinion(VIDEO, ANN, POST) == Opinion("reject", "")
        moderator = Author(id="u_mod", name="Mod", role="moderator")
        assert await classifier.opinion(VIDEO, moderator, POST) == Opinion()
    assert len(judge.asked) == 3
    assert set(judge.tokens) == {"Bearer let-me-in"}
    assert judge.asked[0] == {
        "channel": "demo",
        "video_id": VIDEO.video_id,
        "comment_id": "comment-1",
        "user_id": "g_ann",
        "name": "Ann",
        "role": "guest",
        "text": "hello",
    }


@pytest.mark.parametrize(("fails", "verdict"), [("open", ""), ("closed", "hold")])
async def test_one_that_does_not_answer_in_time_fails_as_the_operator_chose(
    judge: Judge, make_settings: Callable[..., Settings], fails: str, verdict: str
) -> None:
    judge.answer = None
    async with asking(judge, make_settings, classifier_timeout_ms=50, classifier_fails=fails) as classifier:
        assert (await classifier.opinion(VIDEO, ANN, POST)).verdict == verdict


async def test_one_that_keeps_failing_is_left_alone_for_a_while(
    judge: Judge, make_settings: Callable[..., Settings]
) -> None:
    judge.status = "500 Internal Server Error"
    async with asking(judge, make_settings, classifier_timeout_ms=5_000) as classifier:
        for _ in range(hook.FAILURES + 3):
            assert await classifier.opinion(VIDEO, ANN, POST) == Opinion()
    assert len(judge.asked) == hook.FAILURES


async def test_an_answer_without_end_is_cut_off(judge: Judge, make_settings: Callable[..., Settings]) -> None:
    judge.answer = b'{"verdict": "reject", "reason": "' + b"x" * 100_000 + b'"}'
    async with asking(judge, make_settings, classifier_timeout_ms=5_000) as classifier:
        assert await classifier.opinion(VIDEO, ANN, POST) == Opinion()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"verdict": "maybe"}', b'{"verdict": 1}', b"\xff"])
def test_what_is_no_opinion_is_an_error(body: bytes) -> None:
    with pytest.raises(ClassifierError):
        opinion_of(body)
