"""Errors as `application/problem+json` (RFC 9457): type, title, status, detail and a `reason` that programs read."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818  (RFC 9457 calls it a problem)
    """What is wrong with a request; raise it anywhere below a route.

    Args:
        status: HTTP status code, 400 to 599.
        reason: one word for programs, such as `slow_mode`; stable.
        detail: a sentence for people: what was expected, what was found, what to do.
        headers: further response headers, such as Retry-After.
        extra: further members of the JSON object (RFC 9457 section 3.2).
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.reason = reason
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def body(self) -> bytes:
        """The problem as JSON."""
        return orjson.dumps(
            {
                **self.extra,
                "type": "about:blank",
                "title": self.status.phrase,
                "status": self.status.value,
                "detail": self.detail,
                "reason": self.reason,
            }
        )

    def response(self) -> Response:
        """The problem as an answer; nobody may keep it, every origin may read it."""
        headers = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*", **self.headers}
        return Response(self.body(), self.status.value, headers, MEDIA_TYPE)


def not_found(detail: str, reason: str = "not_found") -> Problem:
    """A 404 with a sentence that says what there is not."""
    return Problem(404, reason, detail)


async def answer_problem(_request: Request, error: Exception) -> Response:
    """Starlette's exception handler for `Problem`."""
    assert isinstance(error, Problem)
    return error.response()


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Starlette's exception handler for its own errors: no route, wrong method."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return Problem(status, status.name.lower(), detail, headers=error.headers).response()


async def answer_crash(request: Request, _error: Exception) -> Response:
    """Starlette's exception handler for what nobody caught; the server's log has the traceback."""
    return Problem(500, "internal", f"{request.method} {request.url.path} failed; the server's log says why").response()


async def answer_away(request: Request, error: Exception) -> Response:
    """Starlette's exception handler for a server behind us that refuses, is cut off, or did not answer in time."""
    if request.scope["type"] != "http":
        raise error
    log.warning("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, error)
    detail = "A server that this needs does not answer now: try again in a moment."
    return Problem(503, "away", detail, headers={"Retry-After": "1"}).response()
