"""What counts as growth over a soak, and what does not."""

import math
import random
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.soaking.disk import of_data_dir
from benchmarks.soaking.gauges import figures
from benchmarks.soaking.report import large_plot, plot
from benchmarks.soaking.tolerances import tolerance_of
from benchmarks.soaking.verdict import Point, Tolerance, second_half, theil_sen, verdict

HOUR_S = 3600
EACH_S = 15
TIMES = range(0, HOUR_S, EACH_S)
FIVE = Tolerance(5)


def grows(series: Sequence[Point], tolerance: Tolerance = FIVE, broadcasts: float = 0) -> bool:
    return verdict("memory", series, tolerance, broadcasts).grows


def noise(seed: int, size: float) -> list[float]:
    source = random.Random(seed)
    return [source.uniform(-size, size) for _ in TIMES]


def test_a_series_that_rises_by_more_than_is_allowed_grows() -> None:
    rising = [(t, 100 + 8 * t / HOUR_S + n) for t, n in zip(TIMES, noise(1, 2), strict=True)]
    found = verdict("memory", rising, FIVE)
    assert found.grows
    assert math.isclose(found.per_hour, 8, abs_tol=2)


def test_one_that_rises_by_less_is_flat() -> None:
    assert not grows([(t, 100 + 3 * t / HOUR_S + n) for t, n in zip(TIMES, noise(2, 2), strict=True)])


def test_a_saw_is_flat_with_many_teeth_and_with_few() -> None:
    for period_s in (120, 480, 900, 1_200):
        assert not grows([(t, 100 + 60 * (t % period_s) / period_s) for t in TIMES]), period_s


def test_a_saw_on_a_slope_grows() -> None:
    assert grows([(t, 100 + 10 * (t % 240) / 240 + 20 * t / HOUR_S) for t in TIMES])


def test_steps_while_it_warms_up_are_flat() -> None:
    assert not grows([(t, 100 if t < 600 else 180 if t < 1_500 else 240) for t in TIMES])


def test_outliers_and_noise_are_flat() -> None:
    spiky = [
        (t, 100 + n + (400 if i % 17 == 0 else 0)) for i, (t, n) in enumerate(zip(TIMES, noise(3, 8), strict=True))
    ]
    assert not grows(spiky)


def test_a_leak_of_one_descriptor_in_ten_minutes_is_caught() -> None:
    assert grows([(t, 40 + t // 600) for t in TIMES], Tolerance(4))


def test_what_each_broadcast_may_leave_is_allowed() -> None:
    series = [(t, t / HOUR_S * 100) for t in TIMES]
    assert grows(series, FIVE, broadcasts=90)
    assert not grows(series, Tolerance(5, per_broadcast=1.2), broadcasts=90)


def test_what_stays_below_its_bound_is_bounded_however_steep() -> None:
    series = [(t, 100 * t / HOUR_S) for t in TIMES]
    assert verdict("log", series, Tolerance(5, cap=160)).bounded
    assert not grows(series, Tolerance(5, cap=160))
    assert grows(series, Tolerance(5, cap=90))


def test_nothing_is_said_of_too_few_samples() -> None:
    assert not grows([])
    assert not grows([(0, 1), (60, 100), (120, 10_000)])


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.floats(-1e4, 1e4))
def test_the_slope_is_that_of_a_line_whatever_is_added_to_all(values: list[float], offset: float) -> None:
    series = [(float(at), value) for at, value in enumerate(values)]
    moved = [(at, value + offset) for at, value in series]
    assert math.isclose(theil_sen(series), theil_sen(moved), rel_tol=1e-6, abs_tol=1e-3)
    assert math.isclose(theil_sen([(at, 3 * at) for at, _ in series]), 3)


def test_the_second_half_is_of_the_time_not_of_the_samples() -> None:
    assert second_half([(0, 1), (1, 2), (2, 3), (100, 4)]) == [(100, 4)]


def test_every_series_has_a_tolerance() -> None:
    assert tolerance_of("worker.uss_mb").per_hour == 6
    assert tolerance_of("kafka.uss_mb").per_hour == 30
    assert tolerance_of("kafka.topics").allowed(1_000) == 0
    assert tolerance_of("something.else").per_hour > 0


def test_plots_show_low_and_high() -> None:
    series = [(float(t), float(t)) for t in range(100)]
    assert plot(series, 8) == "▁▂▃▄▅▆▇█"
    assert len(large_plot(series)) == 8
    assert large_plot(series)[0].lstrip().startswith("99.0")
    assert plot([]) == ""


def test_gauges_are_read_and_counters_are_not() -> None:
    page = (
        "# TYPE a_total counter\na_total 5\n# TYPE held gauge\nheld 7\n"
        '# TYPE of gauge\nof{cache="media"} 3\n# TYPE process_open_fds gauge\nprocess_open_fds 9\n'
    )
    assert figures("gateway", page) == {"gateway.metric.held": 7, "gateway.metric.of.media": 3, "gateway.series": 4}


def test_a_directory_is_measured_by_part(tmp_path: Path) -> None:
    (tmp_path / "kafka" / "log" / "media.parts-3").mkdir(parents=True)
    (tmp_path / "kafka" / "log" / "media.parts-3" / "0.log").write_bytes(b"x" * 1024 * 1024)
    (tmp_path / "segments" / "video" / "480p").mkdir(parents=True)
    (tmp_path / "accounts.sqlite3").write_bytes(b"x" * 4096)
    found = of_data_dir(tmp_path)
    assert found["disk.kafka.media.parts_mb"] == found["disk.kafka_mb"] == 1
    assert found["disk.directories.hot"] == 3
    assert found["disk.database_mb"] > 0
