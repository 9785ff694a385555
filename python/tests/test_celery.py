"""Celery's tasks behind Redis, on local files and in a bucket: workers that are killed in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lablink_storage import ImageStore

from support import Server, free_port, photo

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FULL = os.environ.get("LABLINK_TEST_FULL") == "1"
Start: TypeAlias = Callable[..., "subprocess.Popen[bytes]"]
THUMB: Any = {"thumb": {"max_width": 16, "max_height": 16}}


def _until(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [
        "redis-server",
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    address = ["redis-cli", "-p", str(port), "ping"]
    try:
        _until(lambda: subprocess.run(address, capture_output=True).stdout.strip() == b"PONG", 30)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


class _Local:
    """Images in a directory."""

    count = 2000 if FULL else 400

    def __init__(self, directory: Path) -> None:
        self.environment = {"LABLINK_STORAGE_DIR": str(directory)}
        folder = directory / "components"
        folder.mkdir(parents=True)
        image = photo(24, 16)
        mains = [folder / f"{uuid.uuid4()}.jpg" for _ in range(self.count)]
        for main in mains:
            main.write_bytes(image)
        self._thumbs = [main.with_suffix("") / "thumb.jpg" for main in mains]
        self._first: dict[Path, int] = {}

    def made(self) -> int:
        """Notes when each variant was written, as it was when it was first seen."""
        for thumb in self._thumbs:
            if thumb not in self._first:
                with contextlib.suppress(FileNotFoundError):
                    self._first[thumb] = thumb.stat().st_mtime_ns
        return len(self._first)

    def written_once(self) -> int:
        assert self.made() == self.count
        return sum(thumb.stat().st_mtime_ns == when for thumb, when in self._first.items())


class _OnS3:
    """Images in a bucket that keeps a version of every write."""

    count = 2000 if FULL else 200

    def __init__(self, server: Server, bucket: str) -> None:
        self.environment = server.environment(bucket)
        self._server, self._bucket, self._client = server, bucket, server.client()
        self._client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        image = photo(24, 16)

        def put(_: int) -> None:
            key = f"components/{uuid.uuid4()}.jpg"
            self._client.put_object(Bucket=bucket, Key=key, Body=image, ContentType="image/jpeg")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(self.count)))

    def made(self) -> int:
        return sum(key.endswith("/thumb.jpg") for key in self._server.keys(self._bucket))

    def _versions(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket)
        return [found for page in pages for found in page.get("Versions", []) + page.get("DeleteMarkers", [])]

    def written_once(self) -> int:
        writes = Counter(version["Key"] for version in self._versions())
        return sum(key.endswith("/thumb.jpg") and number == 1 for key, number in writes.items())

    def remove_versions(self) -> None:
        for version in self._versions():
            self._client.delete_object(
                Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"]
            )


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Local | _OnS3]:
    if request.param == "local":
        yield _Local(tmp_path / "uploads")
        return
    on_s3 = _OnS3(request.getfixturevalue("server"), request.getfixturevalue("bucket"))
    yield on_s3
    on_s3.remove_versions()


@contextlib.contextmanager
def _application(redis: str, place: _Local | _OnS3) -> Iterator[tuple[Start, Any]]:
    """``examples/celery_app.py``: what starts a worker with some options, and the tasks."""
    environment = {
        "REDIS_URL": redis,
        "VISIBILITY_TIMEOUT": "5",
        "LABLINK_STORAGE_VARIANTS": json.dumps(THUMB),
        **place.environment,
    }
    with pytest.MonkeyPatch.context() as patch:
        # With the latter Celery looks for Django's project.
        for name in ("AWS_S3_BUCKET", "LABLINK_STORAGE_DIR", "DJANGO_SETTINGS_MODULE"):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.syspath_prepend(str(EXAMPLES))
        patch.delitem(sys.modules, "celery_app", raising=False)
        from celery_app import tasks  # type: ignore[import-not-found,unused-ignore]

        workers: list[subprocess.Popen[bytes]] = []

        def start(*options: str) -> subprocess.Popen[bytes]:
            name = f"w{len(workers)}@%h"
            command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--loglevel", "ERROR"]
            command += ["--hostname", name, *options]
            workers.append(subprocess.Popen(command, cwd=EXAMPLES, start_new_session=True))
            return workers[-1]

        try:
            yield start, tasks
        finally:
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()


def _regenerated_although(kill: Callable[[], None], place: _Local | _OnS3, tasks: Any) -> None:
    result = tasks.regenerate(shards=16)
    _until(lambda: place.made() > place.count // 4)
    assert not result.ready(), "all was done before one could be killed"
    kill()
    # What the killed one had begun comes again.
    _until(lambda: place.made() >= 0 and result.ready(), 240)
    report = result.get(timeout=30)
    assert (report["images"], report["failed"], report["stopped"]) == (place.count, 0, None)
    assert report["made"] + report["complete"] + report["present"] == place.count
    assert place.written_once() == place.count


def test_four_workers_of_which_one_is_killed(redis: str, place: _Local | _OnS3) -> None:
    with _application(redis, place) as (start, tasks):
        workers = [start("--pool", "solo") for _ in range(4)]
        _regenerated_although(lambda: workers[0].send_signal(signal.SIGKILL), place, tasks)


def test_one_process_of_a_worker_is_killed(redis: str, tmp_path: Path) -> None:
    """The command of docs/at-scale.md: its processes are forked from the one that made the store."""
    place = _Local(tmp_path / "uploads")
    with _application(redis, place) as (start, tasks):
        worker = start("--concurrency", "4")

        def kill() -> None:
            children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
            assert len(children) >= 4
            os.kill(int(children[0]), signal.SIGKILL)

        _regenerated_although(kill, place, tasks)


def test_a_task_that_comes_twice_is_done_once(tmp_path: Path, picture: bytes) -> None:
    from celery import Celery

    from lablink_storage import InvalidKeyError
    from lablink_storage.celery import register

    app = Celery("here", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    store = ImageStore.memory(secret="0123456789abcdef0123456789abcdef", variants=THUMB)
    tasks = register(app, store)
    post = store.presigned_post("a.jpg")
    store.receive_post(post.fields, picture)
    image = tasks.promote.delay(post.key).get()
    assert image["url"] == post.file_url
    # Sent twice, done once.
    assert tasks.promote.delay(post.key).get() is None
    with pytest.raises(InvalidKeyError):
        tasks.promote.delay("components/board.jpg").get()
    report = tasks.regenerate_shard.delay(1, 1, all=True).get()
    assert (report["images"], report["made"]) == (1, 1)
    assert tasks.handle_event.delay({"Records": []}).get() == []


def test_a_notification_of_two_uploads(server: Server, bucket: str, picture: bytes) -> None:
    from celery import Celery

    from lablink_storage.celery import register

    app = Celery("events", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    store = server.store(bucket, variants=THUMB)
    tasks = register(app, store)
    good, bad = store.presigned_post("a.jpg"), store.presigned_post("b.jpg")
    for post, data in ((good, picture), (bad, picture[:900])):
        server.client().put_object(Bucket=bucket, Key=post.key, Body=data, ContentType="image/jpeg")
    records = [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Post",
            "s3": {"bucket": {"name": bucket}, "object": {"key": post.key}},
        }
        for post in (good, bad)
    ]
    promoted, refused = tasks.handle_event.delay({"Records": records}).get()
    assert (promoted["outcome"], promoted["key"]) == ("promoted", good.key)
    assert promoted["image"]["url"] == good.file_url and len(store.get(good.file_url)) > 0
    assert (refused["outcome"], refused["key"], refused["kind"]) == ("refused", bad.key, "invalid_image")
    assert not store.exists(bad.file_url)
    # Sent twice, done once.
    again = tasks.handle_event.delay({"Records": records}).get()
    assert [outcome["outcome"] for outcome in again] == ["skipped", "refused"]


def test_what_may_succeed_later_is_tried_again() -> None:
    from lablink_storage import InvalidImageError, UnavailableError
    from lablink_storage.celery import _again

    class Task:
        class request:
            retries = 3

        def retry(self, *, exc: Exception, countdown: int, throw: bool) -> Exception:
            return RuntimeError(f"again in {countdown} s: {exc}")

    away = UnavailableError("out of reach", "try again", True)
    assert str(_again(Task(), away)) == "again in 8 s: out of reach"  # type: ignore[arg-type]
    wrong = InvalidImageError("no image", None)
    assert _again(Task(), wrong) is wrong  # type: ignore[arg-type]
