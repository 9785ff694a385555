"""The drop-in: the guide's names, arguments and return values, without its faults."""

from __future__ import annotations

import inspect
import io
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from lablink_storage import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    ForeignUrlError,
    InvalidImageError,
    NoSuchBucketError,
    RejectedError,
    StorageError,
    UnavailableError,
    UnsupportedFormatError,
    s3_utils,
)

from support import Server, opened, photo


@pytest.fixture
def on_s3(monkeypatch: pytest.MonkeyPatch, server: Server, session_bucket: str) -> str:
    for name, value in server.environment(session_bucket).items():
        monkeypatch.setenv(name, value)
    return session_bucket


@pytest.fixture(autouse=True)
def no_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_S3_BUCKET", raising=False)


def test_the_guides_signatures() -> None:
    expected = {
        "is_s3_enabled": "()",
        "get_s3_client": "()",
        "upload_image_to_s3": "(file, original_filename)",
        "delete_image_from_s3": "(image_url)",
        "get_s3_upload_url": "(filename, content_type='image/jpeg')",
        "get_image_url": "(s3_key)",
        "optimize_image": "(file, max_width=1200, max_height=1200, quality=85)",
        "compress_image": "(file, max_size=(1024, 1024), quality=85)",
    }
    for name, signature in expected.items():
        found = inspect.signature(getattr(s3_utils, name))
        plain = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
        assert str(inspect.Signature(plain)) == signature, name


def test_the_whole_way(on_s3: str, server: Server) -> None:
    assert s3_utils.is_s3_enabled()
    url = s3_utils.upload_image_to_s3(io.BytesIO(photo(orientation=6)), "board.png")
    assert url is not None and url.endswith(".jpg") and len(url) <= 255
    fetched = requests.get(url, timeout=30)
    assert fetched.headers["Content-Type"] == "image/jpeg"
    assert opened(fetched.content).size == (900, 1200)
    assert s3_utils.get_image_url(url.split(f"/{on_s3}/")[1]) == url
    assert s3_utils.delete_image_from_s3(url) is True
    assert requests.get(url, timeout=30).status_code == 404


def test_what_is_deleted_is_gone_for_those_who_may_not_list_too(
    monkeypatch: pytest.MonkeyPatch, server: Server, bucket: str
) -> None:
    """Under the policy that ``setup`` makes, S3 does not tell strangers what is not there: 403, not 404."""
    for name, value in server.environment(bucket).items():
        monkeypatch.setenv(name, value)
    server.make_public(bucket, listing=False)
    url = s3_utils.upload_image_to_s3(io.BytesIO(photo(200, 150)), "board.png")
    assert url is not None and requests.get(url, timeout=30).status_code == 200
    assert s3_utils.delete_image_from_s3(url) is True
    assert requests.get(url, timeout=30).status_code == 403
    # The empty marker keeps a form that is used again from putting other bytes under this URL.
    name = url.rsplit("/", 1)[1]
    assert server.keys(bucket) == [f"pending/components/{name.removesuffix('.jpg')}.gone"]


def test_a_direct_upload_to_its_final_url(on_s3: str, picture: bytes) -> None:
    form = s3_utils.get_s3_upload_url("board.jpg", "image/jpeg")
    assert form is not None and set(form) == {"url", "fields", "file_url"}
    sent = requests.post(form["url"], data=form["fields"], files={"file": picture}, timeout=30)
    assert sent.status_code in (200, 201, 204), sent.text
    assert requests.get(form["file_url"], timeout=30).content == picture
    assert s3_utils.get_s3_upload_url("evil.html", "text/html") is None


