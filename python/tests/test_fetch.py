"""Uploads from a URL: what is refused. What is fetched needs a public address: tests/storage/fetch.rs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from lablink_storage import (
    ConfigurationError,
    ImageStore,
    NotSupportedError,
    PolicyViolationError,
    UnavailableError,
)


def test_it_is_off_until_hosts_are_allowed() -> None:
    with pytest.raises(NotSupportedError) as caught:
        ImageStore.memory().upload_from_url("https://photos.example.org/a.jpg")
    assert "LABLINK_STORAGE_FETCH_HOSTS" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["environment", "keyword"])
def test_a_host_that_is_not_allowed_is_refused(name: str) -> None:
    if name == "environment":
        variables = {
            "LABLINK_STORAGE_MEMORY": "true",
            "LABLINK_STORAGE_FETCH_HOSTS": "photos.example.org, *.cdn.example",
        }
        store = ImageStore.from_env(variables)
    else:
        store = ImageStore.memory(fetch_hosts=["photos.example.org", "*.cdn.example"])
    for url in [
        "https://other.example.org/a.jpg",
        "https://cdn.example/a.jpg",
        "https://u@photos.example.org/a.jpg",
    ]:
        with pytest.raises(PolicyViolationError, match=r"^the URL may not be fetched$") as caught:
            store.upload_from_url(url)
        assert (caught.value.code, caught.value.http_status) == ("policy_violation", 403)


def test_this_machine_is_never_asked() -> None:
    came = threading.Event()

    def accept(listener: socket.socket) -> None:
        listener.accept()
        came.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        store = ImageStore.memory(fetch_hosts=["*", f"*:{port}"])
        for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "0"]:
            with pytest.raises(PolicyViolationError):
                store.upload_from_url(f"http://{host}:{port}/a.jpg")
        assert not came.is_set()


PROXIED = """
import sys, urllib.request
from lablink_storage import ImageStore, UnavailableError
for scheme in ("http", "https"):
    url = f"{scheme}://no-such-host.invalid/a.jpg"
    try:
        if sys.argv[1] == "store":
            ImageStore.memory(fetch_hosts="*").upload_from_url(url)
        else:
            urllib.request.urlopen(url, timeout=20)
    except (UnavailableError, OSError) as error:
        continue
    raise SystemExit("nothing has that name")
"""


@pytest.mark.parametrize("who, comes", [("store", 0), ("urllib", 2)])
def test_the_environments_proxies_are_not_used(who: str, comes: int) -> None:
    """A proxy would fetch for the sender what the service's own network has. ``urllib`` shows that these
    variables lead to ours."""
    came: list[bytes] = []

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                came.append(connection.recv(1024))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        names = ("http_proxy", "https_proxy", "all_proxy")
        variables = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
        variables |= {name: proxy for name in (*names, *map(str.upper, names))}
        command = [sys.executable, "-c", PROXIED, who]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(came) == comes, came


def test_a_name_without_an_address_is_the_other_side_s_fault() -> None:
    store = ImageStore.memory(fetch_hosts="*")
    with pytest.raises(UnavailableError) as caught:
        store.upload_from_url("http://no-such-host.invalid/a.jpg?token=hidden")
    assert caught.value.retryable
    assert "hidden" not in f"{caught.value} {caught.value.__cause__}"


def test_a_str_has_commas_as_the_environment_has() -> None:
    store = ImageStore.memory(fetch_hosts="one.invalid, two.invalid")
    for host in ("one.invalid", "two.invalid"):
        with pytest.raises(UnavailableError):
            store.upload_from_url(f"http://{host}/a.jpg")
    with pytest.raises(PolicyViolationError):
        store.upload_from_url("http://three.invalid/a.jpg")


def test_a_wrong_list_is_named() -> None:
    with pytest.raises(ConfigurationError, match="fetch_hosts has"):
        ImageStore.memory(fetch_hosts=["https://photos.example.org"])
