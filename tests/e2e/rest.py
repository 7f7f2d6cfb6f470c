"""The API as a program uses it."""

import secrets
from typing import Any

import httpx

from tests.waiting import eventually_async


async def channel_row(http: httpx.AsyncClient, server: str, channel: str) -> dict[str, Any]:
    """What the API says of a channel."""
    answer = await http.get(f"{server}/v1/channels/{channel}")
    answer.raise_for_status()
    row: dict[str, Any] = answer.json()
    return row


async def current_video(http: httpx.AsyncClient, server: str, channel: str) -> str:
    """The id of the channel's video."""
    return str((await channel_row(http, server, channel))["video_id"])


async def comment_as(http: httpx.AsyncClient, server: str, video: str, name: str, text: str) -> int:
    """Post a comment as a new guest; gives its number. Repeated under its id until it is decided."""
    guest = await http.post(f"{server}/v1/guests", json={"name": name})
    guest.raise_for_status()
    comment = {"id": secrets.token_urlsafe(12), "text": text}
    headers = {"Authorization": f"Bearer {guest.json()['token']}"}

    async def post() -> int | None:
        answer = await http.post(f"{server}/v1/videos/{video}/comments", json=comment, headers=headers)
        answer.raise_for_status()
        decided: int | None = answer.json().get("seq")
        return decided

    seq = await eventually_async(post, 60, f"the decision on {text!r}")
    assert seq is not None
    return seq


async def comments(http: httpx.AsyncClient, server: str, video: str) -> list[dict[str, Any]]:
    """The newest comments, from Cassandra; none while it cannot be asked."""
    answer = await http.get(f"{server}/v1/videos/{video}/comments")
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []
    answer.raise_for_status()
    rows: list[dict[str, Any]] = answer.json()["comments"]
    return rows
