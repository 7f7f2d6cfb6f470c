"""What a gateway says of its viewers: who is new, how many there are, and not more often than it must."""

from dataclasses import replace

from gateway.presence import AGAIN_MS, MAX_JOINED, Presence
from schemas.events import PresenceRecorded, VideoChanged
from tests.gateway.tape import VIDEO, video

NEXT = VIDEO[:-1] + "z"
CHANNEL = video().channel
HERE = (CHANNEL, None)


class House:
    """A channel with a current video, and a gateway's presence."""

    def __init__(self) -> None:
        self.videos = {VIDEO: video(), NEXT: replace(video(), video_id=NEXT)}
        self.current: VideoChanged | None = self.videos[VIDEO]
        self.presence = Presence("run-1", b"secret", lambda _: self.current, self.videos.get)

    def said(self, now_ms: int) -> list[tuple[str, int, int]]:
        """Video, viewers, new ones: of each event."""
        return [(e.video_id, e.viewers, len(e.joined) // 8) for e in self.presence.reports(now_ms)]


def test_newcomers_are_said_once_and_figures_when_they_change_or_are_old() -> None:
    house = House()
    house.presence.came(HERE, 1)
    house.presence.came(HERE, 2)
    assert house.said(0) == [(VIDEO, 2, 2)]
    assert house.said(2_000) == []
    assert house.said(AGAIN_MS) == [(VIDEO, 2, 0)]
    house.presence.came(HERE, 3)
    assert house.said(AGAIN_MS + 1) == [(VIDEO, 3, 1)]
    house.presence.went(HERE, 2)
    assert house.said(AGAIN_MS + 2) == [(VIDEO, 2, 0)]


def test_somebody_with_two_connections_is_one_viewer_until_both_are_gone() -> None:
    house = House()
    house.presence.came(HERE, 1)
    house.presence.came(HERE, 1)
    house.presence.came((CHANNEL, VIDEO), 1)
    assert house.said(0) == [(VIDEO, 1, 1)]
    house.presence.went(HERE, 1)
    house.presence.went(HERE, 1)
    assert house.said(1) == []
    house.presence.went((CHANNEL, VIDEO), 1)
    assert house.said(2) == [(VIDEO, 0, 0)]
    assert house.said(60_000) == []


def test_who_listens_to_a_channel_watches_its_next_video_too() -> None:
    house = House()
    house.presence.came(HERE, 1)
    house.presence.came((CHANNEL, VIDEO), 2)
    assert house.said(0) == [(VIDEO, 2, 2)]
    house.current = house.videos[NEXT]
    assert sorted(house.said(1)) == [(VIDEO, 1, 0), (NEXT, 1, 1)]


def test_nothing_is_said_of_a_channel_without_a_video() -> None:
    house = House()
    house.current = None
    house.presence.came(HERE, 1)
    assert house.said(0) == []


def test_who_only_plays_counts_unless_somebody_at_the_same_address_is_on_the_feed() -> None:
    house = House()
    house.presence.came(HERE, 1, "home")
    playing: dict[str, list[tuple[int, str]]] = {VIDEO: [(7, "home"), (8, "work"), (9, "work")]}
    assert [(e.viewers, len(e.joined) // 8) for e in house.presence.reports(0, playing)] == [(3, 3)]
    house.presence.went(HERE, 1, "home")
    assert [(e.viewers, len(e.joined) // 8) for e in house.presence.reports(1, playing)] == [(3, 1)]
    assert [e.viewers for e in house.presence.reports(2)] == [0]


def test_very_many_newcomers_come_in_several_events_with_the_same_figure() -> None:
    house = House()
    for viewer in range(2 * MAX_JOINED + 1):
        house.presence.came(HERE, viewer)
    n = 2 * MAX_JOINED + 1
    assert house.said(0) == [(VIDEO, n, MAX_JOINED), (VIDEO, n, MAX_JOINED), (VIDEO, n, 1)]


def test_all_is_said_again_after_the_log_did_not_take_it() -> None:
    house = House()
    house.presence.came(HERE, 1)
    house.said(0)
    house.presence.forget()
    assert house.said(1) == [(VIDEO, 1, 1)]
    house.presence.went(HERE, 1)
    house.presence.forget()
    assert house.said(2) == [(VIDEO, 0, 0)]


def test_a_viewer_has_the_same_hash_on_every_gateway_with_the_same_secret() -> None:
    one, other, foreign = (
        Presence(run, key, lambda _: None, lambda _: None) for run, key in (("a", b"k"), ("b", b"k"), ("c", b"l"))
    )
    assert one.hash_of("g_1") == other.hash_of("g_1") != one.hash_of("g_2")
    assert one.hash_of("g_1") != foreign.hash_of("g_1")
    assert 0 <= one.hash_of("g_1") < 2**64


def test_events_carry_hashes_of_eight_bytes() -> None:
    house = House()
    house.presence.came(HERE, 2**64 - 2)
    (event,) = house.presence.reports(7)
    assert event == PresenceRecorded(
        video_id=VIDEO, channel=CHANNEL, gateway_id="run-1", recorded_ms=7, viewers=1, joined=b"\xff" * 7 + b"\xfe"
    )
