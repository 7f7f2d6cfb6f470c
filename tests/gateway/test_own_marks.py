"""What is somebody's own: Cassandra's, and for a minute what they said here, which is newer."""

from collections.abc import Callable

import httpx
import pytest

from consumers.projections.table import writes_of_event
from gateway.app import create_app
from gateway.guests import Guest, token_of
from gateway.own_marks import FRESH_MS, MOST_FRESH, MOST_OF_ONE, Marks
from gateway.state import GatewayState
from schemas.events import Like, ReactionsRecorded
from schemas.ids import UserId, new_video_id
from stores.own_marks import OwnMarks
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from tests.gateway.conftest import Clock, Gateway
from tests.gateway.tape import START_MS, video
from tests.waiting import eventually

STORED = OwnMarks(True, frozenset({"comment-1", "comment-2"}), {"poll-0001": 1, "poll-0002": 0})


async def stored(_video_id: str, _user_id: str) -> OwnMarks:
    return STORED


def marks_at(clock: Clock) -> Marks:
    return Marks(stored, clock)


async def test_what_was_said_here_is_newer_for_a_minute() -> None:
    clock = Clock()
    marks = marks_at(clock)
    marks.liked("v", "u_ann", None, liked=False)
    marks.liked("v", "u_ann", "comment-2", liked=False)
    marks.liked("v", "u_ann", "comment-3", liked=True)
    marks.voted("v", "u_ann", "poll-0001", None)
    marks.voted("v", "u_ann", "poll-0002", 1)
    expected = OwnMarks(False, frozenset({"comment-1", "comment-3"}), {"poll-0002": 1})
    assert await marks.of("v", "u_ann") == expected
    assert await marks.of("w", "u_ann") == await marks.of("v", "u_bob") == STORED
    clock.now_ms += FRESH_MS + 1
    assert await marks.of("v", "u_ann") == STORED
    marks.liked("v", "u_ann", "comment-3", liked=True)
    assert (await marks.of("v", "u_ann")).liked, "what lapsed does not come back"


async def test_what_is_remembered_of_what_was_said_is_bounded() -> None:
    marks = marks_at(Clock())
    for number in range(MOST_OF_ONE + 1):
        marks.liked("v", "u_ann", f"comment-{number:04}", liked=True)
    assert len((await marks.of("v", "u_ann")).comments) == MOST_OF_ONE + len(STORED.comments)
    for number in range(MOST_FRESH):
        marks.liked("v", f"u_{number}", None, liked=False)
    assert await marks.of("v", "u_ann") == STORED


@pytest.mark.integration
async def test_an_account_and_a_guest_read_what_is_theirs_on_another_gateway(
    make_settings: Callable[..., Settings], cassandra: tuple[str, int], keyspace: str
) -> None:
    video_id = new_video_id(START_MS, b"ownmarks")
    settings = make_settings(cassandra_keyspace=keyspace)
    clock = Clock()
    state = GatewayState(settings, clock)
    app = create_app(settings, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        state.cassandra,
        httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60) as client,
    ):
        await eventually(lambda: state.cassandra.session is not None, 60, "a session")
        assert state.cassandra.session is not None
        Gateway(app, state, client, LocalSegmentStore(settings.segments_path), clock).fold(video(video_id=video_id))
        liked = ReactionsRecorded(
            video_id=video_id,
            channel="ann",
            gateway_id="another",
            batch=1,
            recorded_ms=START_MS,
            likes=(Like(user_id="g_bob", comment_id="comment-1", liked=True, at_ms=START_MS),),
            reactions=(),
        )
        await state.cassandra.session.write(writes_of_event(liked))
        path = f"/v1/videos/{video_id}/me"
        assert (await client.get(path)).status_code == 401
        for user, comments in (("g_bob", ["comment-1"]), ("g_eve", [])):
            token = token_of(Guest(UserId(user), user), state.secret, clock())
            answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
            mine = {"user": user, "liked": False, "comments": comments, "votes": {}, "held": []}
            assert answer.json() == mine
