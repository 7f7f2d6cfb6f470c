"""Ask for an ad break on a channel that is live."""

from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError

TIMEOUT_S = 20.0


@click.command("cue")
@click.argument("channel")
@click.option("--seconds", type=click.FloatRange(5, 600), default=30, show_default=True, help="Length of the break.")
@click.option("--server", help="The gateway. [default: http://HOST:PORT of the settings]")
@click.option(
    "--key", envvar="LOGCAST_STREAM_KEY", help="The channel's stream key. [default: the local operator's token]"
)
@data_option
def command(channel: str, seconds: float, server: str | None, key: str | None, data_dir: Path | None) -> None:
    """Start an ad break on CHANNEL at its next segment.

    It appears in every playlist as EXT-X-DATERANGE, on the feed and on the page. Exit code 1 with the reason when the
    channel is not live or the break overlaps another.
    """
    import httpx

    from stores.secrets import read_secret

    settings = absolute_settings(data_dir)
    token = key or settings.admin_token.get_secret_value() or read_secret(settings.data_dir / "keys" / "admin.token")
    if not token:
        raise LogcastError(f"no right to steer {channel}: give --key, or run it where the stack's data directory is")
    base = server or f"http://{settings.public_host}:{settings.http_port}"
    try:
        answer = httpx.post(
            f"{base}/v1/channels/{channel}/cues",
            json={"seconds": seconds},
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
        )
    except httpx.HTTPError as error:
        raise LogcastError(f"the gateway at {base} does not answer: {error}; is `logcast up` running?") from error
    values = answer.json()
    if answer.is_error:
        raise LogcastError(
            f"no break: {values.get('detail', answer.text)} ({values.get('reason', answer.status_code)})"
        )
    click.echo(f"break {values['cue_id']} of {seconds:g} s on {channel}: {values['state']}")
