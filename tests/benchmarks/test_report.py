"""The figures of `benchmarks.glass_to_glass` on their way into the documentation."""

from pathlib import Path

import pytest

from benchmarks.glass.report import BEGIN, END, Ladder, Report, latency_of, this_machine, write_markdown


@pytest.fixture
def report() -> Report:
    return Report(
        this_machine(),
        seconds=60,
        latencies=[latency_of("part of source", [10.0, 20.0, 30.0])],
        cpu_percent={"worker": 50.0, "kafka": 5.0},
        ladder=Ladder(worker=0.5, ffmpeg=0.25, media_s=60),
        notes=["Chromium: 0 stalls"],
    )


def test_the_tables_replace_what_is_between_the_marks_and_nothing_else(tmp_path: Path, report: Report) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    write_markdown(report, page)
    write_markdown(report, page)
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert text.count("| part of source | 20 | 29 | 30 | 3 |") == 1
    assert "| all | 55.0 |" in text
    assert "| the worker, all its work | 0.500 | 2.00 |" in text


def test_a_page_without_marks_is_left_alone(tmp_path: Path, report: Report) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing", "utf-8")
    with pytest.raises(ValueError, match="glass_to_glass: begin"):
        write_markdown(report, page)
    assert page.read_text("utf-8") == "nothing"


def test_no_samples_are_an_error_and_no_figure() -> None:
    with pytest.raises(ValueError, match="no time stamp"):
        latency_of("the screen", [])
