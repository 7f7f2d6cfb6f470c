"""Who plays without the feed is known by asking for playlists again and again."""

import pytest

from gateway import players
from gateway.players import LAPSE_MS
from tests.gateway.conftest import Gateway
from tests.gateway.tape import VIDEO, Tape, video

PLAYLIST = f"/v1/videos/{VIDEO}/source/media.m3u8"


async def test_an_address_and_browser_is_one_player_until_it_asks_no_more(gateway: Gateway) -> None:
    tape = Tape([4, 4])
    gateway.fold(video(), *tape.events())
    found = gateway.state.players
    assert found is not None
    for browser in ("vlc", "vlc", "mpv"):
        assert (await gateway.get(PLAYLIST, user_agent=browser)).status_code == 200
    assert len(found.playing()[VIDEO]) == 2
    assert len({address for _, address in found.playing()[VIDEO]}) == 1
    gateway.clock.now_ms += LAPSE_MS
    await gateway.get(PLAYLIST, user_agent="mpv")
    gateway.clock.now_ms += 1
    assert len(found.playing()[VIDEO]) == 1
    gateway.clock.now_ms += LAPSE_MS
    assert found.playing() == {}


async def test_only_so_many_are_remembered(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players, "MAX_PLAYERS", 2)
    gateway.fold(video(), *Tape([4, 4]).events())
    found = gateway.state.players
    assert found is not None
    for number in range(4):
        await gateway.get(PLAYLIST, user_agent=f"player {number}")
    assert len(found.playing()[VIDEO]) == 2
