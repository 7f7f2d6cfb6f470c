"""Make channels, list them, give them new stream keys."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError
from logcast.keep_times import KeepTime, keep_text

if TYPE_CHECKING:
    from stores.accounts import Accounts, NewKey
    from stores.settings import Settings

Result = TypeVar("Result")


@click.group("channel")
def command() -> None:
    """Channels and their stream keys, in the accounts database of LOGCAST_DATABASE_URL or the data directory."""


@command.command("create")
@click.argument("name")
@click.option("--title", default="", help="Shown on the page. [default: the name]")
@click.option("--owner", help="The login of who owns it. [default: the operator's alone]")
@data_option
def create(name: str, title: str, owner: str | None, data_dir: Path | None) -> None:
    """Make a channel and print its stream key, which is shown only this once."""
    settings = absolute_settings(data_dir)

    async def make(accounts: "Accounts") -> "NewKey":
        number = await _number_of(settings, owner) if owner else None
        return await accounts.create_channel(name, title, owner=number)

    _print_key(settings, _with_accounts(settings, make))


@command.command("rotate-key")
@click.argument("name")
@data_option
def rotate_key(name: str, data_dir: Path | None) -> None:
    """Give a channel a new stream key and print it; the old one stops working at once."""
    from logcast.keys import keep_if_kept

    settings = absolute_settings(data_dir)
    key = _with_accounts(settings, lambda accounts: accounts.rotate_key(name))
    keep_if_kept(settings.data_dir, name, key.stream_key)
    _print_key(settings, key)


@command.command("set")
@click.argument("name")
@click.option("--title", help="Shown on the page.")
@click.option("--keep", type=KeepTime(), help="How long recordings are kept: 30d, 4w, never, forever.")
@click.option("--visibility", type=click.Choice(["public", "unlisted", "private"]), help="Who may watch.")
@click.option("--tag", "tags", multiple=True, help="What they are about, in place of the tags before; again for more.")
@click.option("--description", help="What they are about, in lines.")
@data_option
def set_(
    name: str,
    title: str | None,
    keep: int | None,
    visibility: str | None,
    tags: tuple[str, ...],
    description: str | None,
    data_dir: Path | None,
) -> None:
    """Choose how the next videos of channel NAME are kept and shown; what is not given stays."""
    from schemas.events import Visibility

    chosen = Visibility(visibility) if visibility else None
    channel = _with_accounts(
        absolute_settings(data_dir),
        lambda accounts: accounts.set_channel(
            name, title=title, keep_days=keep, visibility=chosen, tags=tags or None, description=description
        ),
    )
    click.echo(f"channel     {channel.name}")
    click.echo(f"title       {channel.title}")
    click.echo(f"keep        {keep_text(channel.keep_days)}")
    click.echo(f"visibility  {channel.visibility.value}")
    click.echo(f"tags        {', '.join(channel.tags) or 'none'}")


@command.command("list")
@data_option
def list_(data_dir: Path | None) -> None:
    """The channels, by name, with their titles and how their next videos are kept and shown."""
    for channel in _with_accounts(absolute_settings(data_dir), lambda accounts: accounts.channels()):
        kept = keep_text(channel.keep_days)
        click.echo(f"{channel.name}\t{channel.title}\tkeep {kept}\t{channel.visibility.value}")


async def _number_of(settings: "Settings", login: str) -> int:
    from stores.sql import open_engine
    from stores.users import Users

    async with open_engine(settings.sql_url) as engine:
        return (await Users(engine).known(login)).number


def _with_accounts(settings: "Settings", action: "Callable[[Accounts], Awaitable[Result]]") -> Result:
    """Do one thing with the accounts database; its errors end the command with their sentence."""
    from stores.accounts import Accounts, AccountsError
    from stores.descriptions import BadText
    from stores.sql import DatabaseError
    from stores.users import UsersError

    async def act() -> Result:
        async with Accounts.open(settings) as accounts:
            return await action(accounts)

    try:
        return asyncio.run(act())
    except (AccountsError, BadText, UsersError, DatabaseError) as error:
        raise LogcastError(str(error)) from error


def _print_key(settings: "Settings", key: "NewKey") -> None:
    from logcast.stack.addresses import push_address

    click.echo(f"channel     {key.channel.name}")
    click.echo(f"push to     {push_address(settings)}")
    click.echo(f"stream key  {key.stream_key}")
