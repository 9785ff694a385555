"""Fixtures: a store of every backend, a bucket on the real S3 server, and one photograph."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lablink_storage import ImageStore, OptimizeOptions

from support import SECRET, Server, make_app, photo

os.environ["DJANGO_SETTINGS_MODULE"] = "django_lab.settings"

THUMB = {"thumb": OptimizeOptions(max_width=320, max_height=320)}


@pytest.fixture(scope="session")
def picture() -> bytes:
    return photo()


@pytest.fixture(scope="session")
def server() -> Server:
    return Server.from_env()


@pytest.fixture(scope="session")
def session_bucket(server: Server) -> Iterator[str]:
    with server.bucket() as name:
        server.make_public(name)
        yield name


@pytest.fixture
def bucket(server: Server) -> Iterator[str]:
    """A bucket that nobody else writes to."""
    with server.bucket() as name:
        yield name


@pytest.fixture(params=["memory", "local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    """A store of every backend, with the variant ``thumb``."""
    if request.param == "memory":
        return ImageStore.memory(variants=THUMB, secret=SECRET)
    if request.param == "local":
        return ImageStore.local(tmp_path / "uploads", variants=THUMB, secret=SECRET)
    server: Server = request.getfixturevalue("server")
    return server.store(request.getfixturevalue("bucket"), variants=THUMB)


@pytest.fixture
def memory() -> ImageStore:
    return ImageStore.memory(variants=THUMB, secret=SECRET)


@pytest.fixture
def local(tmp_path: Path) -> ImageStore:
    return ImageStore.local(tmp_path / "uploads", variants=THUMB, secret=SECRET)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return make_app(tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
