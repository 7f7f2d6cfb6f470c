"""Fixtures: one running system for all tests that need the whole; a channel, clips and an HTTP client of a test's own."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator

import httpx
import pytest

from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker

HTTP_TIMEOUT_S = 90.0
"""Above what a blocking reload may take."""


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Shows a measurement among pytest's own lines, whatever is captured."""
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    capture = pytestconfig.pluginmanager.get_plugin("capturemanager")
    assert reporter is not None
    assert capture is not None

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"    {line}")

    return tell


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, say: Callable[[str], None]) -> Iterator[LiveStack]:
    """Everything that `logcast up` starts; in the end SIGTERM stops it, with exit code 0 and nothing left behind."""
    stack = LiveStack(tmp_path_factory.mktemp("stack"))
    say(f"first start: ready in {stack.start():.1f} s")
    try:
        yield stack
        if stack.running:
            say(f"stopped in {stack.stop():.1f} s")
    finally:
        stack.kill_all()


@pytest.fixture
def channel(stack: LiveStack) -> Channel:
    """A channel of this test alone."""
    return stack.new_channel()


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ClipMaker:
    """Makes test clips."""
    return ClipMaker(tmp_path_factory.mktemp("clips"))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client."""
    async with httpx.AsyncClient(timeout=HTTP_TIMEOUT_S) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows the end of the stack's logs, too."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, LiveStack):
        report.sections.append(("Logs of the stack", stack.last_lines()))
    return report
