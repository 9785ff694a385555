"""What comes after the upload: originals, new sizes, and variants on demand."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import abort

from lablink_storage import (
    ForeignUrlError,
    ImageStore,
    InvalidArgumentError,
    InvalidImageError,
    InvalidKeyError,
    NotFoundError,
    NotSupportedError,
    RegenerateReport,
)

from support import Server, make_app, opened, photo, store_of

THUMB: Any = {"thumb": {"max_width": 32, "max_height": 32}}
NARROW: Any = {"max_width": 48}
POSTER: Any = {"poster": {"max_width": 64, "max_height": 64, "lazy": True}}


def _stores(tmp_path: Path, server: Server, bucket: str, **keywords: Any) -> list[ImageStore]:
    return [ImageStore.local(tmp_path / "uploads", **keywords), server.store(bucket, **keywords)]


# --- originals


def test_an_original_is_kept_and_private(tmp_path: Path, server: Server, bucket: str, picture: bytes) -> None:
    for store in _stores(tmp_path, server, bucket, keep_original=True):
        image = store.upload(picture)
        assert image.original is not None and image.original.startswith("originals/components/")
        assert image.to_dict()["original"] == image.original
        assert store.original(image.key) == store.original(image.url) == picture
        assert [info.key for info in store.list()] == [image.key]
        for call in (store.get, store.head, store.delete, store.public_url):
            with pytest.raises(InvalidKeyError):
                call(image.original)
        with pytest.raises(ForeignUrlError):
            store.get(image.url.replace(image.key, image.original))
        store.delete(image.key)
        with pytest.raises(NotFoundError):
            store.original(image.key)
    plain = ImageStore.memory().upload(picture)
    assert plain.original is None


def test_files_of_originals_are_the_applications_alone(tmp_path: Path) -> None:
    ImageStore.local(tmp_path, keep_original=True).upload(photo(40, 30))
    for path in (tmp_path / "originals").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    assert (tmp_path / "originals").stat().st_mode & 0o777 == 0o700


def test_a_presigned_original_is_an_attachment(server: Server, bucket: str, picture: bytes) -> None:
    store = server.store(bucket, keep_original=True)
    image = store.upload(picture)
    request = store.presigned_original(image.key, expires_in=60, download_as="board.jpg")
    answer = requests.get(request.url, timeout=30)
    assert answer.content == picture
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert requests.get(request.url.split("?")[0], timeout=30).status_code == 403
    memory = ImageStore.memory(keep_original=True)
    with pytest.raises(NotSupportedError):
        memory.presigned_original(memory.upload(picture).key)


def test_no_route_serves_an_original(tmp_path: Path, picture: bytes) -> None:
    for prefix in ("components", "boards"):
        settings = {"LABLINK_STORAGE_KEEP_ORIGINAL": True, "LABLINK_STORAGE_PREFIX": prefix}
        app = make_app(tmp_path / prefix, **settings, LABLINK_STORAGE_VARIANTS=POSTER)
        client, store = app.test_client(), store_of(app)
        image = store.upload(picture)
        assert client.get(image.url).status_code == 200
        original = image.original
        assert original is not None and store.original(image.key) == picture
        for path in (f"/uploads/{original}", f"/api/s3/variant/poster/{original}"):
            assert client.get(path).status_code == 404


# --- regenerate


def test_new_sizes_for_old_images(tmp_path: Path, server: Server, bucket: str) -> None:
    for before, store in zip(
        _stores(tmp_path, server, bucket, keep_original=True),
        _stores(tmp_path, server, bucket, keep_original=True, variants=THUMB, optimize=NARROW),
        strict=True,
    ):
        images = [before.upload(photo(60 + number, 40)) for number in range(5)]
        dry = store.regenerate(dry_run=True)
        assert (dry.dry_run, dry.images, dry.made) == (True, 5, 5)
        assert not store.exists(store.variant_url(images[0].key, "thumb"))

        shards = [store.regenerate(shard=shard) for shard in ("1/3", (2, 3), (3, 3))]
        report = sum(shards, start=RegenerateReport())
        assert (report.images, report.made, report.failed) == (5, 5, 0)
        for image in images:
            assert store.head(image.key).e_tag == image.e_tag
            assert opened(store.get(store.variant_url(image.key, "thumb"))).size[0] == 32
        again = store.regenerate()
        assert (again.complete, again.made, again.stopped) == (5, 0, None)

        anew = store.regenerate(all=True, main=True, keys=[images[0].url])
        assert (anew.images, anew.made, anew.mains) == (1, 1, 1)
        assert urlsplit(images[0].url).path in anew.invalidate
        # The image is narrower now, under the key and the URL that pages have; caches see that it is another.
        main = store.head(images[0].key)
        assert (main.key, store.public_url(images[0].key)) == (images[0].key, images[0].url)
        assert main.e_tag and main.e_tag != images[0].e_tag
        assert opened(store.get(images[0].url)).size[0] == 48
        assert [info.e_tag for info in map(store.head, (image.key for image in images[1:]))] == [
            image.e_tag for image in images[1:]
        ]
        assert pickle.loads(pickle.dumps(anew)) == anew


def test_what_cannot_be_regenerated(tmp_path: Path) -> None:
    store = ImageStore.local(tmp_path, variants=THUMB)
    for wrong in ({"variants": ["huge"]}, {"variants": "thumb"}, {"shard": "4/3"}, {"shard": (0, 1)}):
        with pytest.raises(InvalidArgumentError):
            store.regenerate(**wrong)
    with pytest.raises(InvalidArgumentError):
        ImageStore.local(tmp_path).regenerate(prune=True)
    with pytest.raises(InvalidKeyError):
        store.regenerate(prefix="elsewhere")
    report = store.regenerate(keys=["https://elsewhere.example.org/a.jpg", "components/board.jpg"])
    assert [failure.kind for failure in report.failures] == ["foreign_url", "invalid_key"]


def test_flask_storage_regenerate(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    image = store_of(make_app(tmp_path, LABLINK_STORAGE_VARIANTS={})).upload(photo(60, 40))
    app = make_app(tmp_path, LABLINK_STORAGE_VARIANTS=THUMB)
    done = app.test_cli_runner().invoke(args=["storage", "regenerate"])
    assert done.exit_code == 0
    assert "1 images: 1 variants made" in capfd.readouterr().out
    assert store_of(app).exists(store_of(app).variant_url(image.key, "thumb"))


# --- on demand


def test_a_lazy_variant_is_made_when_it_is_asked_for(tmp_path: Path, server: Server, bucket: str) -> None:
    for store in _stores(tmp_path, server, bucket, variants=POSTER):
        image = store.upload(photo(90, 60))
        assert image.variants == {}
        url = store.variant_url(image.key, "poster")
        assert not store.exists(url)
        made = store.ensure_variant(image.key, "poster")
        assert (made.url, made.width, made.height) == (url, 64, 43)
        assert store.ensure_variant(image.url, "poster") == made
        # Regenerating makes it only if it is named.
        assert store.regenerate(all=True).made == 0
        assert store.regenerate(all=True, variants=["poster"]).made == 1
        store.delete(image.key)
        assert not store.exists(url)
        with pytest.raises(NotFoundError):
            store.ensure_variant(image.key, "poster")
        with pytest.raises(InvalidArgumentError):
            store.ensure_variant(image.key, "huge")


def test_the_route_makes_and_redirects(tmp_path: Path) -> None:
    app = make_app(tmp_path, LABLINK_STORAGE_VARIANTS=POSTER)
    client, store = app.test_client(), store_of(app)
    image = store.upload(photo(90, 60))
    answer = client.get(f"/api/s3/variant/poster/{image.key}")
    assert (answer.status_code, answer.location) == (302, store.variant_url(image.key, "poster"))
    assert answer.headers["Cache-Control"] == "private, max-age=60"
    assert opened(client.get(answer.location).data).size == (64, 43)
    for path in (
        f"huge/{image.key}",
        "poster/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg",
        f"poster/pending/{image.key}",
        "poster/components/../components/board.jpg",
        f"poster//{image.key}",
    ):
        refused = client.get(f"/api/s3/variant/{path}")
        assert refused.status_code == 404 and "max-age" not in refused.headers.get("Cache-Control", ""), path

    # A damaged one is told from one that is not there, and not read again and again.
    damaged = store.upload(photo(91, 60))
    (tmp_path / "uploads" / damaged.key).write_bytes(b"\xff\xd8\xff\xe0 half a picture")
    for _ in range(2):
        assert client.get(f"/api/s3/variant/poster/{damaged.key}").status_code == 400
    with pytest.raises(InvalidImageError):
        store.ensure_variant(damaged.key, "poster")


def test_a_guard_of_its_own(tmp_path: Path) -> None:
    def closed(view: Any) -> Any:
        return lambda **_: abort(401)

    app = make_app(tmp_path, variant_guard=closed, LABLINK_STORAGE_VARIANTS=POSTER)
    image = store_of(app).upload(photo(90, 60))
    assert app.test_client().get(f"/api/s3/variant/poster/{image.key}").status_code == 401
    assert not store_of(app).exists(store_of(app).variant_url(image.key, "poster"))
