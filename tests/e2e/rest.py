"""The API as a program uses it."""

import secrets
from collections.abc import Sequence
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


async def live_video(http: httpx.AsyncClient, server: str, channel: str) -> str:
    """The id of the channel's video, once it is live."""

    async def live() -> str | None:
        row = await channel_row(http, server, channel)
        return str(row["video_id"]) if row["state"] == "live" else None

    video = await eventually_async(live, 60, "a live video")
    assert video is not None
    return video


async def open_poll(http: httpx.AsyncClient, server: str, video: str, key: str, options: Sequence[str]) -> str:
    """A poll of the owner's that stays open; gives its id."""
    answer = await http.post(
        f"{server}/v1/videos/{video}/polls",
        json={"question": "Who wins?", "options": list(options)},
        headers={"Authorization": f"Bearer {key}"},
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


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
