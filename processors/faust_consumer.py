"""Faust's consumer, at less cost for each record.

Faust waits for the handling of each record together with three events that hardly ever come (flow suspended, stopped,
crashed), which makes four tasks a record: a third of what a worker did with a backlog of comments. But handling a record
hardly ever waits: it only puts it into a queue. So it is begun in place, and only if it waits is it waited for as before.
"""

from collections.abc import Coroutine, Generator
from functools import partial
from inspect import iscoroutine
from typing import Any

from faust.transport.drivers.aiokafka import Consumer
from mode.services import Service, WaitArgT, WaitResults


class Begun:
    """What is left of a coroutine that was begun outside a task and `waits_for` a future."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                sent = yield waits_for
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as error:  # noqa: BLE001  (it is the coroutine's, a cancellation too)
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, sent)
            try:
                waits_for = step()
            except StopIteration as done:
                return done.value


class EagerService(Service):
    """A service that makes no task for what is done at once."""

    async def wait_first(self, *coros: WaitArgT, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109  (its signature)
        """As Faust's: wait until the first of these is done, or the consumer stops."""
        first, *others = coros
        if timeout is not None or not iscoroutine(first):
            return await super().wait_first(*coros, timeout=timeout)
        try:
            waits_for = first.send(None)
        except StopIteration as done:
            _close(others)
            return WaitResults([first], [done.value], self.should_stop)
        except BaseException:
            _close(others)
            raise
        return await super().wait_first(Begun(first, waits_for), *others)


class EagerConsumer(EagerService, Consumer):
    """Faust's consumer as such a service."""


def _close(begun_never: list[WaitArgT]) -> None:
    for one in begun_never:
        if iscoroutine(one):
            one.close()
