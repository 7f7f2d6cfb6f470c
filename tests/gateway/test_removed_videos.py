"""What a gateway holds of a video in memory goes when the video is removed."""

import gc
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest

from gateway.app import create_app
from gateway.state import GatewayState
from schemas.events import Event, VideoForgotten, VideoRemoved
from schemas.topics import Topic
from stores.log_reader import Place
from stores.settings import load_settings
from tests.consumers.broadcast import START_MS, Broadcast

GONE, STAYS = "01hf0q6z8m3k7v2w9x4y", "01hf0q6z8m3k7v2w9x4z"


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory) -> GatewayState:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"))
    state = GatewayState(settings, lambda: START_MS + 150_000)
    create_app(settings, state)
    return state


def told(state: GatewayState, events: list[tuple[Topic, Event]]) -> None:
    """As the log's reader gives events to who subscribed."""
    for offset, (topic, event) in enumerate(events):
        for subscription in state.subscriptions:
            if subscription.topic is topic:
                subscription.handler(event, Place(topic.name, 0, offset, START_MS))


def holders(state: GatewayState, video_id: str) -> Iterator[str]:
    """Where the id is a key of a dictionary, or of a tuple that is one, of any object that the gateway reaches."""
    seen, left = set[int](), [("state", vars(state)), *((repr(s.handler), s.handler) for s in state.subscriptions)]
    while left:
        name, value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict) and any(
            key == video_id or (isinstance(key, tuple) and video_id in key) for key in value
        ):
            yield name.rpartition(" > ")[0].rpartition(" > ")[2]
        of_ours = str(type(value).__module__).startswith(("gateway", "collections", "builtins", "functools"))
        if of_ours and not isinstance(value, type | FunctionType | ModuleType):
            left += [(f"{name} > {type(child).__name__}", child) for child in gc.get_referents(value)]


def test_a_removed_video_is_in_no_dictionary_any_more_and_another_is(state: GatewayState) -> None:
    lives: list[tuple[Topic, Event]] = []
    ends: list[tuple[Topic, Event]] = []
    for topic, event in Broadcast(GONE, 25).events() + Broadcast(STAYS, 25).events():
        removes = isinstance(event, VideoRemoved | VideoForgotten)
        (ends if removes else lives).append((topic, event))
    told(state, lives)
    before = set(holders(state, GONE))
    (log,) = (name for name in before if name.endswith("ModerationLog"))  # it is the channel's
    assert len(before) >= 6
    told(state, [(topic, event) for topic, event in ends if event.video_id == GONE])  # type: ignore[union-attr]
    assert set(holders(state, GONE)) <= {log}
    assert set(holders(state, STAYS)) == before
