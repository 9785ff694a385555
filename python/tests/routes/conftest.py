"""One set of cases for every framework: each test that asks for a ``Client`` runs against all of them.

A run looks at Flask and axum; with ``LABLINK_TEST_FULL=1`` at all of them. ``LABLINK_TEST_FRAMEWORKS=asgi``
names others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from routes.service import ALWAYS, COMMANDS, Client, running

from support import SECRET, Server

VARIANTS = '{"thumb": {"max_width": 100}, "poster": {"max_width": 50, "lazy": true}}'

Serve = Callable[..., Client]


def _frameworks() -> list[str]:
    named = os.environ.get("LABLINK_TEST_FRAMEWORKS")
    if named:
        return named.split(",")
    return list(COMMANDS) if os.environ.get("LABLINK_TEST_FULL") else ALWAYS


@pytest.fixture(scope="session", params=_frameworks())
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def serve(framework: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts the framework's service as variables describe it, once for each set of them."""
    started: dict[tuple[tuple[str, str], ...], Client] = {}
    with ExitStack() as services:

        def serve(guard: str = "open", **variables: str) -> Client:
            variables["GUARD"] = guard
            described = tuple(sorted(variables.items()))
            if described not in started:
                place = tmp_path_factory.mktemp(framework)
                directory, log = place / "uploads", place / "log"
                environment = {
                    "LABLINK_STORAGE_DIR": str(directory),
                    "LABLINK_STORAGE_SECRET": SECRET,
                    "LABLINK_STORAGE_FSYNC": "false",
                    "LABLINK_STORAGE_MAX_UPLOAD_BYTES": str(16 << 20),
                    "LABLINK_STORAGE_VARIANTS": VARIANTS,
                }
                base = services.enter_context(running(framework, environment | variables, log))
                started[described] = Client(base, directory=directory, log=log)
            return started[described]

        yield serve


@pytest.fixture
def client(serve: Serve) -> Client:
    """A service on local files whose guarded routes are open."""
    return serve()


@pytest.fixture
def on_s3(serve: Serve, server: Server, session_bucket: str) -> Client:
    return serve(**server.environment(session_bucket))
