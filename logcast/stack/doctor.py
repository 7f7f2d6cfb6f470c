"""What must be true of this machine before the stack starts; each check says what it found and what to do."""

import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from logcast.errors import CannotStartError
from logcast.stack.instance import is_held
from logcast.stack.jars import cache_dir, locked_jars, missing_jars
from logcast.stack.java import find_java, java_version
from logcast.stack.layout import ONE, Layout
from logcast.stack.ports import PortClaim, port_claims, port_problem
from stores.settings import Settings

MIB = 1024 * 1024
DISK_MIN_MB = 1024
MEMORY_MIN_MB = 2048
CLUSTER_MEMORY_MIN_MB = 6144
FILES_MIN = 4096
RECORDINGS_WAIT = "live goes on; recording waits for it as long as the hot store has the parts"
CLOCK_TOLERANCE_S = 120
RELEASED_S = 1_760_000_000
"""October 2025: the clock of a machine that runs this cannot be before it."""


@dataclass(frozen=True, slots=True)
class Check:
    """A question, what was found, and, when it is not as it should be, what to do. A warning does not keep from starting."""

    name: str
    ok: bool
    found: str
    advice: str = ""
    warning: bool = False


def checks(settings: Settings, layout: Layout = ONE) -> Iterator[Check]:
    """Look at this machine, cheapest first, for a stack of this layout. Nothing is changed but for a file that is written and removed."""
    yield _python()
    yield _directory_name(settings.data_dir)
    yield _writable(settings.data_dir)
    yield _disk("disk", settings.data_dir)
    yield _jars()
    yield _memory(MEMORY_MIN_MB if not layout.is_cluster else CLUSTER_MEMORY_MIN_MB)
    yield _open_files()
    yield _clock(settings.data_dir)
    yield _java()
    yield _hot_store(settings)
    yield _recordings(settings)
    yield from _ports(settings, layout)


def require_all(settings: Settings, layout: Layout = ONE) -> list[Check]:
    """Run the checks; gives those that are worth a warning.

    Raises:
        CannotStartError: the first check that failed, as one sentence.
    """
    warnings = []
    for check in checks(settings, layout):
        if not check.ok and not check.warning:
            raise CannotStartError(f"{check.found}: {check.advice}" if check.advice else check.found)
        if not check.ok:
            warnings.append(check)
    return warnings


def raise_open_files() -> None:
    """Let this process and its children open as many files as the system lets them."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if _soft == resource.RLIM_INFINITY or _soft >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _python() -> Check:
    found = f"{platform.python_implementation()} {platform.python_version()} on {sys.platform} {platform.machine()}"
    ok = sys.version_info >= (3, 11) and sys.platform != "win32"
    return Check("Python", ok, found, "use CPython 3.11 or later on Linux or macOS")


def _directory_name(data_dir: Path) -> Check:
    wrong = sorted({character for character in str(data_dir) if character in ',:;"\\$' or not character.isprintable()})
    return Check(
        "data directory",
        not wrong,
        str(data_dir) if not wrong else f"{data_dir} has {' '.join(wrong)} in its name",
        "Kafka and Java cannot take that: choose another with --data",
    )


def _writable(data_dir: Path) -> Check:
    probe = data_dir / f".write-test-{os.getpid()}"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        full = error.errno in {28, 122}
        advice = (
            "make room, or choose another with --data"
            if full
            else "give yourself rights, or choose another with --data"
        )
        return Check("write access", False, f"cannot write to {data_dir} ({error.strerror})", advice)
    return Check("write access", True, f"{data_dir} can be written")


def _disk(name: str, directory: Path) -> Check:
    existing = next(parent for parent in (directory, *directory.parents) if parent.exists())
    free_mb = shutil.disk_usage(existing).free // MIB
    return Check(
        name,
        free_mb >= DISK_MIN_MB,
        f"{free_mb} MiB free for {directory}",
        f"at least {DISK_MIN_MB} MiB are needed: make room, or choose another with --data",
    )


def _jars() -> Check:
    missing = missing_jars(locked_jars(), cache_dir())
    size_mb = sum(jar.size_bytes for jar in missing) // MIB
    found = f"{len(missing)} to fetch, {size_mb} MiB" if missing else f"all in {cache_dir() / 'jars'}"
    existing = next(parent for parent in (cache_dir(), *cache_dir().parents) if parent.exists())
    room = shutil.disk_usage(existing).free // MIB > size_mb + 64
    writable = not missing or os.access(existing, os.W_OK)
    return Check(
        "Kafka's and Cassandra's jars",
        room and writable,
        found,
        f"{existing} has no room or cannot be written: set LOGCAST_CACHE_DIR to another directory",
    )


def _memory(least_mb: int) -> Check:
    available_mb = psutil.virtual_memory().available // MIB
    return Check(
        "memory",
        available_mb >= least_mb,
        f"{available_mb} MiB available",
        f"the idle stack takes up to {least_mb} MiB: close other programs",
        warning=True,
    )


def _open_files() -> Check:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    return Check(
        "open files",
        unlimited or hard >= FILES_MIN,
        f"at most {'unlimited' if unlimited else hard} open files a process",
        f"at least {FILES_MIN} are needed: raise the hard limit (ulimit -Hn {FILES_MIN})",
    )


def _clock(data_dir: Path) -> Check:
    now = time.time()
    newest = max((path.stat().st_mtime for path in _touched(data_dir)), default=0.0)
    found = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    behind = max(newest - CLOCK_TOLERANCE_S, RELEASED_S) > now
    return Check("clock", not behind, found, "the clock is behind what it was: set it (events are stamped with it)")


def _touched(data_dir: Path) -> Iterator[Path]:
    yield from data_dir.glob("logs/*.log")
    yield from data_dir.glob("run/*.json")


def _hot_store(settings: Settings) -> Check:
    from stores.hot_tier import hot_tier_place, hot_tier_problem

    problem = hot_tier_problem(settings)
    return Check("hot segment store", not problem, problem or f"{hot_tier_place(settings)} can be used")


def _recordings(settings: Settings) -> Check:
    from stores.recordings import recordings_problem, shown_url

    problem = recordings_problem(settings)
    return Check("recordings", not problem, problem or shown_url(settings), RECORDINGS_WAIT, warning=True)


def _java() -> Check:
    try:
        java = find_java()
        return Check("Java", True, f"{java_version(java)} (from {java.source})")
    except CannotStartError as error:
        return Check("Java", False, str(error))


def _ports(settings: Settings, layout: Layout) -> Iterator[Check]:
    try:
        claims = port_claims(settings, layout)
    except CannotStartError as error:
        yield Check("ports", False, str(error))
        return
    if is_held(settings.data_dir):
        yield Check("ports", True, f"a stack runs on {settings.data_dir}: its ports are its own")
        return
    seen: dict[tuple[str, int], PortClaim] = {}
    for claim in claims:
        place = (claim.host if layout.is_cluster else "", claim.port)
        yield _port(claim, seen.setdefault(place, claim))


def _port(claim: PortClaim, first: PortClaim) -> Check:
    name = f"port {claim.port}"
    if first is not claim:
        found = f"port {claim.port} is set for {first.purpose} and for {claim.purpose}"
        return Check(name, False, found, f"change one with {first.option} or {claim.option}")
    if problem := port_problem(claim):
        return Check(name, False, problem)
    return Check(name, True, f"free for {claim.purpose}")
