"""When a process that died starts again: sooner the longer it had run, later the more often it failed."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RestartRule:
    """How patient to be with one process."""

    first_s: float = 1.0
    """Wait before the first restart; 0 is at once."""
    max_s: float = 30.0
    """The longest wait; doubling ends here."""
    steady_s: float = 30.0
    """Who ran for so long did not fail fast: counting starts anew."""
    patience: int = 5
    """So many fast failures in a row make the state `failed` (it is still tried again, every `max_s`)."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often one process failed fast, one time after the other."""

    rule: RestartRule
    fast_failures: int = 0

    def after(self, ran_s: float) -> "Restarts":
        """The count after another death, `ran_s` seconds after the start."""
        return replace(self, fast_failures=1 if ran_s >= self.rule.steady_s else self.fast_failures + 1)

    def asked_for(self) -> "Restarts":
        """The count after an end that somebody asked for: it is no failure, and it starts again at once."""
        return replace(self, fast_failures=0)

    @property
    def failed(self) -> bool:
        """Whether patience is at its end."""
        return self.fast_failures >= self.rule.patience

    @property
    def wait_s(self) -> float:
        """How long to wait before the next start."""
        if self.failed:
            return self.rule.max_s
        if not self.fast_failures:
            return 0.0
        if self.fast_failures == 1:
            return min(self.rule.first_s, self.rule.max_s)
        return min(2.0 ** (self.fast_failures - 2), self.rule.max_s)
