"""AsyncImageStore: whatever a service has in hand is taken, and never more of it than the limit."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiofiles
import pytest

import lablink_storage
from lablink_storage import AsyncImageStore, ImageStore

from support import photo

SMALL = photo(200, 150)


class AsyncFile:
    """An async file object that notes how much is asked of it at once."""

    def __init__(self, data: bytes, name: str) -> None:
        self.file, self.name, self.most = io.BytesIO(data), name, 0

    async def read(self, size: int = -1) -> bytes:
        self.most = max(self.most, size)
        return self.file.read(size)

    async def tell(self) -> int:
        return self.file.tell()

    async def seek(self, at: int) -> int:
        return self.file.seek(at)


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


def test_whatever_a_service_has_in_hand(memory: ImageStore, tmp_path: Path) -> None:
    from starlette.datastructures import UploadFile

    store = AsyncImageStore(memory)
    path = tmp_path / "board.jpg"
    path.write_bytes(SMALL)
    file = AsyncFile(b"before" + SMALL, "board.jpg")
    file.file.seek(6)

    async def upload_all() -> set[str]:
        inputs: list[Any] = [
            SMALL,
            bytearray(SMALL),
            memoryview(SMALL),
            path,
            io.BytesIO(SMALL),
            file,
            UploadFile(io.BytesIO(SMALL), filename="board.jpg"),
            chunks(SMALL),
        ]
        async with aiofiles.open(path, "rb") as opened:
            return {(await store.upload(given)).sha256 for given in [*inputs, opened]}

    assert len(asyncio.run(upload_all())) == 1
    assert file.file.tell() == 6
    for wrong in (None, 7, "board.jpg", io.StringIO("text")):
        with pytest.raises(TypeError):
            asyncio.run(store.upload(wrong))  # type: ignore[arg-type]


def test_further_uploads_wait_before_they_read(memory: ImageStore) -> None:
    store = AsyncImageStore(memory)

    async def upload_all() -> int:
        began, go = 0, asyncio.Event()

        async def file() -> AsyncIterator[bytes]:
            nonlocal began
            began += 1
            await go.wait()
            yield SMALL

        jobs = [asyncio.create_task(store.upload(file())) for _ in range(40)]
        for _ in range(200):
            await asyncio.sleep(0)
        assert began == 32
        go.set()
        return len({image.key for image in await asyncio.gather(*jobs)})

    assert asyncio.run(upload_all()) == 40


def test_never_more_is_read_than_the_limit() -> None:
    store = AsyncImageStore.memory(limits={"max_bytes": 100_000})
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 4096
            yield bytes(4096)

    file = AsyncFile(bytes(10_000_000), "a.jpg")
    for given in (endless(), file):
        with pytest.raises(lablink_storage.LimitExceededError):
            asyncio.run(store.upload(given))
    assert taken < 120_000 and file.most <= 100_001
