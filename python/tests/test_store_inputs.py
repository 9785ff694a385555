"""What an upload takes: bytes, buffers, paths and file objects, and how much of them is read."""

from __future__ import annotations

import array
import io
import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.datastructures import FileStorage

from lablink_storage import (
    ImageStore,
    InvalidArgumentError,
    InvalidImageError,
    LimitExceededError,
    StorageError,
    UnsupportedFormatError,
)

from support import photo


class Chunky(io.RawIOBase):
    """Gives less than it is asked for, as sockets do, and cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1000))

    def tell(self) -> int:
        raise OSError("not seekable")


INPUTS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "slice of a memoryview": lambda data: memoryview(b"xx" + data)[2:],
    "array": lambda data: array.array("B", data),
    "BytesIO": io.BytesIO,
    "BufferedReader": lambda data: io.BufferedReader(io.BytesIO(data)),
    "werkzeug": lambda data: FileStorage(io.BytesIO(data), "board.png"),
    "unseekable": Chunky,
}


@pytest.mark.parametrize("kind", INPUTS)
def test_any_kind_of_input_is_the_same_image(memory: ImageStore, picture: bytes, kind: str) -> None:
    expected = memory.upload(picture).sha256
    assert memory.upload(INPUTS[kind](picture)).sha256 == expected


def test_files(memory: ImageStore, picture: bytes, tmp_path: Path) -> None:
    path = tmp_path / "board.jpg"
    path.write_bytes(picture)
    expected = memory.upload(picture).sha256
    assert memory.upload(path).sha256 == expected
    with path.open("rb") as file:
        assert memory.upload(file).sha256 == expected
        assert file.tell() == 0 and not file.closed
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert memory.upload(mapped).sha256 == expected
    with path.open("rb", buffering=0) as unbuffered:
        assert memory.upload(unbuffered).sha256 == expected
    for most in (10, 10_000_000):
        with tempfile.SpooledTemporaryFile(max_size=most) as spooled:
            spooled.write(picture)
            spooled.seek(0)
            assert memory.upload(spooled).sha256 == expected
            assert spooled.tell() == 0 and not spooled.closed


def test_a_file_object_is_read_from_where_it_stands_and_put_back(memory: ImageStore, picture: bytes) -> None:
    file = io.BytesIO(b"header" + picture)
    file.seek(6)
    assert memory.upload(file).width == 1200
    assert file.tell() == 6 and not file.closed
    file.seek(0)
    with pytest.raises(UnsupportedFormatError):
        memory.upload(file)
    assert file.tell() == 0


def test_a_file_object_is_put_back_when_reading_fails(memory: ImageStore) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            super().read(1)
            raise OSError("the disk is gone")

    file = Broken(b"abc")
    with pytest.raises(OSError, match="the disk is gone"):
        memory.upload(file)
    assert file.tell() == 0


def test_never_more_is_read_than_the_limit(picture: bytes) -> None:
    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += size
            return b"\xff" * size

    endless = Endless()
    with pytest.raises(LimitExceededError):
        ImageStore.memory(limits={"max_bytes": 5_000_000}).upload(endless)
    assert endless.given == 5_000_001


@pytest.mark.parametrize("wrong", [None, 7, "board.jpg", io.StringIO("text"), object()])
def test_what_is_no_file_is_a_type_error(memory: ImageStore, wrong: Any) -> None:
    with pytest.raises(TypeError):
        memory.upload(wrong)


def test_paths_that_are_no_files(memory: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        memory.upload(tmp_path / "missing.jpg")
    with pytest.raises(IsADirectoryError):
        memory.upload(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidArgumentError):
        memory.upload(tmp_path / "pipe")


@pytest.mark.alone
def test_no_file_is_left_open(memory: ImageStore, picture: bytes, tmp_path: Path) -> None:
    path = tmp_path / "board.jpg"
    path.write_bytes(picture)
    memory.upload(path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        memory.upload(path)
        with pytest.raises(StorageError):
            memory.upload(io.BytesIO(b"nothing"))
    assert len(os.listdir("/proc/self/fd")) == before


class Unseekable(io.RawIOBase):
    """Knows where it is and cannot go back: a request's stream, requests' raw, boto3's Body."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._inner.tell()

    def readinto(self, buffer: Any) -> int:
        return self._inner.readinto(buffer)


class WithoutSeek:
    def __init__(self, data: bytes) -> None:
        inner = io.BytesIO(data)
        self.read, self.tell = inner.read, inner.tell


@pytest.mark.parametrize("stream", [Unseekable, WithoutSeek])
def test_streams_that_cannot_go_back(memory: ImageStore, stream: Any) -> None:
    data = photo(40, 30)
    assert memory.upload(stream(data)).source.size == len(data)


def test_a_request_body_is_uploaded_as_it_comes(memory: ImageStore) -> None:
    app = Flask("lab")
    app.add_url_rule("/photo", "put", lambda: memory.upload(request.stream).key, methods=["PUT"])
    answer = app.test_client().put("/photo", data=photo(40, 30), content_type="image/jpeg")
    assert answer.status_code == 200 and memory.exists(answer.text)


@pytest.mark.parametrize("empty", [b"", io.BytesIO(), bytearray()])
def test_an_empty_file_is_called_empty(memory: ImageStore, empty: Any) -> None:
    with pytest.raises(InvalidImageError, match="the file is empty") as refused:
        memory.upload(empty)
    assert refused.value.http_status == 400 and not isinstance(refused.value, UnsupportedFormatError)
