"""The load model adds up: more of anything never needs less, and the document has its newest tables."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from benchmarks.capacity import BEGIN, END, Audience, Measured, first_limit, needs, table

SMALL = Audience(streams=10, viewers=10_000)
DOCUMENT = Path(__file__).parents[2] / "docs" / "scale.md"


def amounts(audience: Audience) -> dict[str, float]:
    return {need.what: need.amount for need in needs(audience)}


@pytest.mark.parametrize(
    "more", ["streams", "viewers", "source_mbit", "rungs", "viewer_mbit", "feed_ticks", "commenting"]
)
def test_more_of_anything_never_needs_less(more: str) -> None:
    before, after = amounts(SMALL), amounts(replace(SMALL, **{more: 3 * getattr(SMALL, more)}))
    fewer = {what for what in before if after[what] < before[what]} - {"a viewer's hour"}
    assert fewer == set()
    assert after != before


def test_every_measured_cost_counts() -> None:
    dearer = {field.name: 1_000 * getattr(Measured(), field.name) for field in fields(Measured)}
    told = {
        name for name in dearer if needs(SMALL, measured=replace(Measured(), **{name: dearer[name]})) == needs(SMALL)
    }
    assert told == set()


def test_the_first_limit_is_the_fold_of_one_gateway() -> None:
    streams = first_limit()
    assert amounts(replace(SMALL, streams=streams))["fold in every gateway"] <= 1
    assert amounts(replace(SMALL, streams=streams + 1))["fold in every gateway"] > 1


def test_the_document_has_the_newest_tables() -> None:
    told = DOCUMENT.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    audiences = [Audience(1, 1_000), Audience(50, 50_000), Audience(1_000, 10_000_000)]
    assert table(audiences) in told, "run `python -m benchmarks.capacity --markdown docs/scale.md`"
