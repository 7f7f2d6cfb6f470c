"""Make accounts, list them, reset passwords, name administrators."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError

if TYPE_CHECKING:
    from stores.sessions import Sessions
    from stores.settings import Settings
    from stores.users import User, Users

Result = TypeVar("Result")


@click.group("user")
def command() -> None:
    """Accounts, in the database of LOGCAST_DATABASE_URL or the data directory."""


@command.command("create")
@click.argument("login")
@click.option("--name", default="", help="Shown to others. [default: the login]")
@click.option("--email", default="", help="Where a password reset is sent; taken for verified.")
@click.option("--admin", is_flag=True, help="May everything, everywhere.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input. [default: one is made]")
@data_option
def create(login: str, name: str, email: str, admin: bool, password_stdin: bool, data_dir: Path | None) -> None:
    """Make an account. Without --password-stdin a password is made and printed, only this once."""
    import secrets

    from gateway import auth_forms as forms
    from gateway.auth_passwords import Passwords

    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else secrets.token_urlsafe(12)
    values = _checked(
        login=(forms.login, login),
        password=(forms.password, password),
        email=(forms.email, email),
        **({"name": (forms.display_name, name)} if name else {}),
    )
    settings = absolute_settings(data_dir)

    async def make(users: "Users", _sessions: "Sessions") -> "User":
        passwords = Passwords(settings)
        try:
            hashed = await passwords.hash(values["password"])
        finally:
            passwords.close()
        return await users.create(
            values["login"],
            hashed,
            name=values.get("name", ""),
            email=values["email"],
            admin=admin,
            email_verified=True,
        )

    user = _with_users(settings, make)
    click.echo(f"user      {user.login}")
    click.echo(f"id        {user.id}")
    if not password_stdin:
        click.echo(f"password  {password}")


@command.command("list")
@data_option
def list_(data_dir: Path | None) -> None:
    """The accounts, by number: login, id, name, administrators marked."""
    for user in _with_users(absolute_settings(data_dir), lambda users, _: users.every()):
        click.echo(f"{user.number}\t{user.login}\t{user.id}\t{user.name}" + ("\tadmin" if user.admin else ""))


@command.command("reset-password")
@click.argument("login")
@data_option
def reset_password(login: str, data_dir: Path | None) -> None:
    """Print a token by which LOGIN chooses a new password, once; earlier ones are void."""
    settings = absolute_settings(data_dir)

    async def reset(users: "Users", sessions: "Sessions") -> str:
        user = await users.known(login)
        return await sessions.new_reset(user.number, settings.reset_token_s * 1000)

    token = _with_users(settings, reset)
    click.echo(f"token  {token}")
    base = settings.public_url or f"http://{settings.public_host}:{settings.http_port}"
    click.echo(f"page   {base}/reset#{token}")
    click.echo(f"works  once, for {settings.reset_token_s // 60} min")


@command.command("admin")
@click.argument("login")
@click.option("--remove", is_flag=True, help="No longer one.")
@data_option
def admin_(login: str, remove: bool, data_dir: Path | None) -> None:
    """Make LOGIN an administrator, who may everything, everywhere."""
    user = _with_users(absolute_settings(data_dir), lambda users, _: users.set_admin(login, admin=not remove))
    click.echo(f"{user.login} is {'an' if user.admin else 'no'} administrator")


def _checked(**fields: tuple[Callable[[str], str], str]) -> dict[str, str]:
    from gateway.auth_forms import Wrong

    found = {}
    for name, (check, value) in fields.items():
        try:
            found[name] = check(value)
        except Wrong as error:
            raise LogcastError(f"{name}: {error}") from error
    return found


def _with_users(settings: "Settings", action: "Callable[[Users, Sessions], Awaitable[Result]]") -> Result:
    """Do one thing with the database; its errors end the command with their sentence."""
    from stores.sessions import Sessions
    from stores.sql import DatabaseError, open_engine
    from stores.users import Users, UsersError

    async def act() -> Result:
        async with open_engine(settings.sql_url) as engine:
            return await action(Users(engine), Sessions(engine, settings.session_days * 86_400_000))

    try:
        return asyncio.run(act())
    except (UsersError, DatabaseError) as error:
        raise LogcastError(str(error)) from error
