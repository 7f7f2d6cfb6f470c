"""Make a signed link to a video or channel."""

import re
from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError

TIMEOUT_S = 20.0
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Duration(click.ParamType):
    """`90s`, `30m`, `2h`, `7d` as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType.convert`."""
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
        if found is None:
            self.fail(f"expected 90s, 30m, 2h or 7d, found {value}", param, ctx)
        return int(found[1]) * UNITS[found[2]]


@click.command("link")
@click.argument("what", metavar="VIDEO|CHANNEL")
@click.option("--for", "lasts_s", type=Duration(), default="2h", show_default=True, help="How long it works.")
@click.option("--tag", default="-", help="Who it is for, as you like: it stands in the link and in the edge's log.")
@click.option("--server", help="The gateway or edge. [default: http://HOST:PORT of the settings]")
@click.option(
    "--key", envvar="LOGCAST_STREAM_KEY", help="The channel's stream key. [default: the local operator's token]"
)
@data_option
def command(what: str, lasts_s: int, tag: str, server: str | None, key: str | None, data_dir: Path | None) -> None:
    """Print links that let their holder watch a VIDEO, or every video of a CHANNEL, private ones too."""
    import httpx

    from schemas.ids import VIDEO_ID
    from stores.secrets import read_secret

    settings = absolute_settings(data_dir)
    token = key or settings.admin_token.get_secret_value() or read_secret(settings.data_dir / "keys" / "admin.token")
    if not token:
        raise LogcastError(f"no right to {what}: give --key, or run it where the stack's data directory is")
    base = server or f"http://{settings.public_host}:{settings.http_port}"
    kind = "videos" if VIDEO_ID.fullmatch(what) else "channels"
    try:
        answer = httpx.post(
            f"{base}/v1/{kind}/{what}/links",
            json={"expires_s": lasts_s, "tag": tag},
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
        )
    except httpx.HTTPError as error:
        raise LogcastError(f"the gateway at {base} does not answer: {error}; is `logcast up` running?") from error
    values = answer.json()
    if answer.is_error:
        raise LogcastError(f"no link: {values.get('detail', answer.text)} ({values.get('reason', answer.status_code)})")
    for name in ("page", "hls", "dash"):
        click.echo(f"{name:5} {base}{values[name]}")
