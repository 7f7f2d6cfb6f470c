"""The `logcast` command: a thin group that imports a subcommand when it is called, so that `--help` is quick.

Every module in `logcast/commands/` is a subcommand: `tail.py` holds a click command (or group) named `command`, and is
called `logcast tail` (`import_.py` is `logcast import`). Its short help is the first line of the module's docstring.
"""

import ast
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import click

from logcast.errors import LogcastError
from media.realtime import give_up_realtime

COMMANDS = Path(__file__).with_name("commands")


class LazyGroup(click.Group):
    """A group of the modules in a folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """The names of the modules."""
        return sorted(_modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module; for the list of commands its docstring is enough."""
        if cmd_name not in _modules():
            return None
        if ctx.resilient_parsing:
            return click.Command(cmd_name)
        command = import_module(f"logcast.commands.{_modules()[cmd_name].stem}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (click's signature)
        """The names with the first line of what they say of themselves."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(path)) for name, path in sorted(_modules().items())])


@cache
def _modules() -> dict[str, Path]:
    """Command name to its module."""
    return {
        path.stem.rstrip("_").replace("_", "-"): path for path in COMMANDS.glob("*.py") if not path.stem.startswith("_")
    }


def _summary(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.split("\n", 1)[0]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="logcast")
def cli() -> None:
    """Live streaming where the log is the stream.

    Exit codes: 0 done, 1 failed, 2 wrong option or setting, 3 no stack runs there, 4 something on this machine keeps
    it from starting, 5 a jar could not be fetched.
    """


def main() -> None:
    """Run the command; a known error is one sentence on stderr and its exit code."""
    give_up_realtime()
    try:
        cli(prog_name="logcast", standalone_mode=True)
    except LogcastError as error:
        _end(str(error), error.exit_code)
    except ValueError as error:
        from stores.settings import SettingsError

        if not isinstance(error, SettingsError):
            raise
        _end(str(error), 2)


def _end(sentence: str, code: int) -> None:
    click.echo(f"logcast: {sentence}", err=True)
    sys.exit(code)
