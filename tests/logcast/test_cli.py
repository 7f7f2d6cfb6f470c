"""The command as it is typed, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from logcast.stack.environment import environment
from stores.settings import Settings

SUBCOMMANDS = ("channel", "doctor", "down", "restart", "retention", "serve", "status", "topics", "up", "user", "video")


def logcast(*arguments: str | Path, settings: Settings | None = None) -> subprocess.CompletedProcess[str]:
    environ = os.environ | (environment(settings) if settings else {})
    return subprocess.run(
        [sys.executable, "-m", "logcast", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_subcommand_and_the_exit_codes() -> None:
    run = logcast("--help")
    assert run.returncode == 0
    assert all(f"\n  {name} " in run.stdout for name in SUBCOMMANDS)
    assert "Exit codes:" in run.stdout


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_explains_itself(name: str) -> None:
    run = logcast(name, "--help")
    assert run.returncode == 0
    assert run.stdout.startswith(f"Usage: logcast {name}")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom logcast.cli import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    heavy = (
        "rich",
        "pydantic",
        "confluent_kafka",
        "cassandra",
        "faust",
        "sqlalchemy",
        "starlette",
        "av",
        "numpy",
        "jgo",
    )
    assert [name for name in heavy if f"'{name}'" in modules] == []


def test_a_wrong_setting_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "logcast", "status", "--data", tmp_path],
        env=os.environ | {"LOGCAST_PARTITIONS": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "partitions" in run.stderr


def test_a_wrong_option_is_exit_code_2() -> None:
    assert logcast("up", "--http-port", "70000").returncode == 2
    assert logcast("nonsense").returncode == 2


@pytest.mark.parametrize("name", ["status", "down"])
def test_where_nothing_runs_the_exit_code_is_3(tmp_path: Path, name: str) -> None:
    run = logcast(name, "--data", tmp_path)
    assert run.returncode == 3
    assert run.stderr.startswith(f"logcast: no stack runs on {tmp_path}")


def test_a_channel_is_made_listed_and_given_a_new_key(settings: Settings) -> None:
    made = logcast("channel", "create", "ann-live", settings=settings)
    assert made.returncode == 0, made.stderr
    key = made.stdout.split()[-1]
    assert key.startswith("lc_")
    again = logcast("channel", "create", "ann-live", settings=settings)
    assert again.returncode == 1
    assert "there is a channel 'ann-live' already" in again.stderr
    rotated = logcast("channel", "rotate-key", "ann-live", settings=settings).stdout.split()[-1]
    assert rotated != key
    chosen = logcast(
        "channel", "set", "ann-live", "--keep", "4w", "--visibility", "unlisted", "--tag", "#Oil", settings=settings
    )
    assert chosen.stdout.split() == [
        "channel",
        "ann-live",
        "title",
        "ann-live",
        "keep",
        "28",
        "d",
        "visibility",
        "unlisted",
        "tags",
        "Oil",
    ]
    none = logcast("channel", "set", "ann-live", "--tag", "a,b", settings=settings)
    assert (none.returncode, "without commas, found 'a,b'" in none.stderr) == (1, True)
    assert logcast("channel", "list", settings=settings).stdout == "ann-live\tann-live\tkeep 28 d\tunlisted\n"
    wrong = logcast("channel", "set", "ann-live", "--keep", "soon", settings=settings)
    assert (wrong.returncode, "`never` or `forever`, found 'soon'" in wrong.stderr) == (2, True)
    assert logcast("channel", "rotate-key", "nobody", settings=settings).returncode == 1


@pytest.mark.integration
def test_topics_are_applied_listed_and_described(kafka: str, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(partitions=1)
    assert kafka == settings.kafka_bootstrap
    first = logcast("topics", "apply", settings=settings)
    assert first.returncode == 0, first.stderr
    assert "0 created, 0 altered" in logcast("topics", "apply", settings=settings).stdout
    names = logcast("topics", "list", settings=settings).stdout.split()
    assert settings.topic("media.source") in names
    assert f"{names[0]}  partitions=1 replication=1" in logcast("topics", "describe", settings=settings).stdout


def test_status_as_json_is_one_object_for_programs(tmp_path: Path) -> None:
    from logcast.stack.instance import only_instance, write_stack_file
    from logcast.stack.process import ProcessState, Snapshot

    with only_instance(tmp_path):
        said = [Snapshot("kafka", ProcessState.RESTARTING, None, 9092, "killed", 0.0)]
        write_stack_file(tmp_path, 1.0, {"page": "http://x/"}, said)
        run = logcast("status", "--json", "--data", tmp_path)
    assert run.returncode == 1, "not everything is ready"
    found = json.loads(run.stdout)
    assert found["ready"] is False
    assert found["supervisor_pid"] == os.getpid()
    assert found["processes"][0] | {"age_s": 0} == {
        "name": "kafka",
        "state": "restarting",
        "pid": None,
        "port": 9092,
        "memory_bytes": 0,
        "age_s": 0,
        "note": "killed",
    }