def test_what_is_no_image_is_never_uploaded(
    on_s3: str, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    before = server.keys(on_s3)
    with caplog.at_level(logging.ERROR, "lablink_storage"):
        found = s3_utils.upload_image_to_s3(io.BytesIO(b"<html>"), "photo.jpg")
    assert found is None and "photo.jpg" in caplog.text and "HTML" in caplog.text
    assert server.keys(on_s3) == before


def test_foreign_urls_are_not_deleted(on_s3: str) -> None:
    for url in (
        None,
        "",
        f"https://evil.example/{on_s3}/components/a.jpg",
        f"https://{on_s3}.s3.amazonaws.com/components/a.jpg",
        "not a url",
    ):
        assert s3_utils.delete_image_from_s3(url) is False


def test_text_that_is_not_utf_8_is_refused_as_the_guide_did(on_s3: str) -> None:
    assert s3_utils.upload_image_to_s3(photo(20, 20), "\ud800.jpg") is None
    assert s3_utils.delete_image_from_s3("\ud800") is False
    assert s3_utils.get_s3_upload_url("\ud800.jpg") is None
    assert s3_utils.get_s3_upload_url("a.jpg", "\ud800") is None
    assert s3_utils.get_image_url("\ud800") is None


def test_the_client(on_s3: str) -> None:
    client = s3_utils.get_s3_client()
    assert client is not None
    assert client.head_bucket(Bucket=on_s3)["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(NoSuchBucketError):
        client.head_bucket(Bucket="another")


def test_the_client_of_a_bucket_that_is_not_there(on_s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_S3_BUCKET", f"{on_s3}-missing")
    client = s3_utils.get_s3_client()
    assert client is not None
    with pytest.raises(NoSuchBucketError) as missing:
        client.head_bucket(Bucket=f"{on_s3}-missing")
    assert missing.value.hint and missing.value.service_code and not missing.value.retryable


def test_the_client_says_what_kind_of_failure_it_is(
    on_s3: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failure(kind: type[StorageError]) -> StorageError:
        client = s3_utils.get_s3_client()
        assert client is not None
        began = time.monotonic()
        with pytest.raises(kind) as failed:
            client.head_bucket(Bucket=on_s3)
        assert time.monotonic() - began < 6 and failed.value.hint
        return failed.value

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.plain_endpoint)
    with monkeypatch.context() as wrong:
        wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        assert failure(CredentialsError).service_code == "SignatureDoesNotMatch"
    with monkeypatch.context() as other:
        other.setenv("AWS_ACCESS_KEY_ID", server.other_access_key)
        other.setenv("AWS_SECRET_ACCESS_KEY", server.other_secret_key)
        with server.bucket() as private:
            other.setenv("AWS_S3_BUCKET", private)
            client = s3_utils.get_s3_client()
            assert client is not None
            with pytest.raises(AccessDeniedError):
                client.head_bucket(Bucket=private)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert failure(UnavailableError).retryable


def test_the_client_of_a_wrong_configuration(on_s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's status route calls ``get_s3_client().head_bucket`` and answers with what it raises."""
    monkeypatch.setenv("AWS_S3_BUCKET", "NOT a bucket")
    client = s3_utils.get_s3_client()
    assert client is not None
    with pytest.raises(ConfigurationError) as wrong:
        client.head_bucket(Bucket="NOT a bucket")
    assert "AWS_S3_BUCKET" in f"{wrong.value} {wrong.value.hint}"


def test_a_storage_without_form_uploads(
    on_s3: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LABLINK_STORAGE_DIRECT_UPLOAD", "put")
    assert s3_utils.get_s3_upload_url("board.jpg") is None
    assert "form uploads" in str(s3_utils.last_error()) and len(caplog.records) == 1


def test_why_a_call_answered_none(on_s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert s3_utils.upload_image_to_s3(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg") is None
    mistake = s3_utils.last_error()
    assert isinstance(mistake, UnsupportedFormatError) and mistake.http_status == 415
    assert s3_utils.delete_image_from_s3("https://elsewhere.example/a.jpg") is False
    assert isinstance(s3_utils.last_error(), ForeignUrlError)
    assert s3_utils.get_s3_upload_url("a.heic") is not None  # declared as JPEG by the guide's default
    assert s3_utils.last_error() is None
    with ThreadPoolExecutor(1) as other:
        assert s3_utils.upload_image_to_s3(b"", "a.jpg") is None
        assert other.submit(s3_utils.last_error).result() is None
    assert s3_utils.last_error() is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert s3_utils.delete_image_from_s3(s3_utils.get_image_url("components/a.jpg")) is False
    broken = s3_utils.last_error()
    assert isinstance(broken, UnavailableError) and broken.retryable


def test_what_an_inspector_rejects_is_told(
    on_s3: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faces.py").write_text(
        "from lablink_storage import RejectedError\n"
        "def inspect(image):\n"
        "    raise RejectedError('no faces, please')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LABLINK_STORAGE_INSPECTOR", "faces:inspect")
    before = server.keys(on_s3)
    assert s3_utils.upload_image_to_s3(io.BytesIO(photo(60, 45)), "a.jpg") is None
    rejected = s3_utils.last_error()
    assert isinstance(rejected, RejectedError) and "no faces, please" in str(rejected)
    assert rejected.http_status == 422
    assert server.keys(on_s3) == before


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_a_failure_is_logged_once(on_s3: str, caplog: pytest.LogCaptureFixture, level: int) -> None:
    with caplog.at_level(level, "lablink_storage"):
        assert s3_utils.upload_image_to_s3(b"<html>", "photo.jpg") is None
        assert s3_utils.get_s3_upload_url("evil.html", "text/html") is None
        assert s3_utils.delete_image_from_s3("https://elsewhere.example/a.jpg") is False
        assert s3_utils.upload_image_to_s3(None, "a.jpg") is None  # type: ignore[arg-type]
    assert len(caplog.records) == 4, caplog.text


def test_arguments_of_a_wrong_kind_are_refused_as_the_guide_did(
    on_s3: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    closed = io.BytesIO(photo(20, 20))
    closed.close()
    (tmp_path / "a.jpg").write_bytes(photo(20, 20))
    with (tmp_path / "a.jpg").open(encoding="latin-1") as in_text_mode:
        for file in (None, str(tmp_path / "a.jpg"), closed, in_text_mode, tmp_path / "none.jpg"):
            assert s3_utils.upload_image_to_s3(file, "a.jpg") is None  # type: ignore[arg-type]
    assert s3_utils.upload_image_to_s3(photo(20, 20), 7) is None  # type: ignore[arg-type]
    assert s3_utils.delete_image_from_s3(7) is False  # type: ignore[arg-type]
    assert s3_utils.get_s3_upload_url(None) is None  # type: ignore[arg-type]
    assert s3_utils.get_image_url(7) is None  # type: ignore[arg-type]
    assert "pathlib.Path" in caplog.text and "closed file" in caplog.text


def test_without_s3() -> None:
    assert s3_utils.is_s3_enabled() is False
    assert s3_utils.get_s3_client() is None
    assert s3_utils.upload_image_to_s3(io.BytesIO(photo()), "a.jpg") is None
    assert s3_utils.delete_image_from_s3("https://x/y.jpg") is False
    assert s3_utils.get_s3_upload_url("a.jpg") is None
    assert s3_utils.get_image_url("components/a.jpg") is None


def test_the_environment_is_read_afresh_when_it_changes(on_s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = s3_utils.get_image_url("components/a.jpg")
    assert first is not None and on_s3 in first
    assert s3_utils._store() is s3_utils._store()
    monkeypatch.setenv("CLOUDFRONT_DOMAIN", "images.lab.example")
    assert s3_utils.get_image_url("components/a.jpg") == "https://images.lab.example/components/a.jpg"
    monkeypatch.delenv("CLOUDFRONT_DOMAIN")
    assert s3_utils.get_image_url("components/a.jpg") == first


def test_a_misconfiguration_is_logged(
    on_s3: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_S3_BUCKET", "NOT a bucket")
    with caplog.at_level(logging.ERROR, "lablink_storage"):
        assert s3_utils.upload_image_to_s3(io.BytesIO(photo()), "a.jpg") is None
    assert "AWS_S3_BUCKET" in caplog.text or "bucket" in caplog.text


@pytest.mark.parametrize("make", [bytes, io.BytesIO])
def test_optimize_and_compress(make: Any) -> None:
    data = photo(2000, 1000, orientation=3)
    optimized = s3_utils.optimize_image(make(data))
    assert optimized.tell() == 0 and opened(optimized.read()).size == (1200, 600)
    compressed = s3_utils.compress_image(make(data), max_size=(512, 512), quality=60)
    assert opened(compressed.read()).size == (512, 256)
    for garbage in (b"<svg/>", b"", data[:500]):
        with pytest.raises(InvalidImageError):
            s3_utils.optimize_image(make(garbage))
