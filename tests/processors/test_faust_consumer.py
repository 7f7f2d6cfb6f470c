import asyncio

import pytest

from processors.faust_consumer import EagerConsumer, EagerService


async def value_after(event: asyncio.Event, value: str) -> str:
    await event.wait()
    return value


async def value_at_once(value: str) -> str:
    return value


async def test_what_is_done_at_once_makes_no_task() -> None:
    tasks, never = asyncio.all_tasks(), asyncio.Event()
    results = await EagerService().wait_first(value_at_once("done"), never.wait())
    assert (results.results, results.stopped) == (["done"], False)
    assert asyncio.all_tasks() == tasks


async def test_what_waits_is_waited_for() -> None:
    ready, never = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(EagerService().wait_first(value_after(ready, "late"), never.wait()))
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    ready.set()
    assert (await waiting).results == ["late"]


async def test_another_may_be_first() -> None:
    suspended, never = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(EagerService().wait_first(value_after(never, "late"), suspended.wait()))
    suspended.set()
    assert (await waiting).results == [True]


@pytest.mark.parametrize("waits", [False, True])
async def test_an_error_is_the_callers(waits: bool) -> None:
    async def fails() -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("no record")

    with pytest.raises(ValueError, match="no record"):
        await EagerService().wait_first(fails(), asyncio.Event().wait())


async def test_what_waits_is_cancelled_with_its_caller() -> None:
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(EagerService().wait_first(waits()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(ended.wait(), 60)


def test_the_consumer_of_the_worker_is_one() -> None:
    assert EagerConsumer.wait_first is EagerService.wait_first
