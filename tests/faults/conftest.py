"""Faults in the running system of `tests/running_stack.py`."""

import pytest

from tests.e2e.live_stack import LiveStack
from tests.faults.process_faults import Faults
from tests.running_stack import pytest_runtest_makereport  # noqa: F401  (a hook)


@pytest.fixture
def faults(stack: LiveStack) -> Faults:
    """Kills and stops processes of the stack."""
    return Faults(stack)
