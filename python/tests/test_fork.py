"""One runtime and one client a process: gunicorn, os.fork under load, multiprocessing, signals."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from lablink_storage import ImageStore

from support import Server, free_port, photo, upload_in_worker

HERE = Path(__file__).parent
SMALL = photo(200, 150)


@contextmanager
def gunicorn(bucket: str, server: Server, *arguments: str) -> Iterator[str]:
    port = free_port()
    environment = os.environ | server.environment(bucket) | {"PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "gunicorn", "--workers", "4", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, *arguments, "--timeout", "60", "forked_app:app"],
        env=environment,
        cwd=HERE,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/api/s3/status", timeout=60).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "gunicorn is not up"
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        _, log = process.communicate(timeout=60)
        assert "Traceback" not in log and "WORKER TIMEOUT" not in log, log[-4000:]


@pytest.mark.parametrize("preload", [False, True], ids=["no preload", "preload"])
@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_gunicorn(session_bucket: str, server: Server, worker: str, preload: bool) -> None:
    arguments = ["--worker-class", worker]
    arguments += ["--threads", "4"] if worker == "gthread" else []
    arguments += ["--preload"] if preload else []

    def turn(_: int) -> dict[str, object]:
        with urllib.request.urlopen(f"{address}/turn", timeout=60) as answer:
            found: dict[str, object] = json.loads(answer.read())
            return found

    with gunicorn(session_bucket, server, *arguments) as address, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(turn, range(200)))
    assert all(answer["whole"] and answer["gone"] for answer in answers)
    assert len({answer["pid"] for answer in answers}) > 1


def in_child(work: object) -> int:
    """Runs ``work`` in a forked child and gives its exit code; a child that hangs is ended."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(60)
            work()  # type: ignore[operator]
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("backend", ["s3", "local"])
def test_forks_under_load(backend: str, server: Server, session_bucket: str, tmp_path: Path) -> None:
    store = server.store(session_bucket) if backend == "s3" else ImageStore.local(tmp_path / "up")
    stop, failures = threading.Event(), []

    def load() -> None:
        while not stop.is_set():
            try:
                store.delete(store.upload(SMALL).key)
            except BaseException as error:
                failures.append(error)
                raise

    def turn() -> None:
        image = store.upload(SMALL)
        assert store.get(image.key)
        store.delete(image.key)
        # The child's own threads share its client.
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda _: store.status().accessible, range(8)))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert [in_child(turn) for _ in range(12)] == [0] * 12
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_a_fork_of_a_fork(server: Server, session_bucket: str) -> None:
    store = server.store(session_bucket)
    assert store.status().accessible

    def grandchild() -> None:
        assert store.status().accessible

    def child() -> None:
        assert store.status().accessible
        assert in_child(grandchild) == 0

    assert in_child(child) == 0
    assert store.status().accessible


def test_a_listing_is_not_continued_by_a_child(tmp_path: Path) -> None:
    store = ImageStore.local(tmp_path)
    store.upload(SMALL)
    store.upload(SMALL)
    listing = store.list()
    next(listing)

    def child() -> None:
        from lablink_storage import InternalError

        with pytest.raises(InternalError, match="another process"):
            next(listing)
        assert len(list(store.list())) == 2

    assert in_child(child) == 0
    assert len(list(listing)) == 1


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method: str, server: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment(bucket).items():
        monkeypatch.setenv(name, value)
    store = ImageStore.from_env()
    assert store.status().accessible
    with multiprocessing.get_context(method).Pool(3) as pool:
        found = pool.map_async(upload_in_worker, [store] * 12).get(120)
    keys = {key for _, key in found}
    assert len(keys) == 12 and {info.key for info in store.list()} == keys
    assert os.getpid() not in {pid for pid, _ in found}


class SilentServer:
    """Accepts connections and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._kept: list[socket.socket] = []

    def accept(self) -> None:
        self._listener.settimeout(30)
        self._kept.append(self._listener.accept()[0])

    def close(self) -> None:
        for held in (*self._kept, self._listener):
            held.close()


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


def test_ctrl_c(silent_server: SilentServer) -> None:
    program = (
        # Whoever started the tests in the background made them ignore it.
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from lablink_storage import ImageStore\n"
        f"store = ImageStore.s3('bucket', endpoint_url={silent_server.address!r}, "
        "access_key_id='A', secret_access_key='S')\n"
        "try:\n    store.get('components/a.jpg')\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    silent_server.accept()  # it is inside of the call now
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    # A tenth of a second as documented, and what a busy machine adds; the call's own deadline is 30 s.
    assert time.monotonic() - pressed < 2
    assert process.wait(timeout=20) == 0


def test_a_signal_handler_may_use_the_store(silent_server: SilentServer, tmp_path: Path) -> None:
    store = ImageStore.s3(
        "bucket", endpoint_url=silent_server.address, access_key_id="A", secret_access_key="S"
    )
    local = ImageStore.local(tmp_path)
    keys: list[str] = []

    class Enough(Exception):
        pass

    def handler(*_: object) -> None:
        keys.append(local.upload(SMALL).key)
        raise Enough

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(Enough):
            store.get("components/a.jpg")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert local.exists(keys[0])


def test_deadlines_hold(silent_server: SilentServer) -> None:
    from lablink_storage import StorageTimeoutError, UnavailableError

    store = ImageStore.s3(
        "bucket", endpoint_url=silent_server.address, access_key_id="A", secret_access_key="S", deadline=1
    )
    started = time.monotonic()
    with pytest.raises((StorageTimeoutError, UnavailableError)) as late:
        store.get("components/a.jpg")
    assert time.monotonic() - started < 5 and late.value.retryable
    started = time.monotonic()
    assert not store.status().accessible
    assert time.monotonic() - started < 6
