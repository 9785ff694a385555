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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lablink_storage import ImageStore

from support import Server, free_port, photo

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FULL = os.environ.get("LABLINK_TEST_FULL") == "1"
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
    """Images in a bucket."""

    count = 2000 if FULL else 200

    def __init__(self, server: Server, bucket: str) -> None:
        self.environment = server.environment(bucket)
        self._bucket, self._client = bucket, server.client()
        self._first: dict[str, datetime] = {}
        image = photo(24, 16)

        def put(_: int) -> None:
            key = f"components/{uuid.uuid4()}.jpg"
            self._client.put_object(Bucket=bucket, Key=key, Body=image, ContentType="image/jpeg")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(self.count)))

    def _thumbs(self) -> dict[str, datetime]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        found = [entry for page in pages for entry in page["Contents"]]
        return {entry["Key"]: entry["LastModified"] for entry in found if entry["Key"].endswith("/thumb.jpg")}

    def made(self) -> int:
        """Notes when each variant was written, to the millisecond, as it was when it was first seen."""
        for key, when in self._thumbs().items():
            self._first.setdefault(key, when)
        return len(self._first)

    def written_once(self) -> int:
        assert self.made() == self.count
        return sum(self._first[key] == when for key, when in self._thumbs().items())


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> _Local | _OnS3:
    if request.param == "local":
        return _Local(tmp_path / "uploads")
    return _OnS3(request.getfixturevalue("server"), request.getfixturevalue("bucket"))


class _Application:
    """``examples/celery_app.py``: its workers, and the side that sends tasks, each a process."""

    REGENERATE = """
import json, celery_app
print(json.dumps(celery_app.tasks.regenerate(shards=16).get(timeout=300)))
"""

    def __init__(self, redis: str, place: _Local | _OnS3) -> None:
        # With the last Celery looks for Django's project.
        others = ("AWS_S3_BUCKET", "LABLINK_STORAGE_DIR", "DJANGO_SETTINGS_MODULE")
        self._environment = {name: value for name, value in os.environ.items() if name not in others} | {
            "REDIS_URL": redis,
            "VISIBILITY_TIMEOUT": "5",
            "LABLINK_STORAGE_VARIANTS": json.dumps(THUMB),
            **place.environment,
        }
        self._place = place
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> _Application:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, *arguments]
        process = subprocess.Popen(
            command,
            cwd=EXAMPLES,
            env=self._environment,
            start_new_session=True,
            stdout=subprocess.PIPE if arguments[0] == "-c" else None,
            text=True,
        )
        self._processes.append(process)
        return process

    def worker(self, *options: str) -> subprocess.Popen[str]:
        name = f"w{len(self._processes)}@%h"
        command = ["-m", "celery", "-A", "celery_app", "worker", "--loglevel", "ERROR", "--hostname", name]
        return self._start(*command, *options)

    def regenerated(self, although: Callable[[], None] = lambda: None) -> None:
        """Asks for a regeneration, in the middle of which something happens."""
        asks = self._start("-c", self.REGENERATE)
        _until(lambda: self._place.made() > self._place.count // 4)
        although()
        assert asks.poll() is None, "all was done before that"
        # What the killed one had begun comes again.
        _until(lambda: self._place.made() >= 0 and asks.poll() is not None, 300)
        assert asks.stdout is not None
        report = json.loads(asks.stdout.read())
        assert (report["images"], report["failed"], report["stopped"]) == (self._place.count, 0, None)
        assert report["made"] + report["complete"] + report["present"] == self._place.count
        assert self._place.written_once() == self._place.count


def test_four_workers_of_which_one_is_killed(redis: str, place: _Local | _OnS3) -> None:
    with _Application(redis, place) as application:
        workers = [application.worker("--pool", "solo") for _ in range(4)]
        application.regenerated(although=workers[0].kill)


def test_the_processes_of_one_worker(redis: str, tmp_path: Path) -> None:
    """The command of docs/at-scale.md: its processes are forked from the one that made the store."""
    with _Application(redis, _Local(tmp_path / "uploads")) as application:
        application.worker("--concurrency", "4")
        application.regenerated()


def test_one_process_of_a_worker_is_killed(redis: str, tmp_path: Path) -> None:
    """Where the result of its share is stored already, nobody does that share again."""
    with _Application(redis, _Local(tmp_path / "uploads")) as application:
        worker = application.worker("--concurrency", "4")
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
        application.regenerated(
            although=lambda: os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        )


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
    # The shards' reports added up: one of them has the image, which has its variant.
    added = tasks.regenerate(shards=3).get(timeout=30)
    assert (added["images"], added["complete"], added["failed"]) == (1, 1, 0)
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
