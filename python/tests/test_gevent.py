"""Under gevent: the other greenlets go on while a call waits, decodes, is timed out or is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from routes.service import photographs
from test_asynchronous import SlowS3, machine

from support import photo

PATCH = """
from gevent import monkey
monkey.patch_all()
"""

pytestmark = pytest.mark.alone

START = """
import sys, time
import gevent
from lablink_storage import ImageStore

late = []
def beat():
    while True:
        before = time.monotonic()
        gevent.sleep(0.01)
        late.append(time.monotonic() - before - 0.01)

def told():
    late.sort()
    assert len(late) > 5, late
    assert late[len(late) // 2] < 0.05, late[-5:]
    print(late[-1])
"""

DECODES = """
beating = gevent.spawn(beat)
store = ImageStore.memory()
photo = open(sys.argv[1], "rb").read()
images = [gevent.spawn(store.upload, photo) for _ in range(2)]
assert all(job.get().width for job in gevent.joinall(images))
told()
"""

OPTIMIZES = """
from lablink_storage import UnsupportedFormatError, optimize
beating = gevent.spawn(beat)
photo = open(sys.argv[1], "rb").read()
plain = optimize(photo)
images = [gevent.spawn(optimize, photo) for _ in range(3)]
assert all(job.get().data == plain.data for job in gevent.joinall(images))
try:
    optimize(b"%PDF-1.7")
    raise SystemExit("it was taken")
except UnsupportedFormatError:
    pass
told()
"""

MANY = """
import os
store = ImageStore.local(sys.argv[2])
photo = open(sys.argv[1], "rb").read()
def turn(_):
    image = store.upload(photo)
    assert len(store.get(image.url)) == image.size
    store.delete(image.key)
from gevent.pool import Pool
before = len(os.listdir("/proc/self/task"))
assert len(Pool(150).map(turn, range(200))) == 200
# The threads of the runtime for files, 64 at most, and a few others; not one a call.
started = len(os.listdir("/proc/self/task")) - before
assert started <= 64 + 8, started
assert list(store.list()) == []
"""

UNPATCHED = """
from gevent import monkey
assert not monkey.is_module_patched("threading")
from gevent.threadpool import ThreadPool
assert len(ThreadPool(20).map(turn, range(200))) == 200
assert list(store.list()) == []
"""

LISTS = """
beating = gevent.spawn(beat)
store = ImageStore.s3("lab", endpoint_url=sys.argv[1], access_key_id="AKIDEXAMPLE", secret_access_key="x")
for call in (lambda: list(store.list()), store._check):
    before = len(late)
    call()
    assert len(late) - before > 5, late[before:]
told()
"""

SLOW = """
store = ImageStore.s3("lab", endpoint_url=sys.argv[2], access_key_id="AKIDEXAMPLE", secret_access_key="x")
photo = open(sys.argv[1], "rb").read()
store.upload(photo)
for job in gevent.joinall([gevent.spawn(store.upload, photo) for _ in range(8)]):
    job.get()
with gevent.Timeout(0.1, False):
    store.upload(photo)
    raise SystemExit("it was not timed out")
print("ready", flush=True)
store.upload(photo)
while True:
    store.upload(photo)
"""


class SlowListing(SlowS3):
    """Lists half a second late, too."""

    def do_GET(self) -> None:
        time.sleep(self.delay)
        super().do_GET()


def run(program: str, *arguments: str) -> None:
    command = [sys.executable, "-c", PATCH + START + program, *arguments]
    with machine() as allowed:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < allowed[0]


def test_a_heartbeat_beside_uploads() -> None:
    run(DECODES, str(photographs()[-1]))


def test_a_heartbeat_beside_pixels_alone() -> None:
    run(OPTIMIZES, str(photographs()[-1]))


@pytest.mark.parametrize("patched", [True, False], ids=["patched", "plain"])
def test_200_lives_of_images(tmp_path: Path, patched: bool) -> None:
    """Without ``monkey.patch_all`` a call holds its thread as any blocking call does, but none fails."""
    path = tmp_path / "a.jpg"
    path.write_bytes(photo(100, 80))
    arguments = (str(path), str(tmp_path / "uploads"))
    if patched:
        run(f"beating = gevent.spawn(beat){MANY}told()", *arguments)
        return
    command = [sys.executable, "-c", START + MANY + UNPATCHED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def address() -> Iterator[str]:
    SlowS3.objects.clear()
    SlowS3.at_once[:] = [0, 0]
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowListing)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_heartbeat_beside_a_slow_listing(address: str) -> None:
    run(LISTS, address)


def test_a_slow_server_a_timeout_and_ctrl_c(tmp_path: Path, address: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(photo(100, 80))
    process = subprocess.Popen(
        [sys.executable, "-c", PATCH + START + SLOW, str(path), address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    assert SlowS3.at_once[1] > 4, "they went one after the other"
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    started = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors and time.monotonic() - started < 20
