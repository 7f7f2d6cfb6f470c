"""What a check needs and is not there: said and skipped at home, a failure under CI (`CI` is set)."""

import os
from typing import NoReturn

import pytest


def missing(what: str, how: str) -> NoReturn:
    """End the test for want of `what`; `how` is where it comes from."""
    sentence = f"needs {what}: {how}"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)
