"""The crate's events in Python's ``logging``."""

from __future__ import annotations

import logging
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from lablink_storage import ImageStore, StorageError

from support import Server, photo


def test_operations_are_logged_with_their_key_and_without_a_secret(
    server: Server, bucket: str, picture: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store = server.store(bucket)
    with caplog.at_level(logging.DEBUG, "lablink_storage"):
        image = store.upload(picture, filename="two\nlines.jpg")
        store.presigned_get(image.key)
        post = store.presigned_post("a.jpg")
    assert {record.name for record in caplog.records} == {"lablink_storage"}
    done = [record for record in caplog.records if record.message.startswith("upload")]
    assert done and "\n" not in done[-1].message
    signature = next(value for name, value in post.fields.items() if name.endswith("ignature"))
    for hidden in (server.secret_key, signature):
        assert hidden not in caplog.text


def test_failures_are_warnings(memory: ImageStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "lablink_storage"), pytest.raises(StorageError):
        memory.get("components/missing.jpg")
    record = caplog.records[-1]
    assert record.levelno == logging.WARNING
    assert "components/missing.jpg" in record.message and "not_found" in record.message


def test_quiet_unless_asked(memory: ImageStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "lablink_storage"), pytest.raises(StorageError):
        memory.get("components/missing.jpg")
    assert not caplog.records


def test_a_handler_that_raises_or_calls_back_harms_nothing(memory: ImageStore, picture: bytes) -> None:
    seen: list[str] = []

    class Reentrant(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())
            if not getattr(threading.current_thread(), "inside", False):
                threading.current_thread().inside = True  # type: ignore[attr-defined]
                memory.public_url("components/a.jpg")
            raise RuntimeError("a bad handler")

    logger = logging.getLogger("lablink_storage")
    handler = Reentrant()
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        image = memory.upload(picture)
        assert memory.exists(image.key)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert seen


@pytest.mark.parametrize("backend", ["memory", "s3"])
def test_a_handler_that_calls_the_store(
    backend: str, memory: ImageStore, server: Server, request: pytest.FixtureRequest
) -> None:
    """One that counts what is stored, or ships its records to the store: its own calls are not logged, or
    they would log for ever, and none waits for the handler's lock."""
    store = memory if backend == "memory" else server.store(request.getfixturevalue("bucket"))
    found: list[object] = []

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                found.append(store.exists("components/missing.jpg"))
                found.append(store.upload(photo(20, 20)).size)
            except Exception as error:
                found.append(error)

    logger = logging.getLogger("lablink_storage")
    handler, before = Counting(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        store.upload(photo(40, 30))
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: store.exists("components/a.jpg"), range(8)))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert found[0] is False and isinstance(found[1], int)
    assert not [one for one in found if isinstance(one, Exception)]


def test_what_failed_underneath_is_the_cause() -> None:
    store = ImageStore.s3(
        "lab-images",
        endpoint_url="http://127.0.0.1:1",
        access_key_id="AKIDEXAMPLE",
        secret_access_key="example",
        deadline=3,
    )
    with pytest.raises(StorageError) as failed:
        store.exists("components/a.jpg")
    causes, error = [], failed.value.__cause__
    while error is not None:
        causes.append(str(error))
        error = error.__cause__
    assert "Connection refused" in "".join(causes)
    assert "".join(traceback.format_exception(failed.value)).count("Connection refused") == 1
