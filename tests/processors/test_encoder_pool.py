"""Live work goes before what can wait; errors reach whoever asked."""

import threading
from concurrent.futures import CancelledError

import pytest

from processors.encoder_pool import EncoderPool


def test_live_work_overtakes_what_can_wait_and_each_kind_keeps_its_order() -> None:
    pool, gate, done = EncoderPool(1), threading.Event(), list[str]()
    pool.submit(gate.wait)
    futures = [pool.later.submit(done.append, "later 1"), pool.later.submit(done.append, "later 2")]
    futures += [pool.submit(done.append, "live 1"), pool.submit(done.append, "live 2")]
    gate.set()
    for future in futures:
        future.result(60)
    assert done == ["live 1", "live 2", "later 1", "later 2"]
    pool.shutdown()


def test_an_error_is_raised_where_the_result_is_awaited_and_the_thread_goes_on() -> None:
    pool = EncoderPool(1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result(60)
    assert pool.later.submit(lambda: 7).result(60) == 7
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(lambda: 7)


def test_what_waits_at_the_end_is_done_or_cancelled() -> None:
    gate = threading.Event()
    for cancel in (False, True):
        pool = EncoderPool(1)
        gate.clear()
        pool.submit(gate.wait)
        waiting = pool.later.submit(lambda: 7)
        pool.shutdown(wait=False, cancel_futures=cancel)
        gate.set()
        if cancel:
            with pytest.raises(CancelledError):
                waiting.result(60)
        else:
            assert waiting.result(60) == 7
