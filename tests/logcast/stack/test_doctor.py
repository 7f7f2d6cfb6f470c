import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logcast.errors import CannotStartError
from logcast.stack.doctor import checks, require_all
from logcast.stack.instance import only_instance
from stores.settings import Settings


@pytest.fixture
def free(make_settings: Callable[..., Settings], unused_ports: Callable[[int], list[int]]) -> Callable[..., Settings]:
    """Makes settings whose ports are free."""

    def settings(**options: object) -> Settings:
        kafka, _, http, rtmp, native, storage, *health = unused_ports(9)
        return make_settings(
            **{
                "kafka_bootstrap": f"127.0.0.1:{kafka}",
                "http_port": http,
                "rtmp_port": rtmp,
                "cassandra_port": native,
                "cassandra_storage_port": storage,
                "health_port_ingest": health[0],
                "health_port_worker": health[1],
                "health_port_consumers": health[2],
            }
            | options
        )

    return settings


def failures(settings: Settings) -> dict[str, str]:
    return {check.name: f"{check.found}: {check.advice}" for check in checks(settings) if not check.ok}


def test_a_machine_that_can_run_it_passes_and_every_question_is_answered(free: Callable[..., Settings]) -> None:
    settings = free()
    found = list(checks(settings))
    names = [check.name for check in found]
    assert {"Python", "write access", "disk", "memory", "open files", "clock", "Java"} <= set(names)
    assert f"port {settings.http_port}" in names
    assert all(check.found for check in found)
    assert [check.name for check in found if not check.ok and not check.warning] == []


def test_a_port_that_is_taken_keeps_the_stack_from_starting(free: Callable[..., Settings]) -> None:
    settings = free()
    with (
        socket.create_server(("127.0.0.1", settings.rtmp_port)),
        pytest.raises(CannotStartError, match=rf"port {settings.rtmp_port} for RTMP is taken by .* with --rtmp-port$"),
    ):
        require_all(settings)


def test_a_port_that_is_set_twice_is_told_with_both_uses(free: Callable[..., Settings]) -> None:
    settings = free()
    twice = settings.model_copy(update={"health_port_worker": settings.http_port})
    assert f"port {settings.http_port} is set for the page and the API and for worker's health" in str(failures(twice))


def test_the_ports_of_a_stack_that_runs_on_this_directory_are_its_own(free: Callable[..., Settings]) -> None:
    settings = free()
    with socket.create_server(("127.0.0.1", settings.http_port)), only_instance(settings.data_dir):
        assert failures(settings) == {}


def test_a_directory_that_cannot_be_made_is_told(free: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = failures(free(data_dir=tmp_path / "file" / "data"))
    assert "cannot write to" in found["write access"]
    assert "choose another with --data" in found["write access"]


def test_a_directory_name_that_kafka_cannot_take_is_told(free: Callable[..., Settings], tmp_path: Path) -> None:
    assert "has , :" in failures(free(data_dir=tmp_path / "a,b:c"))["data directory"]


def test_a_clock_that_went_back_is_told(free: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "kafka.log"
    log.touch()
    os.utime(log, (time.time() + 3600, time.time() + 3600))
    assert "set it" in failures(free())["clock"]


def test_a_java_that_cannot_start_is_told(
    free: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("no program")
    (tmp_path / "release").write_text('JAVA_VERSION="17.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(CannotStartError, match=r"Java cannot start .*set JAVA_HOME to a Java 17"):
        require_all(free())


def test_a_hot_store_that_is_away_is_said_with_what_to_do(
    free: Callable[..., Settings], unused_ports: Callable[[int], list[int]]
) -> None:
    (port,) = unused_ports(1)
    settings = free(segment_url=f"redis://:geheim@127.0.0.1:{port}/0")
    found = failures(settings)["hot segment store"]
    assert f"cannot reach Redis at 127.0.0.1:{port}" in found
    assert "start it" in found
    assert "geheim" not in found
    with pytest.raises(CannotStartError, match="cannot reach Redis"):
        require_all(settings)


def test_a_hot_store_that_answers_is_shown_by_its_address(free: Callable[..., Settings], redis_server: int) -> None:
    settings = free(segment_url=f"redis://127.0.0.1:{redis_server}/0")
    shown = {check.name: check.found for check in checks(settings) if check.ok}
    assert shown["hot segment store"] == f"Redis at 127.0.0.1:{redis_server} can be used"


def test_recordings_that_cannot_be_written_are_a_warning_for_live_goes_on(
    free: Callable[..., Settings], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    settings = free(recordings_url=f"file://{tmp_path}/file/recordings")
    found = {check.name: check for check in checks(settings)}["recordings"]
    assert (found.ok, found.warning) == (False, True)
    assert "is no directory that this user may write to" in found.found
    assert "live goes on" in found.advice
    require_all(settings)
