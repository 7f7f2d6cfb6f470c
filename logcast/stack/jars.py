"""The jars of Kafka and Cassandra: pinned by coordinate, size and SHA-256 in `jars.lock`, fetched by jgo.

Resolving the dependency graphs takes jgo minutes (it reads hundreds of POMs one after the other), so that is done once,
by `python -m logcast.stack.relock`; here every locked artifact is fetched by its own coordinate, several at a time,
into a cache that all data directories of a user share. A file gets its final name only after its checksum was
verified: a name in the cache is a promise.
"""

import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from logcast.errors import CannotStartError, DownloadError
from logcast.stack.locks import exclusive
from logcast.stack.mirrors import maven_repositories

FETCH_THREADS = 8
FETCH_TIMEOUT_S = 60
FETCH_ATTEMPTS = 3

Progress = Callable[["Jar", int], None]
"""Called from any thread with a jar and how many of its bytes are there now (all of them, at the end)."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock. `coordinate` is `group:artifact:version` or `group:artifact:version:classifier`."""

    product: str
    sha256: str
    size_bytes: int
    coordinate: str

    @property
    def file_name(self) -> str:
        """`artifact-version[-classifier].jar`, as Maven names it."""
        _group, artifact, version, *classifier = self.coordinate.split(":")
        return "-".join([artifact, version, *classifier]) + ".jar"

    @property
    def classifier(self) -> str:
        """The fourth part of the coordinate, or nothing."""
        return ":".join(self.coordinate.split(":")[3:])


def parse_lock(text: str) -> tuple[Jar, ...]:
    """Read the lock: `PRODUCT SHA256 BYTES COORDINATE` a line, in class path order; `#` opens a comment."""
    lines = (line.split("#")[0].split() for line in text.splitlines())
    return tuple(
        Jar(product, sha256, int(size), coordinate) for product, sha256, size, coordinate in filter(None, lines)
    )


def locked_jars() -> tuple[Jar, ...]:
    """The lock of this version of Logcast, without the native libraries of other platforms."""
    text = files("logcast.stack").joinpath("jars.lock").read_text("utf-8")
    return tuple(jar for jar in parse_lock(text) if suits(jar.classifier, sys.platform, platform.machine()))


def suits(classifier: str, system: str, machine: str) -> bool:
    """Whether a jar with this Maven classifier is of use on `sys.platform` and `platform.machine()`."""
    operating_system, _, architecture = classifier.partition("-")
    if operating_system not in {"linux", "osx", "windows"}:
        return True
    ours = {"darwin": "osx", "win32": "windows"}.get(system, system)
    machine = {"AMD64": "x86_64", "arm64": "aarch_64", "aarch64": "aarch_64"}.get(machine, machine)
    return (operating_system, architecture) == (ours, machine)


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where jars are kept: `LOGCAST_CACHE_DIR`, else `logcast` in the user's cache directory (XDG)."""
    if chosen := environ.get("LOGCAST_CACHE_DIR"):
        return Path(chosen)
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "logcast"


def missing_jars(jars: Iterable[Jar], cache: Path) -> tuple[Jar, ...]:
    """Those of `jars` that the cache does not hold in full size."""
    return tuple(jar for jar in jars if _size(cache / "jars" / jar.file_name) != jar.size_bytes)


def fetch_jars(jars: Iterable[Jar], cache: Path, progress: Progress) -> None:
    """Fetch what is missing, check it, put it into the cache. A second process waits for the first.

    Raises:
        DownloadError: a jar cannot be had, or is not the one of the lock.
        CannotStartError: the cache cannot be written.
    """
    try:
        (cache / "jars").mkdir(parents=True, exist_ok=True)
        with exclusive(cache / "fetch.lock"), tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as scratch:
            missing = missing_jars(jars, cache)
            with _hurried_pool() as pool:
                for _ in pool.map(lambda jar: _fetch(jar, Path(scratch), cache, progress), missing):
                    pass
    except OSError as error:
        raise CannotStartError(
            f"cannot write the jar cache {cache}: {error.strerror or error}; "
            f"make room or rights there, or set LOGCAST_CACHE_DIR to another directory"
        ) from error


@contextmanager
def _hurried_pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that begin nothing new once something went wrong, or Ctrl-C was typed."""
    with ThreadPoolExecutor(FETCH_THREADS) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def class_path(jars: Iterable[Jar], product: str, cache: Path) -> tuple[Path, ...]:
    """The files of `product` ("kafka" or "cassandra") in the order of the lock."""
    return tuple(cache / "jars" / jar.file_name for jar in jars if jar.product == product)


def _fetch(jar: Jar, scratch: Path, cache: Path, progress: Progress) -> None:
    path = _download(jar, scratch, progress)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise DownloadError(
            f"{jar.file_name} has the SHA-256 {found}, but jars.lock says {jar.sha256}: "
            f"the repository, or what lies between, gives out another file; do not run it"
        )
    path.replace(cache / "jars" / jar.file_name)
    progress(jar, jar.size_bytes)


def _download(jar: Jar, scratch: Path, progress: Progress) -> Path:
    import requests
    from jgo.maven import MavenContext, PythonResolver

    group, artifact_id, version, *_ = jar.coordinate.split(":")
    context = MavenContext(
        PythonResolver(progress_callback=lambda _name, _size: _counted(jar, progress)),
        repo_cache=scratch,
        remote_repos=maven_repositories(),
        timeout=FETCH_TIMEOUT_S,
    )
    artifact: Any = context.project(group, artifact_id).at_version(version).artifact(classifier=jar.classifier)
    for attempt in range(FETCH_ATTEMPTS):
        try:
            return Path(artifact.resolve())
        except (requests.RequestException, RuntimeError) as error:
            Path(artifact.cached_path).unlink(missing_ok=True)  # what came so far would count as the whole
            if attempt + 1 == FETCH_ATTEMPTS:
                raise DownloadError(
                    f"cannot fetch {jar.coordinate} ({type(error).__name__}); check the network, or name a mirror "
                    f"in ~/.m2/settings.xml or under [repositories] in ~/.config/jgo.conf, and start again"
                ) from error
    raise AssertionError("the loop above returns or raises")


@contextmanager
def _counted(jar: Jar, progress: Progress) -> Iterator[Callable[[int], None]]:
    """What jgo wants: a context that gives a function, which takes the size of each piece."""
    received = 0

    def more(size_bytes: int) -> None:
        nonlocal received
        received += size_bytes
        progress(jar, received)

    yield more


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
