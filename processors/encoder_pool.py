"""The threads that encode: what viewers wait for goes first, then what is caught up with.

`concurrent.futures.ThreadPoolExecutor` knows no priorities; this is the same for two.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Step = tuple[Future[Any], Callable[[], Any]]


class EncoderPool(Executor):
    """So many threads. `submit` is for live work; `later` gives an executor whose work waits while there is any."""

    def __init__(self, threads: int) -> None:
        self.later = _Later(self)
        self._live: deque[Step] = deque()
        self._other: deque[Step] = deque()
        self._there = threading.Condition()
        self._over = False
        self._threads = [threading.Thread(target=self._run, name=f"encode-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do live work as soon as a thread is free."""
        return self._queue(self._live, lambda: fn(*args, **kwargs))

    def submit_later(self, work: Callable[[], T]) -> Future[T]:
        """Do work when a thread is free and no live work waits."""
        return self._queue(self._other, work)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No new work; what waits is done first, or cancelled."""
        with self._there:
            self._over = True
            while cancel_futures and (self._live or self._other):
                future, _ = (self._live or self._other).popleft()
                future.cancel()
            self._there.notify_all()
        if wait:
            for thread in self._threads:
                thread.join()

    def _queue(self, queue: deque[Step], work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._there:
            if self._over:
                raise RuntimeError("cannot encode after shutdown")
            queue.append((future, work))
            self._there.notify()
        return future

    def _run(self) -> None:
        while True:
            with self._there:
                while not (self._live or self._other):
                    if self._over:
                        return
                    self._there.wait()
                future, work = (self._live or self._other).popleft()
            if future.set_running_or_notify_cancel():
                _settle(future, work)


class _Later(Executor):
    """The same threads for work that can wait."""

    def __init__(self, pool: EncoderPool) -> None:
        self._pool = pool

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._pool.submit_later(lambda: fn(*args, **kwargs))


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001  (whoever awaits the future gets it)
        future.set_exception(error)
    else:
        future.set_result(result)
