"""What `logcast up` shows while it runs."""

import time
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from logcast.stack.process import ProcessState, Snapshot
from logcast.stack.table import clock, stack_table


class StackView:
    """Tells the reader what happens: a live table on a terminal, else a line for each change."""

    def __init__(self, console: Console, data_dir: Path) -> None:
        self._console = console
        self._data_dir = data_dir
        self._said: dict[str, tuple[ProcessState, str]] = {}
        self._warned: set[str] = set()
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def show(self, snapshots: tuple[Snapshot, ...]) -> None:
        """Draw the table anew."""
        if self.live:
            now = time.time()
            rows = ((s.name, s.state.value, s.pid, s.port, now - s.since, escape(s.note)) for s in snapshots)
            self.live.update(stack_table(rows), refresh=True)

    def tell(self, snapshot: Snapshot) -> None:
        """Say a change; with a death, its last lines."""
        if self._said.get(snapshot.name) == (snapshot.state, snapshot.note):
            return
        self._said[snapshot.name] = (snapshot.state, snapshot.note)
        died = snapshot.state in {ProcessState.RESTARTING, ProcessState.FAILED}
        if died or not self.live:
            note = f" ({escape(snapshot.note)})" if snapshot.note else ""
            self._say(f"{clock(snapshot.since)} {snapshot.name} {snapshot.state.value}{note}")
        if snapshot.state is ProcessState.FAILED:
            for line in snapshot.last_lines:
                self._say(f"    {escape(line)}")
            self._say(f"    more in {self._data_dir / 'logs' / snapshot.name}.log")
        if snapshot.advice:
            self._say(escape(snapshot.advice))

    def warn(self, sentence: str) -> None:
        """Say something once, however often it is noticed."""
        if sentence not in self._warned:
            self._warned.add(sentence)
            self._say(escape(sentence))

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)
