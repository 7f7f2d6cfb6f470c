"""`logcast status` tells what an overloaded worker does without."""

import pytest
from prometheus_client import generate_latest

from logcast.stack.workload import worker_notes, workload
from processors import metrics
from stores.settings import load_settings


@pytest.mark.parametrize(
    ("left_out", "lag_s", "told"),
    [
        (0, 0.1, "encoders 40% busy"),
        (0, 3.0, "overloaded: 3.0 s behind"),
        (2, 3.1, "overloaded: the largest 2 of the renditions are left out for now, 3.1 s behind"),
    ],
)
def test_the_note_says_what_is_left_out_and_how_far_behind_it_is(left_out: int, lag_s: float, told: str) -> None:
    metrics.RUNGS_LEFT_OUT.set(left_out)
    metrics.TRANSCODE_LAG.set(lag_s)
    metrics.ENCODERS_BUSY.set(0.4)
    assert workload(generate_latest().decode()).startswith(told)


def test_nothing_is_said_of_a_worker_that_does_not_answer_or_has_nothing_to_say() -> None:
    assert workload("") == ""
    assert worker_notes(load_settings(), [("worker", 1), ("worker-2", None)]) == {"worker": ""}
