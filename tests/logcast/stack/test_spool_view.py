import pytest
from prometheus_client import generate_latest

from logcast.stack.spool_view import SpoolView, read_spool, spool_of
from producers import spool


def test_what_waits_is_found_among_the_metrics_of_the_ingest() -> None:
    for gauge, value in ((spool.BYTES, 5_000_000), (spool.RECORDS, 1_200), (spool.AGE, 31.6), (spool.FULL, 1)):
        gauge.set(value)
    view = spool_of(generate_latest().decode())
    assert view == SpoolView(bytes=5_000_000, records=1_200, age_seconds=31.6, full=True)
    assert view.sentence == "1,200 records wait, since 32 s, full: publishers are held back"


def test_a_process_without_a_spool_is_told_apart() -> None:
    with pytest.raises(ValueError, match="expected the metric logcast_spool_bytes"):
        spool_of("python_info 1.0\n")


def test_an_ingest_that_does_not_answer_has_no_view() -> None:
    assert read_spool(1) is None
