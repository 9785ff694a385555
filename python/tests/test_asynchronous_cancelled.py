"""Uploads that are cancelled: whenever it is, nothing stays of which nobody learned."""

from __future__ import annotations

import asyncio
import time

import pytest

from lablink_storage import AsyncImageStore, ImageStore

from support import photo

SMALL = photo(200, 150)


async def left_in(store: AsyncImageStore) -> list[str]:
    """What is there once all has been undone, which happens in its own time: a store bounds it by its deadline."""
    ends = time.monotonic() + 30
    while (left := [info.key async for info in store.list()]) and time.monotonic() < ends:
        await asyncio.sleep(0.05)
    return left


def test_a_cancelled_upload_leaves_no_object(store: ImageStore) -> None:
    """Before, while and after it is written."""
    asynchronous = AsyncImageStore(store)
    cancelled = 0

    async def cancel(after: float) -> None:
        nonlocal cancelled
        task = asyncio.create_task(asynchronous.upload(SMALL))
        await asyncio.sleep(after)
        task.cancel()
        try:
            image = await task
        except asyncio.CancelledError:
            cancelled += 1
            return
        await asynchronous.delete(image.key)

    async def cancel_all() -> list[str]:
        started = time.monotonic()
        await asynchronous.delete((await asynchronous.upload(SMALL)).key)
        takes = time.monotonic() - started
        await asyncio.gather(*[cancel(takes * step / 20) for step in range(40)])
        return await left_in(asynchronous)

    assert asyncio.run(cancel_all()) == []
    assert cancelled, "each was done before it could be cancelled"


def test_a_cancellation_between_the_result_and_its_task(store: ImageStore) -> None:
    """The future has its result, and the task that awaits it is cancelled before it goes on."""
    asynchronous = AsyncImageStore(store)

    async def cancel_in_between() -> list[str]:
        task = asyncio.create_task(asynchronous.upload(SMALL))
        while not ((awaited := getattr(task, "_fut_waiter", None)) and awaited.done()):
            assert not task.done()
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await left_in(asynchronous)

    assert asyncio.run(cancel_in_between()) == []
