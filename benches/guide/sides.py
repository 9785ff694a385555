"""The two sides: what is installed for each, and a gunicorn of each that is watched."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "compare"))
from comparison.peers import once, quiet, say, venv  # noqa: E402

WORKERS = 4
SERVER = ["flask==3.1.3", "gunicorn==27.0.1"]
GUIDE = ["boto3==1.44.5", "pillow==13.0.0"]
SIDES = ("guide", "lablink-storage")
TICKS = os.sysconf("SC_CLK_TCK")


def pythons(wheel=None):
    """The interpreter of each side; ours is built from this very tree unless a wheel is given."""
    peers = HERE / ".peers"
    guide = once(peers / "guide", " ".join(SERVER + GUIDE), lambda to: venv(to, *SERVER, *GUIDE))
    ours = once(peers / "ours", " ".join(SERVER), lambda to: venv(to, *SERVER))
    if wheel is None:
        say("building the wheel")
    pip = [ours / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"]
    quiet([*pip, wheel or ROOT / "python"])
    return {"guide": guide / "bin/python", "lablink-storage": ours / "bin/python"}


class Server:
    """gunicorn with four workers around `app.py`, with its CPU time and memory."""

    def __init__(self, side, python, environment):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [python, "-m", "gunicorn", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            [*command, "--log-level", "error", "app:app"], cwd=HERE, env={**environment, "S3_UTILS": side}
        )
        self.peak_pss = 0
        self.over = threading.Event()
        self.sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self):
        try:
            self._await()
        except BaseException:
            self.__exit__()
            raise
        self.sampler.start()
        return self

    def _await(self):
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
                continue
            if len(self.pids()) == WORKERS + 1:
                return
        raise RuntimeError("gunicorn did not start")

    def pids(self):
        """The master and its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    def cpu(self):
        """User and system seconds of all of them so far, ended threads too."""
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def peaks(self):
        """The sum of each process's own peak of RSS, in KiB: what is shared counts in each."""
        return sum(_kib(f"/proc/{pid}/status", "VmHWM:") for pid in self.pids())

    def _sample(self):
        while not self.over.wait(0.05):
            try:
                pss = sum(_kib(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in self.pids())
            except OSError:  # a process ended between the two reads
                continue
            self.peak_pss = max(self.peak_pss, pss)

    def __exit__(self, *_):
        self.over.set()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _kib(path, name):
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise OSError(f"{path} has no {name}")
