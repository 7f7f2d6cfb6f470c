"""Follow a channel in the terminal: comments, totals, breaks; --play shows the picture too."""

import shutil
import subprocess
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING

import click

from logcast.errors import LogcastError

if TYPE_CHECKING:
    from logcast.feed_types import Message


@click.command("watch")
@click.argument("channel")
@click.option("--server", help="The gateway. [default: http://HOST:PORT of the settings]")
@click.option("--history", type=click.IntRange(0, 200), default=20, show_default=True, help="Comments to begin with.")
@click.option("--play", is_flag=True, help="Show the picture with mpv or ffplay.")
def command(channel: str, server: str | None, history: int, play: bool) -> None:
    """Follow CHANNEL until Ctrl-C. The connection is made again when it breaks, and nothing is missed."""
    import asyncio

    from stores.settings import load_settings

    settings = load_settings()
    base = (server or f"http://{settings.public_host}:{settings.http_port}").rstrip("/")
    with ExitStack() as stack:
        if play:
            player = subprocess.Popen(player_argv(f"{base}/live/{channel}/master.m3u8"), stdin=subprocess.DEVNULL)
            stack.callback(player.terminate)
        try:
            asyncio.run(_follow(base, channel, history))
        except KeyboardInterrupt:
            return


def player_argv(url: str) -> list[str]:
    """The command of the first player that is installed."""
    for name, options in (("mpv", ["--really-quiet"]), ("ffplay", ["-loglevel", "error"])):
        if shutil.which(name):
            return [name, *options, url]
    raise LogcastError("--play needs mpv or ffplay; install one of them, or open the page")


async def _follow(server: str, channel: str, history: int) -> None:
    from rich.console import Console

    from logcast.client import FeedClient, FeedError

    console = Console(highlight=False)
    try:
        async with FeedClient(server, channel, history=history) as feed:
            async for message in feed.typed():
                line = line_of(message)
                if line:
                    console.print(line)
    except FeedError as error:
        raise LogcastError(str(error)) from error


def line_of(message: "Message") -> str | None:  # noqa: PLR0911  (one line a message)
    """A message as a line with rich's markup; None for what need not be shown."""
    from rich.markup import escape

    from logcast import feed_types as feed

    match message:
        case feed.Comment(user=user, text=text, at_ms=at_ms, state="shown"):
            time = datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M:%S")
            reply = "↳ " if message.parent else ""
            return f"[dim]{time}[/] {reply}[bold cyan]{escape(user.name)}[/] {escape(text)}"
        case feed.Changed(change=change, text=text):
            return f"[dim]a comment was {escape(change)}{': ' + escape(text) if text else ''}[/]"
        case feed.Joined(video=video, user=user, viewers=viewers):
            state = f"{escape(video['title'])} is {video['state']}" if video else "not live yet"
            return f"[green]●[/] {escape(message.channel)}: {state} · {viewers} here · you are {escape(user.name)}"
        case feed.Totals(likes=likes, comments=comments, reactions=reactions):
            counted = " ".join(f"{kind} {n}" for kind, n in sorted(reactions.items()))
            return f"[magenta]♥ {likes}[/] · {comments} comments {escape(counted)}".rstrip()
        case feed.Break(state=state, duration_ms=duration_ms):
            return f"[yellow]ad break {state}, {duration_ms / 1000:g} s[/]"
        case feed.Video(state=state, title=title):
            return f"[green]●[/] {escape(title)} is {state}"
        case feed.Failed(message=text):
            return f"[red]{escape(text)}[/]"
        case feed.Goodbye(reason=reason, retry_ms=retry_ms):
            return f"[yellow]{escape(reason)}; back in {retry_ms / 1000:.1f} s[/]"
    return None
