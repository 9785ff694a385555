"""Signed requests against the real server and against the local stand-in, and what comes after them."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from lablink_storage import (
    ImageStore,
    InvalidArgumentError,
    InvalidImageError,
    InvalidKeyError,
    NotFoundError,
    NotSupportedError,
    PolicyViolationError,
    PresignedPost,
    StorageError,
)

from support import SECRET, Server, opened, photo


@pytest.fixture(params=["memory", "local", "s3"])
def signing(request: pytest.FixtureRequest) -> ImageStore:
    if request.param == "s3":
        server: Server = request.getfixturevalue("server")
        return server.store(request.getfixturevalue("bucket"))
    found: ImageStore = request.getfixturevalue(request.param)
    return found


def send(store: ImageStore, post: PresignedPost, file: bytes, **changed: str) -> int:
    """Sends a form as a browser would, or hands it to the stand-in; the status that comes back."""
    fields = dict(post.fields) | changed
    if store.backend == "s3":
        answer = requests.post(post.url, data=fields, files={"file": file}, timeout=30)
        return answer.status_code
    return store.receive_post(fields, file).status


def refused(store: ImageStore, post: PresignedPost, file: bytes, **changed: str) -> bool:
    try:
        return send(store, post, file, **changed) >= 400
    except PolicyViolationError as error:
        assert error.http_status == 403 and str(error)
        return True


def test_a_direct_upload_and_its_promotion(signing: ImageStore, picture: bytes) -> None:
    post = signing.presigned_post("board.jpg")
    assert post.key.startswith("pending/components/") and post.key not in post.file_url
    with pytest.raises(NotFoundError):
        signing.promote(post.key)
    assert send(signing, post, picture) in (200, 201, 204)
    assert list(signing.list()) == []
    image = signing.promote(post.key)
    assert image.url == post.file_url and opened(signing.get(image.key)).size == (1200, 900)
    with pytest.raises(NotFoundError):
        signing.promote(post.key)
    with pytest.raises(InvalidKeyError):
        signing.promote(image.key)


def test_what_arrives_is_looked_at(signing: ImageStore) -> None:
    post = signing.presigned_post("board.jpg")
    assert send(signing, post, b"<html><script>alert(1)</script></html>") < 300
    with pytest.raises(InvalidImageError):
        signing.promote(post.key)
    assert list(signing.list()) == []
    report = signing.sweep(older_than=0, dry_run=True)
    assert [found.key for found in report.found] == [post.key] and report.removed == 0


def test_the_policy_is_enforced(signing: ImageStore) -> None:
    post = signing.presigned_post("board.jpg", max_bytes=5000)
    small = photo(40, 30)
    assert refused(signing, post, small, key="components/other.jpg")
    assert refused(signing, post, small, **{"Content-Type": "text/html"})
    assert refused(signing, post, small, extra="field")
    assert refused(signing, post, bytes(5001))
    signature = next(name for name in post.fields if name.lower().endswith("signature"))
    assert refused(signing, post, small, **{signature: "0" * 64})
    assert not refused(signing, post, small)


def test_expiry_in_seconds_or_as_a_timedelta(signing: ImageStore) -> None:
    for given in (60, 60.0, timedelta(minutes=1)):
        post = signing.presigned_post("a.png", expires_in=given)
        left = post.expires_at - datetime.now(UTC)
        assert timedelta(seconds=50) < left <= timedelta(seconds=61)
    for wrong in (0, -1, timedelta(days=8), float("nan"), float("inf")):
        with pytest.raises(InvalidArgumentError):
            signing.presigned_post("a.png", expires_in=wrong)
    with pytest.raises(TypeError):
        signing.presigned_post("a.png", expires_in="soon")  # type: ignore[arg-type]


@pytest.mark.parametrize("name, kind", [("a.svg", None), ("a.html", None), ("a.jpg", "text/html")])
def test_only_raster_types(signing: ImageStore, name: str, kind: str | None) -> None:
    with pytest.raises(StorageError) as wrong:
        signing.presigned_post(name, kind)
    assert wrong.value.http_status in (400, 415)


def test_to_dict_is_json(signing: ImageStore) -> None:
    import json

    post = signing.presigned_post("a.jpg")
    body = json.loads(json.dumps(post.to_dict()))
    assert list(body["fields"]) == list(post.fields)
    assert datetime.fromisoformat(body["expires_at"]).tzinfo is not None


def test_presigned_get_and_put_on_the_server(server: Server, bucket: str, picture: bytes) -> None:
    store = server.store(bucket)
    put = store.presigned_put("board.jpg")
    sent = requests.put(put.url, data=picture, headers=dict(put.headers), timeout=30)
    assert sent.status_code == 200, sent.text
    image = store.promote(put.key)

    get = store.presigned_get(image.key, expires_in=60, download_as="das Gerät.jpg")
    with urllib.request.urlopen(get.url, timeout=30) as answer:
        assert answer.read() == store.get(image.key)
        assert "attachment" in answer.headers["Content-Disposition"]
        assert "Ger%C3%A4t" in answer.headers["Content-Disposition"]
    tampered = get.url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    assert requests.get(tampered, timeout=30).status_code == 403
    # The bucket is private: without the signature there is nothing to see.
    assert requests.get(image.url, timeout=30).status_code == 403


def test_signed_gets_of_the_stand_in(local: ImageStore, picture: bytes) -> None:
    image = local.upload(picture)
    get = local.presigned_get(image.key, download_as="x.jpg", response_content_type="image/png")
    query = urlsplit(get.url).query
    overrides = local.verify_get(image.key, query)
    assert overrides is not None and overrides.content_type == "image/png"
    assert overrides.content_disposition and "x.jpg" in overrides.content_disposition
    for forged in (query[:-4] + "0000", query.replace("png", "gif")):
        with pytest.raises(PolicyViolationError):
            local.verify_get(image.key, forged)
    with pytest.raises(PolicyViolationError):
        local.verify_get("components/other.jpg", query)
    assert local.verify_get(image.key, "") is None and local.verify_get(image.key, "v=2") is None


def test_without_a_secret_nothing_is_signed_locally(tmp_path: Any) -> None:
    store = ImageStore.local(tmp_path)
    for call in (
        lambda: store.presigned_post("a.jpg"),
        lambda: store.presigned_get("components/a.jpg"),
        lambda: store.presigned_put("a.jpg"),
        lambda: store.receive_post({}, b""),
        lambda: store.signed_url("components/a.jpg"),
    ):
        with pytest.raises(NotSupportedError) as missing:
            call()
        assert missing.value.http_status == 501 and missing.value.hint
    with pytest.raises(NotSupportedError):
        ImageStore.local(tmp_path, secret=SECRET).presigned_put("a.jpg")


def test_cloudfront_by_botocores_signer(tmp_path: Any) -> None:
    """RSA signatures are deterministic: the very URL that botocore's CloudFrontSigner gives."""
    import base64
    import subprocess

    from botocore.signers import CloudFrontSigner

    key_file = tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "genrsa", "-traditional", "-out", key_file, "2048"],
        check=True,
        capture_output=True,
    )
    store = ImageStore.s3(
        "bucket",
        access_key_id="A",
        secret_access_key="S",
        cloudfront_domain="d111111abcdef8.cloudfront.net",
        cloudfront_key_pair_id="K2JCJMDEHXQW5F",
        cloudfront_private_key_path=key_file,
    )
    signed = store.signed_url("components/a.jpg", expires_in=3600)

    def by_openssl(message: bytes) -> bytes:
        made = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", key_file], input=message, capture_output=True
        )
        return made.stdout

    plain = "https://d111111abcdef8.cloudfront.net/components/a.jpg"
    theirs = CloudFrontSigner("K2JCJMDEHXQW5F", by_openssl).generate_presigned_url(
        plain, date_less_than=signed.expires_at
    )
    parts = dict(part.split("=", 1) for part in urlsplit(signed.url).query.split("&"))
    expected = dict(part.split("=", 1) for part in urlsplit(theirs).query.split("&"))
    assert parts["Signature"] == expected["Signature"] and parts["Expires"] == expected["Expires"]
    assert parts["Key-Pair-Id"] == expected["Key-Pair-Id"]
    cookies = store.signed_cookies(expires_in=3600)
    assert set(cookies.cookies) >= {"CloudFront-Policy", "CloudFront-Signature"}
    padded = cookies.cookies["CloudFront-Policy"].replace("_", "=").replace("~", "/")
    assert b"components/*" in base64.b64decode(padded.replace("-", "+"))
