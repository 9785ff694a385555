"""Servers of other programs that tests put before an application."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NGINX = """
daemon off;
user root;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_max_body_size 40m;
    proxy_read_timeout 300s;
    server {{
        listen 127.0.0.1:{port};
{locations}
    }}
}}
"""


@contextmanager
def running(command: list[str], address: str, **more: Any) -> Iterator[int]:
    """A server until it is needed no more; the process that was started."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **more)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(address, timeout=60).close()
                break
            except urllib.error.HTTPError:
                break  # what is behind it has other addresses
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, f"{command[0]} is not up"
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        log = process.communicate(timeout=60)[1]
    assert "Traceback" not in log and "WORKER TIMEOUT" not in log, log[-4000:]


@contextmanager
def nginx(directory: Path, port: int, locations: str) -> Iterator[None]:
    """nginx with these locations."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("nginx is not installed")
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX.format(directory=directory, port=port, locations=locations), "utf-8")
    with running([found, "-c", str(configuration)], f"http://127.0.0.1:{port}/"):
        yield
