"""Different viewers: exact while few, within the stated error when many, whatever the order."""

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.unique import FEW, REGISTERS, STANDARD_ERROR, UniqueViewers, estimate, hashes_of


def viewers(count: int, seed: str = "") -> list[int]:
    return [int.from_bytes(blake2b(f"{seed}{n}".encode(), digest_size=8).digest(), "big") for n in range(count)]


def counted(hashes: list[int]) -> UniqueViewers:
    unique = UniqueViewers()
    unique.add(hashes)
    return unique


@pytest.mark.parametrize("count", [0, 1, 2, 100, FEW])
def test_few_are_counted_exactly(count: int) -> None:
    unique = counted(viewers(count) * 2)
    assert len(unique) == count
    assert len(UniqueViewers.unpacked(unique.packed())) == count


@pytest.mark.parametrize("seed", ["a", "b"])
@pytest.mark.parametrize("count", [FEW + 1, 3_000, 20_000, 40_000, 60_000, 150_000])
def test_many_are_counted_within_four_standard_errors(count: int, seed: str) -> None:
    unique = counted(viewers(count, seed))
    assert abs(len(unique) / count - 1) < 4 * STANDARD_ERROR
    assert len(UniqueViewers.unpacked(unique.packed())) == len(unique)


def test_the_error_has_no_tendency() -> None:
    errors = [len(counted(viewers(5_000, f"run {run} "))) / 5_000 - 1 for run in range(40)]
    assert abs(sum(errors) / 40) < 4 * STANDARD_ERROR / 40**0.5


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=60), st.lists(st.integers(0, 2**64 - 1), max_size=60), st.booleans()
)
def test_order_and_repeats_change_nothing(first: list[int], second: list[int], many: bool) -> None:
    some = viewers(FEW + 1) if many else []
    one, other = counted(some + first), counted(second)
    one.add(second)
    other.add((first + some)[::-1])
    assert one.packed() == other.packed()
    assert not one.add(first)


def test_a_restart_in_between_changes_nothing() -> None:
    hashes = viewers(3_000)
    for cut in (10, FEW, FEW + 1, 2_000):
        resumed = UniqueViewers.unpacked(counted(hashes[:cut]).packed())
        resumed.add(hashes[cut:])
        assert resumed.packed() == counted(hashes).packed()


def test_its_text_stays_small() -> None:
    assert len(counted(viewers(FEW)).packed()) < 12_000
    assert len(counted(viewers(100_000)).packed()) < 22 * 1024


def test_no_set_of_registers_breaks_the_estimate() -> None:
    assert estimate(bytes(REGISTERS)) == 0
    assert estimate(bytes([51]) * REGISTERS) > 2**60
    assert estimate(bytes([1]) * REGISTERS) > 0


@pytest.mark.parametrize("broken", ["", "x", "rAAAA", "r", "f?"])
def test_a_broken_text_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match=r"expected|base64|padding|data"):
        UniqueViewers.unpacked(broken)


def test_hashes_come_of_eight_bytes_each() -> None:
    assert list(hashes_of(bytes(7) + b"\1" + b"\xff" * 8 + b"rest")) == [1, 2**64 - 1]
