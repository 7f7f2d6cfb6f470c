"""The page about the events is the one that the schemas make."""

from pathlib import Path

from schemas.describe import page
from schemas.registry import newest_schemas

DOCS = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_page_in_docs_is_up_to_date() -> None:
    assert DOCS.read_text() == page(), "run: python -m schemas.describe > docs/events.md"


def test_every_event_has_its_section() -> None:
    sections = [line.removeprefix("## ") for line in page().splitlines() if line.startswith("## ")]
    assert sorted(sections) == sorted(newest_schemas())
