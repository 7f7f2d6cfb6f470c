"""An external classifier's opinion of a comment, over HTTP, before the comment is submitted.

The request is a POST of `{channel, video_id, comment_id, user_id, name, role, text}`; the answer `{"verdict": "allow" |
"hold" | "reject", "reason": "…"}`. It has `classifier_timeout_ms`, and at most `MAX_AT_ONCE` are asked at a time. A classifier
that fails is left alone for a moment (a circuit breaker), so that it costs the writers nothing while it is down.
"""

import logging
import time
from typing import Any, Final, Self

import httpx
import orjson
from prometheus_client import Counter

from gateway.feed_messages import Post
from gateway.speaking import Author, Opinion
from schemas.events import VideoChanged
from stores.roles import Role
from stores.settings import Settings

log = logging.getLogger(__name__)

MAX_AT_ONCE: Final = 64
MAX_ANSWER: Final = 4_096
MAX_REASON: Final = 200
FAILURES: Final = 5
"""Failures in a row after which it is left alone."""
REST_S: Final = 5.0
VERDICTS: Final = {"allow": "", "hold": "hold", "reject": "reject"}

ASKED: Final = Counter("logcast_classifier_answers_total", "What the classifier said, or that it failed", ["answer"])


class ClassifierError(RuntimeError):
    """The classifier gave no opinion; says why."""


class Classifier:
    """The hook; without `classifier_url` it has no opinion of anything.

    Args:
        settings: of the process.
        transport: for tests without a network; None: the usual one.
    """

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._failures = 0
        self._rests_until = 0.0

    async def __aenter__(self) -> Self:
        if self._settings.classifier_url:
            token = self._settings.classifier_token.get_secret_value()
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=self._settings.classifier_timeout_ms / 1000,
                limits=httpx.Limits(max_connections=MAX_AT_ONCE),
                transport=self._transport,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def opinion(self, video: VideoChanged, author: Author, post: Post) -> Opinion:
        """What it says; moderators are not asked about. Never raises: a failure is `classifier_fails`."""
        if self._client is None or Role(author.role) >= Role.MODERATOR:
            return Opinion()
        if time.monotonic() < self._rests_until:
            return self._failed("it failed a moment ago")
        try:
            found = await self._asked(self._client, video, author, post)
        except (ClassifierError, httpx.HTTPError) as error:
            self._failures += 1
            if self._failures >= FAILURES:
                self._rests_until = time.monotonic() + REST_S
            log.warning("the classifier gave no opinion: %s", error or type(error).__name__)
            return self._failed(str(error) or type(error).__name__)
        self._failures = 0
        ASKED.labels(found.verdict or "allow").inc()
        return found

    async def _asked(self, client: httpx.AsyncClient, video: VideoChanged, author: Author, post: Post) -> Opinion:
        question = {
            "channel": video.channel,
            "video_id": video.video_id,
            "comment_id": post.id,
            "user_id": author.id,
            "name": author.name,
            "role": author.role,
            "text": post.text,
        }
        async with client.stream("POST", self._settings.classifier_url, json=question) as response:
            if response.status_code != httpx.codes.OK:
                raise ClassifierError(f"expected 200, found {response.status_code}")
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MAX_ANSWER:
                    raise ClassifierError(f"expected at most {MAX_ANSWER} bytes")
        return opinion_of(body)

    def _failed(self, why: str) -> Opinion:
        ASKED.labels("failed").inc()
        closed = self._settings.classifier_fails == "closed"
        return Opinion("hold", f"the classifier failed: {why}"[:MAX_REASON]) if closed else Opinion()


def opinion_of(body: bytes) -> Opinion:
    """The opinion in an answer.

    Raises:
        ClassifierError: it is none.
    """
    try:
        values: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ClassifierError(f"expected JSON: {error}") from error
    verdict = values.get("verdict") if isinstance(values, dict) else None
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        raise ClassifierError(f"expected a verdict of allow, hold or reject, found {verdict!r:.40}")
    return Opinion(VERDICTS[verdict], str(values.get("reason") or "")[:MAX_REASON])
