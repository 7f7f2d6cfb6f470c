"""Options that several subcommands share, and how they become settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def data_option(function: Function) -> Function:
    """`--data DIR`."""
    return click.option(
        "--data",
        "data_dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where the stack keeps everything. [default: LOGCAST_DATA_DIR, else ./data]",
    )(function)


def port_options(function: Function) -> Function:
    """`--http-port` and `--rtmp-port`."""
    port = click.IntRange(1, 65_535)
    function = click.option("--rtmp-port", type=port, help="Where to push to. [default: 1935]")(function)
    return click.option("--http-port", type=port, help="Of the page and the API. [default: 8080]")(function)


def absolute_settings(data_dir: Path | None, **options: Any) -> Any:
    """Load the settings, the data directory made absolute (other processes run elsewhere)."""
    from stores.settings import load_settings

    settings = load_settings(data_dir=data_dir, **options)
    return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().resolve()})
