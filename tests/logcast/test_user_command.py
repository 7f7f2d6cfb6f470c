"""The operator's side of accounts, as it is typed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from logcast.cli import cli
from logcast.errors import LogcastError
from stores.memberships import Memberships
from stores.roles import Role
from stores.settings import load_settings
from stores.sql import open_engine
from stores.users import Users

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LOGCAST_ARGON2_MEMORY_KIB", "8")
    monkeypatch.setenv("LOGCAST_DATA_DIR", str(tmp_path))

    def invoke(*arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(cli, [*arguments], input=text)

    return invoke


def value(result: Result, name: str) -> str:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return next(line.split()[1] for line in result.output.splitlines() if line.startswith(name))


def test_an_account_is_made_listed_and_made_an_administrator(run: Run) -> None:
    made = run("user", "create", "ann", "--name", "Ann P.", "--email", "ann@example.org")
    assert len(value(made, "password")) >= 16
    user_id = value(made, "id")
    assert run("user", "list").output == f"1\tann\t{user_id}\tAnn P.\n"
    assert run("user", "admin", "ann").output == "ann is an administrator\n"
    assert run("user", "list").output.endswith("\tadmin\n")
    assert run("user", "admin", "ann", "--remove").output == "ann is no administrator\n"


def test_a_password_may_be_typed_and_is_then_not_shown(run: Run) -> None:
    made = run("user", "create", "ann", "--password-stdin", text="correct horse\n")
    assert made.exit_code == 0
    assert "correct horse" not in made.output
    assert "password" not in made.output


def test_a_reset_is_printed_and_the_one_before_is_void(run: Run) -> None:
    run("user", "create", "ann")
    first, second = (value(run("user", "reset-password", "ann"), "token") for _ in range(2))
    assert first.startswith("lp_")
    assert first != second


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("user", "create", "Ann!"), "login: expected 2 to 32 of a-z"),
        (("user", "create", "ann", "--email", "nowhere"), "email: expected an address"),
        (("user", "reset-password", "nobody"), "there is no user 'nobody'"),
        (("channel", "create", "ann-tv", "--owner", "nobody"), "there is no user 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    failed = run(*arguments)
    assert isinstance(failed.exception, LogcastError)
    assert sentence in str(failed.exception)


def test_a_weak_password_is_refused(run: Run) -> None:
    failed = run("user", "create", "ann", "--password-stdin", text="password1\n")
    assert "tried first" in str(failed.exception)


async def test_a_channel_is_made_for_its_owner(run: Run, tmp_path: Path) -> None:
    import asyncio

    user_id = value(await asyncio.to_thread(run, "user", "create", "ann"), "id")
    assert (await asyncio.to_thread(run, "channel", "create", "ann-tv", "--owner", "ann")).exit_code == 0
    async with open_engine(load_settings(data_dir=tmp_path).sql_url) as engine:
        assert (await Memberships(engine, Users(engine)).standing(user_id, "ann-tv")).role is Role.OWNER
