"""An inspector: a callable that looks at each image before it is stored."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from lablink_storage import (
    ConfigurationError,
    ImageStore,
    Inspection,
    NotSupportedError,
    RejectedError,
    StorageTimeoutError,
    UnavailableError,
)
from lablink_storage.flask import LablinkStorage

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def photo() -> bytes:
    return (Path(__file__).parents[2] / "examples" / "photo.jpg").read_bytes()


def agree(image: Inspection) -> None:
    pass


def test_it_sees_the_picture_and_the_context(photo: bytes) -> None:
    seen: list[Inspection] = []
    store = ImageStore.memory(secret=SECRET, inspector=seen.append)
    image = store.upload(photo, filename="board.jpg", context={"user": 7})
    (inspection,) = seen
    assert inspection.data == photo
    assert inspection.source == image.source
    assert (inspection.filename, inspection.context) == ("board.jpg", {"user": 7})
    assert (len(image.source.sha256), inspection.dhash) == (64, image.dhash)
    with Image.open(io.BytesIO(inspection.picture)) as picture:
        assert (picture.format, picture.mode, max(picture.size)) == ("PNG", "RGB", 512)
    post = store.presigned_post("a.jpg")
    store.receive_post(post.fields, photo)
    store.promote(post.key, context="form 3")
    # Of a direct upload, once as it arrives.
    assert (seen[1].data, seen[1].filename, seen[1].context) == (photo, None, None)
    assert (seen[2].data, seen[2].context) == (photo, "form 3")


def test_what_it_rejects_is_not_stored(photo: bytes) -> None:
    def inspect(image: Inspection) -> None:
        raise RejectedError("no faces, please")

    store = ImageStore.memory(inspector=inspect)
    with pytest.raises(RejectedError, match="^the image was rejected: no faces, please$") as caught:
        store.upload(photo)
    assert (caught.value.code, caught.value.http_status, caught.value.retryable) == ("rejected", 422, False)
    assert isinstance(caught.value, ValueError)
    assert list(store.list()) == []


def test_what_it_rejects_is_not_received_either(tmp_path: Path, photo: bytes) -> None:
    def inspect(image: Inspection) -> None:
        raise RejectedError("no faces, please")

    store = ImageStore.local(tmp_path, secret=SECRET, inspector=inspect)
    app = Flask("lab")
    LablinkStorage(app, guard=False, store=store)
    client = app.test_client()
    form: Any = client.post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    answer: Any = client.post(form["url"], data=form["fields"] | {"file": (io.BytesIO(photo), "a.jpg")})
    assert answer.status_code == 422, answer.text
    assert answer.json["error"] == "rejected" and "no faces" in answer.json["message"]
    assert not store.exists(form["key"])


@pytest.mark.parametrize("answer", ["raise", "False", "True"])
def test_a_failure_is_no_consent(photo: bytes, answer: str) -> None:
    def inspect(image: Inspection) -> None:
        if answer == "raise":
            raise OSError("the service is down")
        return answer == "True"  # type: ignore[return-value]

    store = ImageStore.memory(inspector=inspect)
    with pytest.raises(UnavailableError) as caught:
        store.upload(photo)
    assert caught.value.retryable
    assert ("the service is down" if answer == "raise" else "has to return None") in str(
        caught.value.__cause__
    )
    assert list(store.list()) == []


def test_its_time_is_bounded(photo: bytes) -> None:
    ended = threading.Event()
    store = ImageStore.memory(deadline=0.5, inspector=lambda image: None if ended.wait(30) else None)
    with pytest.raises(StorageTimeoutError):
        store.upload(photo)
    ended.set()
    assert list(store.list()) == []


def test_one_that_hangs_does_not_take_all_threads(tmp_path: Path) -> None:
    """The thread of a call is not free before the call returns, however long ago its upload was given up."""
    hangs, released = threading.Event(), threading.Event()

    def inspect(image: Inspection) -> None:
        if hangs.is_set():
            released.wait(120)

    buffer = io.BytesIO()
    Image.new("RGB", (50, 50), "red").save(buffer, "PNG")
    small = buffer.getvalue()
    store = ImageStore.local(tmp_path, deadline=2, decode_wait=60, inspector=inspect)
    image = store.upload(small)

    def error_of_upload(_: int) -> Exception | None:
        try:
            store.upload(small)
        except (StorageTimeoutError, UnavailableError) as error:
            return error
        return None

    hangs.set()
    try:
        # More than the runtime has threads for files, names and inspectors.
        with ThreadPoolExecutor(80) as threads:
            assert all(threads.map(error_of_upload, range(80)))
        assert len(store.get(image.key)) == image.size
        # At once: by its deadline it would be a StorageTimeoutError.
        with pytest.raises(UnavailableError) as caught:
            store.upload(small)
        assert caught.value.retryable
        assert "hangs" in str(caught.value.__cause__) and "time limit" in str(caught.value.__cause__)
        assert [info.key for info in store.list()] == [image.key]
    finally:
        hangs.clear()
        released.set()
    end = time.monotonic() + 60
    while (error := error_of_upload(0)) is not None:
        assert time.monotonic() < end, error
        time.sleep(0.02)


def test_final_keys_are_not_supported() -> None:
    store = ImageStore.memory(secret=SECRET, inspector=agree)
    with pytest.raises(NotSupportedError):
        store.presigned_post("a.jpg", pending=False)


def test_a_store_takes_it_along(tmp_path: Path, photo: bytes) -> None:
    store = pickle.loads(pickle.dumps(ImageStore.local(tmp_path, inspector=agree)))
    assert store.upload(photo).key


def test_a_wrong_one_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no_such_module"):
        ImageStore.memory(inspector="no_such_module:inspect")
    with pytest.raises(ConfigurationError, match="inspector"):
        ImageStore.memory(inspector="no_colon")
    with pytest.raises(TypeError, match="inspector"):
        ImageStore.memory(inspector=7)  # type: ignore[arg-type]


def test_the_variable_counts_for_the_command_line(tmp_path: Path, photo: bytes) -> None:
    (tmp_path / "lab.py").write_text(
        "from lablink_storage import RejectedError\n"
        "def inspect(image):\n"
        "    if image.source.width > 100:\n"
        "        raise RejectedError('too wide')\n"
    )
    (tmp_path / "wide.jpg").write_bytes(photo)
    small = io.BytesIO()
    Image.new("RGB", (50, 50), "red").save(small, "PNG")
    (tmp_path / "small.png").write_bytes(small.getvalue())
    variables = os.environ | {
        "LABLINK_STORAGE_DIR": str(tmp_path / "uploads"),
        "LABLINK_STORAGE_INSPECTOR": "lab:inspect",
        "PYTHONPATH": str(tmp_path),
    }
    command = [sys.executable, "-m", "lablink_storage", "put", "small.png", "wide.jpg", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert [image["file"] for image in told["images"]] == ["small.png"]
    assert [(failure["file"], failure["error"]) for failure in told["failures"]] == [("wide.jpg", "rejected")]
