"""What applications have for their own tests: the plugin's fixtures, and stores that can be replaced."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from lablink_storage import AsyncImageStore, ImageStore, testing

from support import opened

APPLICATION = """
from lablink_storage.testing import Store

def add(store: Store, photo: bytes) -> str:
    return store.upload(photo, filename="board.jpg").variants["thumb"].url

def test_a_photo_is_stored(lablink_store, lablink_images):
    for photo in lablink_images.values():
        assert add(lablink_store, photo).startswith("memory://lablink/components/")

def test_and_the_next_store_is_empty(lablink_store):
    assert list(lablink_store.list()) == []
"""


def test_the_plugin_in_an_applications_tests(tmp_path: Path) -> None:
    (tmp_path / "test_application.py").write_text(APPLICATION)
    plugin = [] if _is_installed() else ["-p", "lablink_storage.testing"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


def _is_installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "lablink_storage.testing" for point in entry_points(group="pytest11"))


@pytest.mark.parametrize("size", [(32, 24), (1, 1), (300, 200)])
def test_the_images_are_what_they_say(size: tuple[int, int]) -> None:
    for name, data in testing.images(*size).items():
        picture = opened(data)
        assert (picture.format, picture.size) == (name.upper(), size)
        if size != (1, 1):
            red, green, blue = picture.convert("RGB").getpixel((0, 0))  # type: ignore[misc]
            assert red > 150 and green < 90 and blue < 90, (name, red, green, blue)
        assert ImageStore.memory().upload(data).source.format == f"image/{name}"


def test_a_store_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore.memory()
    with patch.object(store, "upload", return_value="stored") as upload:
        assert store.upload(b"photo") == "stored"  # type: ignore[comparison-overlap]
        upload.assert_called_once_with(b"photo")
    monkeypatch.setattr(store, "exists", lambda key: True)
    assert store.exists("components/a.jpg")
    assert not ImageStore.memory().exists("components/a.jpg")
    with patch.object(ImageStore, "exists", return_value=True):
        assert ImageStore.memory().exists("components/a.jpg")


def test_an_asynchronous_store_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    store = AsyncImageStore.memory()

    async def use() -> None:
        with patch.object(store, "upload", return_value="stored") as upload:
            assert await store.upload(b"photo") == "stored"  # type: ignore[comparison-overlap]
            upload.assert_awaited_once_with(b"photo")
        image = await store.upload(testing.images()["jpeg"])
        assert await store.get(image.key), "the call is itself again"
        with monkeypatch.context() as patched:

            async def there(key: str) -> bool:
                return True

            patched.setattr(store, "exists", there)
            assert await store.exists("components/a.jpg")
            assert not await AsyncImageStore.memory().exists("components/a.jpg")
        assert not await store.exists("components/a.jpg")
        with patch.object(AsyncImageStore, "exists", return_value=True):
            assert await AsyncImageStore.memory().exists("components/a.jpg")

    asyncio.run(use())
