"""When a video is hot, where its reactions go then, and that it does not flicker."""

import pytest

from gateway.heat import COOL_MS, Heat
from schemas.events import TotalsChanged
from schemas.topics import partition_of

VIDEO = "0123456789abcdefghjk"
HOT = 1_000


class Log:
    """Totals that rise at a rate."""

    def __init__(self, heat: Heat) -> None:
        self.heat, self.counted, self.at_ms = heat, 0, 1_000_000

    def second(self, reactions: int) -> bool:
        self.counted, self.at_ms = self.counted + reactions, self.at_ms + 1_000
        self.heat.apply(
            TotalsChanged(
                video_id=VIDEO,
                channel="ann",
                as_of_offset=self.at_ms,
                as_of_ms=self.at_ms,
                likes=0,
                reactions={"heart": self.counted - self.counted // 3, "fire": self.counted // 3},
                comment_likes={},
            )
        )
        return self.heat.is_hot(VIDEO)


def test_a_video_is_hot_from_the_second_with_so_many_reactions() -> None:
    log = Log(Heat(HOT, 4, 8))
    assert [log.second(n) for n in (0, HOT - 1, HOT, HOT)] == [False, False, True, True]


def test_it_stays_hot_until_it_was_at_less_than_half_for_a_while() -> None:
    log = Log(Heat(HOT, 4, 8))
    log.second(0)
    log.second(HOT)
    quiet = COOL_MS // 1_000
    assert [log.second(HOT // 2) for _ in range(2 * quiet)] == [True] * 2 * quiet
    assert [log.second(HOT // 2 - 1) for _ in range(quiet)] == [True] * (quiet - 1) + [False]
    assert not log.second(HOT - 1)


def test_its_batches_go_round_all_shares_of_which_one_is_home() -> None:
    log = Log(Heat(HOT, 4, 8))
    assert log.heat.away(VIDEO, 1) is None
    log.second(0)
    log.second(HOT)
    home = partition_of(VIDEO, 8)
    places = [log.heat.away(VIDEO, turn) for turn in range(8)]
    assert places[:4] == places[4:]
    assert places[0] is None
    assert {place[0] for place in places if place} == {home}
    assert len({place[1] for place in places if place} - {home}) == 3


@pytest.mark.parametrize(("hot_per_s", "shares", "partitions"), [(0, 4, 8), (HOT, 1, 8), (HOT, 4, 1)])
def test_no_video_is_ever_hot_where_that_is_not_wanted(hot_per_s: int, shares: int, partitions: int) -> None:
    log = Log(Heat(hot_per_s, shares, partitions))
    assert not any(log.second(HOT * n) for n in range(5))
