"""Fetching runs against a real HTTP server that gives out a repository of our own, through jgo as it is."""

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from logcast.errors import CannotStartError, DownloadError
from logcast.stack.jars import Jar, class_path, fetch_jars, locked_jars, missing_jars, parse_lock, suits

COORDINATES = ("org.example:one:1.0", "org.example.deep:two:2.1:linux-x86_64")
CONTENT = b"PK\x03\x04 not really a jar " * 1000


class Repository(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the base class's)
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a repository that is the user's mirror of Central."""
    folder = tmp_path / "repository"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Repository, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        home = tmp_path / "home"
        (home / ".m2").mkdir(parents=True)
        (home / ".m2" / "settings.xml").write_text(
            "<settings><mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf>"
            f"<url>http://127.0.0.1:{server.server_port}/</url></mirror></mirrors></settings>"
        )
        monkeypatch.setenv("HOME", str(home))
        yield folder
        server.shutdown()


def publish(repository: Path, coordinate: str, content: bytes) -> Jar:
    group, artifact, version, *_ = coordinate.split(":")
    jar = Jar("kafka", hashlib.sha256(content).hexdigest(), len(content), coordinate)
    folder = repository.joinpath(*group.split("."), artifact, version)
    folder.mkdir(parents=True)
    (folder / jar.file_name).write_bytes(content)
    return jar


def test_fetches_what_is_missing_and_counts_its_bytes(repository: Path, tmp_path: Path) -> None:
    jars = [publish(repository, coordinate, CONTENT) for coordinate in COORDINATES]
    received: dict[Jar, int] = {}
    assert missing_jars(jars, tmp_path / "cache") == tuple(jars)
    fetch_jars(jars, tmp_path / "cache", received.__setitem__)
    assert received == dict.fromkeys(jars, len(CONTENT))
    assert [path.read_bytes() for path in class_path(jars, "kafka", tmp_path / "cache")] == [CONTENT, CONTENT]
    assert missing_jars(jars, tmp_path / "cache") == ()


def test_asks_for_nothing_when_everything_is_there(repository: Path, tmp_path: Path) -> None:
    jar = publish(repository, COORDINATES[0], CONTENT)
    fetch_jars([jar], tmp_path / "cache", lambda _jar, _received: None)
    received: list[Jar] = []
    fetch_jars([jar], tmp_path / "cache", lambda jar, _received: received.append(jar))
    assert received == []


def test_refuses_a_jar_that_is_not_the_locked_one_and_keeps_it_out_of_the_cache(
    repository: Path, tmp_path: Path
) -> None:
    jar = publish(repository, COORDINATES[0], CONTENT)
    other = Jar(jar.product, "0" * 64, jar.size_bytes, jar.coordinate)
    with pytest.raises(DownloadError, match=r"one-1.0.jar has the SHA-256 .* but jars.lock says 0000"):
        fetch_jars([other], tmp_path / "cache", lambda _jar, _received: None)
    assert list((tmp_path / "cache" / "jars").iterdir()) == []
    assert [path.name for path in (tmp_path / "cache").glob("fetch-*")] == []


def test_says_what_to_do_when_a_jar_cannot_be_had(repository: Path, tmp_path: Path) -> None:
    jar = Jar("kafka", "0" * 64, 5, "org.example:absent:1.0")
    with pytest.raises(
        DownloadError, match=r"cannot fetch org.example:absent:1.0 .*check the network, or name a mirror"
    ):
        fetch_jars([jar], tmp_path / "cache", lambda _jar, _received: None)
    assert repository.exists()


def test_says_what_to_do_when_the_cache_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStartError, match="set LOGCAST_CACHE_DIR"):
        fetch_jars([], tmp_path / "file", lambda _jar, _received: None)


def test_the_lock_pins_both_products_and_names_no_host() -> None:
    jars = locked_jars()
    assert {jar.product for jar in jars} == {"kafka", "cassandra"}
    assert "org.apache.kafka:kafka_2.13:4.3.1" in {jar.coordinate for jar in jars}
    assert "org.apache.kafka:kafka-clients:4.3.1" in {jar.coordinate for jar in jars}
    assert "org.apache.cassandra:cassandra-all:5.0.9" in {jar.coordinate for jar in jars}
    assert all(len(jar.sha256) == 64 and jar.size_bytes > 0 for jar in jars)
    assert not any("/" in jar.coordinate for jar in jars)


def test_no_two_locked_jars_share_a_file_name() -> None:
    names = [jar.file_name for jar in locked_jars()]
    by_content = {(jar.file_name, jar.sha256) for jar in locked_jars()}
    assert len(by_content) == len(set(names))


def test_the_lock_may_hold_comments_and_empty_lines() -> None:
    assert parse_lock("# about\n\nkafka ab 12 g:a:1:c # why\n") == (Jar("kafka", "ab", 12, "g:a:1:c"),)
    assert parse_lock("kafka ab 12 g:a:1:c")[0].file_name == "a-1-c.jar"


@pytest.mark.parametrize(
    ("classifier", "system", "machine", "wanted"),
    [
        ("", "linux", "x86_64", True),
        ("native", "darwin", "arm64", True),
        ("linux-x86_64", "linux", "x86_64", True),
        ("linux-aarch_64", "linux", "aarch64", True),
        ("linux-aarch_64", "linux", "x86_64", False),
        ("osx-aarch_64", "darwin", "arm64", True),
        ("osx-x86_64", "linux", "x86_64", False),
        ("windows-x86_64", "linux", "x86_64", False),
    ],
)
def test_native_libraries_of_other_platforms_are_left_out(
    classifier: str, system: str, machine: str, *, wanted: bool
) -> None:
    assert suits(classifier, system, machine) is wanted
