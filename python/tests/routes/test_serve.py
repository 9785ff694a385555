"""Stored images as they are served from local files: types, conditions, ranges, and what is not to be had."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from routes.conftest import Serve
from routes.service import Client

from lablink_storage import ImageStore

from support import SECRET, photo

VARIANTS = json.dumps(
    {f"as-{format}": {"max_width": 100, "format": format} for format in ("jpeg", "png", "webp", "avif")}
)
PAST = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.fixture(scope="module")
def url(serve: Serve) -> str:
    found: str = serve().upload(photo(800, 600))["url"]
    return found


def test_a_served_image(client: Client, url: str) -> None:
    answer = client.get(url)
    key = url.removeprefix("/uploads/")
    assert answer.status == 200 and answer.body == (client.directory / key).read_bytes()
    headers = answer.headers
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Length"] == str(len(answer.body))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["ETag"].startswith('"') and headers["Last-Modified"].endswith("GMT")
    assert client.get(f"{url}?v=2").body == answer.body
    head = client.head(url)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Last-Modified", "Cache-Control"):
        assert head.headers[name] == headers[name]
    assert client.send("DELETE", url).status == 405


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_whatever_the_store_writes_is_served(serve: Serve, format: str) -> None:
    """IANA's media types."""
    stored = serve(LABLINK_STORAGE_VARIANTS=VARIANTS).upload(photo(800, 600))
    variant = stored["variants"][f"as-{format}"]
    answer = serve(LABLINK_STORAGE_VARIANTS=VARIANTS).get(variant["url"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, f"image/{format}")
    with Image.open(io.BytesIO(answer.body)) as image:
        assert image.format == format.upper() and image.size == (100, 75)


@pytest.mark.parametrize(
    "extension, content_type",
    [("gif", "image/gif"), ("bmp", "image/bmp"), ("tif", "image/tiff"), ("heic", "image/heic")],
)
def test_images_that_were_there_before_the_store_are_served(
    client: Client, url: str, extension: str, content_type: str
) -> None:
    (client.directory / f"components/before.{extension}").write_bytes(b"an image")
    answer = client.get(f"/uploads/components/before.{extension}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
    for other in ("svg", "html", "txt"):
        (client.directory / f"components/before.{other}").write_bytes(b"<script>")
        assert client.get(f"/uploads/components/before.{other}").status == 404


def test_conditions(client: Client, url: str) -> None:
    """RFC 9110 (13.2.2), as S3 answers."""
    plain = client.get(url)
    etag, modified = plain.headers["ETag"], plain.headers["Last-Modified"]
    cases: list[tuple[dict[str, str], int]] = [
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": f"W/{etag}"}, 304),
        ({"If-None-Match": f'"other", {etag}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-None-Match": '"other"', "If-Modified-Since": modified}, 200),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": PAST}, 200),
        ({"If-Modified-Since": "no date"}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": f"W/{etag}"}, 412),
        ({"If-Match": '"other"', "Range": "bytes=0-9"}, 412),
        ({"If-Match": etag}, 200),
        ({"If-Match": f'"other", {etag}'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": etag, "Range": "bytes=0-9"}, 206),
        ({"If-Match": etag, "If-None-Match": etag}, 304),
        ({"If-Unmodified-Since": PAST}, 412),
        ({"If-Unmodified-Since": modified}, 200),
        ({"If-Match": etag, "If-Unmodified-Since": PAST}, 200),
        ({"If-Unmodified-Since": "no date"}, 200),
        ({"If-Range": etag, "Range": "bytes=0-9"}, 206),
        ({"If-Range": '"other"', "Range": "bytes=0-9"}, 200),
        ({"If-Range": modified, "Range": "bytes=0-9"}, 206),
        ({"If-Range": PAST, "Range": "bytes=0-9"}, 200),
    ]
    for headers, status in cases:
        answer = client.send("GET", url, headers=headers)
        assert answer.status == status, headers
        assert client.send("HEAD", url, headers=headers).status == (200 if status == 206 else status), headers
        if status == 304:
            assert answer.body == b"" and answer.headers["ETag"] == etag
            assert answer.headers["Cache-Control"] == plain.headers["Cache-Control"]
            assert "Content-Type" not in answer.headers
        if status == 412:
            assert answer.error == "precondition_failed"


@pytest.mark.parametrize(
    "asked, start, end",
    [
        ("bytes=0-9", 0, 10),
        ("bytes=5-", 5, None),
        ("bytes=-7", -7, None),
        ("bytes=3-3", 3, 4),
        ("bytes=10-99999999", 10, None),
    ],
)
def test_ranges(client: Client, url: str, asked: str, start: int, end: int | None) -> None:
    whole = client.get(url).body
    answer = client.get(url, Range=asked)
    assert answer.status == 206 and answer.body == whole[start:end]
    first, last = start % len(whole), (end or len(whole)) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    "asked",
    [
        "items=0-5",
        "bytes=0-1,5-9",
        "bytes",
        "bytes=",
        "bytes=a-b",
        "bytes=9-5",
        "bytes=--5",
        "x",
        "bytes=-99999999",
    ],
)
def test_ranges_that_are_ignored(client: Client, url: str, asked: str) -> None:
    answer = client.get(url, Range=asked)
    assert answer.status == 200 and answer.body == client.get(url).body


def test_a_range_beyond_the_image(client: Client, url: str) -> None:
    size = len(client.get(url).body)
    answer = client.get(url, Range=f"bytes={size}-")
    assert (answer.status, answer.error) == (416, "invalid_argument")
    assert answer.headers["Content-Range"] == f"bytes */{size}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


TRAVERSALS = [
    "/uploads/../secret.jpg",
    "/uploads/components/../../secret.jpg",
    "/uploads/%2e%2e/secret.jpg",
    "/uploads/..%2fsecret.jpg",
    "/uploads/%2e%2e%2fsecret.jpg",
    "/uploads/components/%2e%2e/%2e%2e/secret.jpg",
    "/uploads/%252e%252e/secret.jpg",
    "/uploads/%252e%252e%252fsecret.jpg",
    "/uploads/..%5csecret.jpg",
    "/uploads/..\\secret.jpg",
    "/uploads/%c0%ae%c0%ae/secret.jpg",
    "/uploads/%uff0e%uff0e/secret.jpg",
    "/uploads/....//secret.jpg",
    "/uploads//etc/passwd",
    "/uploads/%2fetc%2fpasswd",
    "/uploads///secret.jpg",
    "/uploads/components//a.jpg",
    "/uploads/components/a.jpg%00.png",
    "/uploads/components/%0a.jpg",
    "/uploads/components/%ff.jpg",
    "/uploads/file:///etc/passwd",
    "/uploads/http://localhost/uploads/components/a.jpg",
    "/uploads//uploads/components/a.jpg",
    "/uploads/pending/components/a.jpg",
    "/uploads/%70ending/components/a.jpg",
    "/uploads/originals/components/a.jpg",
    "/uploads/",
    "/uploads/components",
    "/uploads/components/",
    "/uploads/elsewhere/a.jpg",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_what_is_not_a_published_image_is_not_found(client: Client, url: str, path: str) -> None:
    for secret in (
        "../secret.jpg",
        "pending/components/a.jpg",
        "originals/components/a.jpg",
        "elsewhere/a.jpg",
    ):
        (client.directory / secret).parent.mkdir(parents=True, exist_ok=True)
        (client.directory / secret).write_bytes(b"the secret")
    answer = client.get(path)
    assert answer.status == 404 and b"the secret" not in answer.body
    assert str(client.directory).encode() not in answer.body


def test_links_and_files_that_are_no_images(client: Client, url: str) -> None:
    folder = client.directory / "components"
    (client.directory.parent / "secret.jpg").write_bytes(b"the secret")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "image.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    if not (folder / "link.jpg").is_symlink():
        (folder / "link.jpg").symlink_to(client.directory.parent / "secret.jpg")
    for name in ("link.jpg", "page.html", "image.svg"):
        assert client.get(f"/uploads/components/{name}").error == "not_found"


def test_names_that_are_encoded(client: Client) -> None:
    name = "das Gerät + 100%.jpg"
    (client.directory / "components").mkdir(parents=True, exist_ok=True)
    (client.directory / "components" / name).write_bytes(photo(20, 20))
    store = ImageStore.local(client.directory, secret=SECRET)
    assert client.get(store.public_url(f"components/{name}")).status == 200


def test_a_signed_request(client: Client, url: str) -> None:
    store = ImageStore.local(client.directory, secret=SECRET)
    signed = store.presigned_get(store.key_from_url(url), download_as="das Gerät.jpg").url
    answer = client.get(signed)
    assert answer.status == 200 and answer.headers["Content-Disposition"].startswith("attachment")
    forged = client.get(signed[:-3] + "000")
    assert (forged.status, forged.error) == (403, "policy_violation")
    other = client.upload(photo(90, 60))["url"]
    assert client.get(f"{other}?{signed.partition('?')[2]}").error == "policy_violation"
