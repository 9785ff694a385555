"""Celery's tasks behind Redis: four workers, one of which is killed in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lablink_storage import ImageStore

from support import Server, free_port, photo

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FULL = os.environ.get("LABLINK_TEST_FULL") == "1"
COUNT = 2000 if FULL else 400
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


def _fill(directory: Path) -> list[Path]:
    """Small images as uploads leave them."""
    folder = directory / "components"
    folder.mkdir(parents=True)
    image = photo(24, 16)
    mains = [folder / f"{uuid.uuid4()}.jpg" for _ in range(COUNT)]
    for main in mains:
        main.write_bytes(image)
    return mains


def test_four_workers_of_which_one_is_killed(
    redis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mains = _fill(tmp_path / "uploads")
    thumbs = [main.with_suffix("") / "thumb.jpg" for main in mains]
    environment = os.environ | {
        "REDIS_URL": redis,
        "VISIBILITY_TIMEOUT": "5",
        "LABLINK_STORAGE_DIR": str(tmp_path / "uploads"),
        "LABLINK_STORAGE_VARIANTS": '{"thumb": {"max_width": 16, "max_height": 16}}',
    }
    # With the latter Celery looks for Django's project.
    for name in ("AWS_S3_BUCKET", "DJANGO_SETTINGS_MODULE"):
        environment.pop(name, None)
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "celery_app",
        "worker",
        "--pool",
        "solo",
        "--loglevel",
        "ERROR",
    ]
    workers = [
        subprocess.Popen([*command, "--hostname", f"w{number}@%h"], cwd=EXAMPLES, env=environment)
        for number in range(4)
    ]
    try:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(str(EXAMPLES))
        monkeypatch.delitem(sys.modules, "celery_app", raising=False)
        from celery_app import tasks  # type: ignore[import-not-found,unused-ignore]

        result = tasks.regenerate(shards=16)
        first: dict[Path, int] = {}

        def noted() -> int:
            """When each was written, as it was when it was first seen."""
            for thumb in thumbs:
                if thumb not in first:
                    with contextlib.suppress(FileNotFoundError):
                        first[thumb] = thumb.stat().st_mtime_ns
            return len(first)

        _until(lambda: noted() > COUNT // 4)
        assert not result.ready(), "all was done before one could be killed"
        workers[0].send_signal(signal.SIGKILL)
        # What the killed one had begun comes to another five seconds later.
        _until(lambda: noted() >= 0 and result.ready(), 240)
        report = result.get(timeout=30)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert (report["images"], report["failed"], report["stopped"]) == (COUNT, 0, None)
    assert report["made"] + report["complete"] + report["present"] == COUNT
    assert all(thumb.exists() for thumb in thumbs)
    twice = [thumb.parent.name for thumb, when in first.items() if thumb.stat().st_mtime_ns != when]
    assert not twice, "none was written twice"


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
