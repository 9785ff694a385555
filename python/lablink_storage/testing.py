"""For the tests of applications: a store without S3, and small valid images of each format.

It is a plugin of pytest's, loaded with the package::

    def test_a_photo_is_shown(lablink_store, client):
        image = lablink_store.upload(images()["jpeg"])
        assert image.url in client.get("/").text
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ._lablink_storage import ImageStore, optimize

if TYPE_CHECKING:
    from ._types import ObjectInfo, PresignedPost, PresignedRequest, ReceivedPost, Status, StoredImage
    from ._typing import Duration, ImageInput, OptimizeOptions

__all__ = ["SECRET", "Store", "images", "lablink_images", "lablink_store"]

SECRET = "a-secret-for-tests-of-32-bytes-or-more"
"""The secret of :func:`lablink_store`."""


class Store(Protocol):
    """What applications ask of a store: for the annotations of code that takes an ``ImageStore``, or a
    stand-in of a test's own."""

    def upload(
        self, file: ImageInput, filename: str | None = None, *, optimize: OptimizeOptions | None = None
    ) -> StoredImage: ...
    def get(self, key: str) -> bytes: ...
    def head(self, key: str) -> ObjectInfo: ...
    def exists(self, key: str) -> bool: ...
    def list(self, prefix: str | None = None) -> Iterator[ObjectInfo]: ...
    def delete(self, key: str) -> None: ...
    def promote(self, key: str) -> StoredImage: ...
    def receive_post(
        self, fields: Mapping[str, str] | Iterable[tuple[str, str]], file: ImageInput
    ) -> ReceivedPost: ...
    def presigned_get(
        self, key: str, expires_in: Duration = 3600, download_as: str | None = None
    ) -> PresignedRequest: ...
    def presigned_post(
        self,
        filename: str,
        content_type: str | None = None,
        max_bytes: int | None = None,
        expires_in: Duration = 3600,
        pending: bool = True,
    ) -> PresignedPost: ...
    def public_url(self, key: str) -> str: ...
    def variant_url(self, key: str, name: str) -> str: ...
    def key_from_url(self, url: str) -> str: ...
    def status(self) -> Status: ...


def images(width: int = 32, height: int = 24) -> dict[str, bytes]:
    """Valid images of each format that every store accepts, by name: ``jpeg``, ``png``, ``webp``, ``gif``."""
    png = _png(width, height)
    made: dict[str, bytes] = {"png": png, "gif": _gif(width, height)}
    for format in ("jpeg", "webp"):
        options: dict[str, Any] = {"format": format, "max_width": width, "max_height": height}
        made[format] = optimize(png, **options).data
    return made


def _colours(width: int, height: int) -> Iterator[tuple[int, int, int]]:
    """A gradient, with a red corner at the top left, so that a turn shows."""
    for y in range(height):
        for x in range(width):
            in_corner = 2 * x < width and 2 * y < height
            yield (220, 30, 30) if in_corner else (60, 255 * x // width, 255 * y // height)


def _png(width: int, height: int) -> bytes:
    colours = list(_colours(width, height))
    rows = (colours[at : at + width] for at in range(0, len(colours), width))
    data = b"".join(b"\0" + bytes(value for colour in row for value in colour) for row in rows)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _gif(width: int, height: int) -> bytes:
    """Of 128 colours. Its codes have eight bits each: the table is cleared before it would grow."""
    palette = bytes(value for index in range(128) for value in _palette(index))
    indices = [
        (red // 86) * 16 + (green // 64) * 4 + blue // 64 for red, green, blue in _colours(width, height)
    ]
    clear, end = 128, 129
    codes = [
        code for at, index in enumerate(indices) for code in ((clear, index) if at % 100 == 0 else (index,))
    ]
    data = bytes([*codes, end])
    blocks = (data[at : at + 255] for at in range(0, len(data), 255))
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF6, 0, 0) + palette
    image = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x07"
    return head + image + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0;"


def _palette(index: int) -> tuple[int, int, int]:
    return index // 16 * 86 % 256, index // 4 % 4 * 85, index % 4 * 85


@pytest.fixture
def lablink_store() -> ImageStore:
    """An ``ImageStore`` in memory, empty, that signs requests, with the variant ``thumb``."""
    return ImageStore.memory(secret=SECRET, variants={"thumb": {"max_width": 320, "max_height": 320}})


@pytest.fixture(scope="session")
def lablink_images() -> dict[str, bytes]:
    """Small valid images by format; see :func:`images`."""
    return images()
