"""Give a video captions or subtitles from a file, list them, take them away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError

TIMEOUT_S = 60.0

Function = TypeVar("Function", bound=Callable[..., Any])


def _where(function: Function) -> Function:
    """`--server`, `--key` and `--data`."""
    function = click.option("--server", help="The gateway. [default: http://HOST:PORT of the settings]")(function)
    help_ = "The channel's stream key. [default: the local operator's token]"
    return data_option(click.option("--key", envvar="LOGCAST_STREAM_KEY", help=help_)(function))


@click.group("captions")
def command() -> None:
    """Captions and subtitles of a VIDEO, from WebVTT or SubRip files."""


@command.command("add")
@click.argument("video")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--language", required=True, help="BCP 47, such as en or pt-BR.")
@click.option("--label", help="What viewers read in the menu. [default: the language]")
@click.option(
    "--kind",
    type=click.Choice(["captions", "subtitles"]),
    default="captions",
    show_default=True,
    help="captions tell sounds, too.",
)
@_where
def add(video: str, file: Path, language: str, label: str | None, kind: str, **where: Any) -> None:
    """Give VIDEO the captions in FILE; of the same language they replace what was there."""
    params = {"kind": kind} | ({"label": label} if label else {})
    values = _call("PUT", f"/v1/videos/{video}/captions/{language}", params=params, content=file.read_bytes(), **where)
    click.echo(f"{values['kind']} {values['language']} ({values['label']}) of {video}: {values['bytes']:,} bytes")


@command.command("remove")
@click.argument("video")
@click.option("--language", required=True, help="BCP 47, such as en or pt-BR.")
@_where
def remove(video: str, language: str, **where: Any) -> None:
    """Take the captions of a language away from VIDEO."""
    _call("DELETE", f"/v1/videos/{video}/captions/{language}", **where)
    click.echo(f"captions {language} of {video} are gone")


@command.command("list")
@click.argument("video")
@_where
def show(video: str, **where: Any) -> None:
    """List the files of VIDEO."""
    for row in _call("GET", f"/v1/videos/{video}/captions", **where)["captions"]:
        click.echo(f"{row['language']:12} {row['kind']:10} {row['bytes']:>8,}  {row['label']}")


def _call(
    method: str, path: str, *, server: str | None, key: str | None, data_dir: Path | None, **request: Any
) -> dict[str, Any]:
    """What the gateway answers.

    Raises:
        LogcastError: it refuses, or does not answer.
    """
    import httpx

    from stores.secrets import read_secret

    settings = absolute_settings(data_dir)
    token = key or settings.admin_token.get_secret_value() or read_secret(settings.data_dir / "keys" / "admin.token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    base = server or f"http://{settings.public_host}:{settings.http_port}"
    try:
        answer = httpx.request(method, base + path, headers=headers, timeout=TIMEOUT_S, **request)
    except httpx.HTTPError as error:
        raise LogcastError(f"the gateway at {base} does not answer: {error}; is `logcast up` running?") from error
    values: dict[str, Any] = answer.json() if answer.content else {}
    if answer.is_error:
        raise LogcastError(f"{values.get('detail', answer.text)} ({values.get('reason', answer.status_code)})")
    return values
