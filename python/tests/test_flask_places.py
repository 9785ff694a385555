"""Where the extension's routes are and what configures it: prefixes, app.config, several applications."""

from __future__ import annotations

import base64
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

import lablink_storage
from lablink_storage import ImageStore
from lablink_storage.flask import LablinkStorage

from support import SECRET, make_app, photo, store_of


def test_several_applications_in_one_process(tmp_path: Path) -> None:
    extension = LablinkStorage()
    with pytest.raises(RuntimeError, match="init_app"):
        extension.store  # noqa: B018
    apps = []
    for name in ("one", "two"):
        app = Flask(name)
        app.config["LABLINK_STORAGE_DIR"] = str(tmp_path / name)
        extension.init_app(app, guard=False)
        apps.append(app)
    for app, name in zip(apps, ("one", "two"), strict=True):
        assert store_of(app).directory == str(tmp_path / name)
        with app.app_context():
            assert extension.store is store_of(app)


def test_other_places(tmp_path: Path, picture: bytes) -> None:
    app = Flask("lab")
    app.config.update(
        LABLINK_STORAGE_DIR=str(tmp_path),
        LABLINK_STORAGE_BASE_URL="https://img.lab.example/media/pictures",
        LABLINK_STORAGE_SECRET=SECRET,
    )
    LablinkStorage(app, guard=False, url_prefix="/images/")
    client = app.test_client()
    image = store_of(app).upload(picture)
    assert image.url.startswith("https://img.lab.example/media/pictures/components/")
    assert client.get(f"/media/pictures/{image.key}").status_code == 200
    form = client.post("/images/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None and form["url"].startswith("https://img.lab.example/media/pictures")


@pytest.mark.parametrize("base_url", ["https://img.lab.example", "https://img.lab.example/", "/"])
def test_a_base_url_without_a_path(tmp_path: Path, base_url: str) -> None:
    picture = photo(40, 30)
    app = make_app(tmp_path, LABLINK_STORAGE_BASE_URL=base_url)

    @app.get("/")
    def home() -> str:
        return "the application's own page"

    client = app.test_client()
    form = client.post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None
    path = urlsplit(form["url"]).path or "/"  # as every client sends it
    answer = client.post(path, data=form["fields"] | {"file": (io.BytesIO(picture), "a.jpg")})
    assert answer.status_code in (200, 201, 204), answer.text
    promoted = client.post("/api/s3/promote", json={"key": form["key"]}).json
    assert promoted is not None and client.get(promoted["url"]).status_code == 200
    assert client.get("/").text == "the application's own page"
    assert client.get("/missing").status_code == 404


def test_every_setting_may_be_in_the_applications_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    app = make_app(
        tmp_path,
        AWS_S3_BUCKET="lab-images",
        AWS_DEFAULT_REGION="eu-central-1",  # before the environment's, whatever its name there
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY="example",
        AWS_USE_DUALSTACK_ENDPOINT=True,
        LABLINK_STORAGE_FORMER_URLS=["https://old.example/images/", "/uploads"],
        LABLINK_STORAGE_MAX_UPLOAD_BYTES=5000,
        LABLINK_STORAGE_DEADLINE=timedelta(seconds=7),
        LABLINK_STORAGE_STORAGE_CLASS="STANDARD_IA",
        LABLINK_STORAGE_CACHE_CONTROL="no-cache",
        LABLINK_STORAGE_OPTIMIZE={"format": "webp", "background": (1, 2, 3)},
        LABLINK_STORAGE_VARIANTS='{"card": {"max_width": 640}}',
        LABLINK_STORAGE_LIMITS={"max_bytes": 6000, "max_duration": timedelta(seconds=3)},
    )
    store = store_of(app)
    assert (store.region, store.variants, store.max_bytes) == ("eu-central-1", ["card"], 6000)
    assert store.key_from_url("https://old.example/images/components/a.jpg") == "components/a.jpg"
    form = app.test_client().post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None and form["file_url"].endswith(".webp")
    assert form["url"].startswith("https://lab-images.s3.dualstack.eu-central-1.amazonaws.com")
    assert form["fields"]["x-amz-storage-class"] == "STANDARD_IA"
    assert form["fields"]["Cache-Control"] == "no-cache"
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    assert ["content-length-range", 1, 5000] in policy["conditions"]


@pytest.mark.parametrize(
    "config",
    [
        {"LABLINK_STORAGE_OPTIMIZE": {"max_widht": 100}},
        {"LABLINK_STORAGE_LIMITS": '{"max_bytes": 10'},
        {"LABLINK_STORAGE_DEADLINE": "soon"},
        {"LABLINK_STORAGE_REQUIRE_S3": "maybe"},
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(lablink_storage.ConfigurationError, match=next(iter(config))):
        make_app(tmp_path, **config)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"LABLINK_STORAGE_BASE_URL": "/lab/uploads"},
        {"LABLINK_STORAGE_BASE_URL": "/lab/uploads", "APPLICATION_ROOT": "/lab"},
        {"LABLINK_STORAGE_BASE_URL": "https://lab.example.org/lab/uploads"},
    ],
)
@pytest.mark.parametrize("wrapped", ["before", "after", "script_name"])
def test_behind_a_prefix(tmp_path: Path, config: dict[str, str], wrapped: str) -> None:
    """nginx with X-Forwarded-Prefix and ProxyFix, or gunicorn's SCRIPT_NAME."""
    app = Flask("lab")
    app.config.update(LABLINK_STORAGE_DIR=tmp_path, LABLINK_STORAGE_SECRET=SECRET, **config)
    seen: list[str | None] = []

    @app.before_request
    def audit() -> None:
        seen.append(request.path)

    if wrapped == "before":
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    LablinkStorage(app, guard=False)

    @app.get("/<path:anything>")
    def page(anything: str) -> str:
        return f"the page {anything}"

    if wrapped == "after":
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    client = app.test_client()
    if wrapped == "script_name":
        more: dict[str, Any] = {"base_url": "https://lab.example.org/lab"}
    else:
        headers = {"Proto": "https", "Host": "lab.example.org", "Prefix": "/lab"}
        more = {"headers": {f"X-Forwarded-{name}": value for name, value in headers.items()}}

    form = client.post("/api/s3/upload-url", json={"filename": "a.jpg"}, **more).json
    assert form is not None and form["url"] == "https://lab.example.org/lab/uploads"
    data = form["fields"] | {"file": (io.BytesIO(photo(40, 30)), "a.jpg")}
    # The proxy takes the prefix off.
    assert client.post("/uploads", data=data, **more).status_code == 201
    promoted = client.post("/api/s3/promote", json={"key": form["key"]}, **more).json
    assert promoted is not None and promoted["url"] == form["file_url"]
    served = client.get(f"/uploads/{promoted['key']}", **more)
    assert served.status_code == 200 and served.headers["Content-Type"] == "image/jpeg"
    assert client.get("/uploads/pending/components/x.jpg", **more).status_code == 404
    assert client.get("/elsewhere", **more).text == "the page elsewhere"
    assert len(seen) == 6


def test_a_store_built_by_hand(picture: bytes) -> None:
    app = Flask("lab")
    LablinkStorage(app, guard=False, store=ImageStore.memory())
    assert store_of(app).backend == "memory"
    assert app.test_client().get("/api/s3/status").status_code == 200
