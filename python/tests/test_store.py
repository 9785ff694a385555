"""A store of every backend: an image's life, threads, listings, arguments that are wrong, errors."""

from __future__ import annotations

import hashlib
import io
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import lablink_storage
from lablink_storage import (
    AccessDeniedError,
    AlreadyExistsError,
    CredentialsError,
    ForeignUrlError,
    ImageStore,
    InvalidArgumentError,
    InvalidImageError,
    InvalidKeyError,
    LimitExceededError,
    NoSuchBucketError,
    NotFoundError,
    StorageError,
    UnsupportedFormatError,
    optimize,
)

from support import Server, opened, photo


def test_the_life_of_an_image(store: ImageStore, picture: bytes) -> None:
    image = store.upload(picture, filename="board.png")

    # 1600 x 1200 into 1200 x 1200, JPEG whatever the name says.
    assert (image.width, image.height, image.content_type) == (1200, 900, "image/jpeg")
    assert image.key.startswith("components/") and image.key.endswith(".jpg")
    assert image.source.width == 1600 and image.source.format == "image/jpeg"
    stored = store.get(image.key)
    assert opened(stored).size == (1200, 900)
    assert len(stored) == image.size and hashlib.sha256(stored).hexdigest() == image.sha256
    assert opened(store.get(image.variants["thumb"].url)).size == (320, 240)
    assert store.variant_url(image.key, "thumb") == image.variants["thumb"].url

    info = store.head(image.url)
    assert (info.key, info.size, info.content_type) == (image.key, image.size, "image/jpeg")
    assert info.cache_control == "public, max-age=31536000, immutable"
    assert abs(datetime.now(UTC) - info.last_modified) < timedelta(minutes=5)
    assert store.get_range(image.key, 0, 3) == b"\xff\xd8\xff"

    listed = {info.key: info.variant for info in store.list()}
    assert listed == {image.key: None, image.variants["thumb"].key: "thumb"}

    assert store.key_from_url(image.url) == image.key and store.public_url(image.key) == image.url
    store.delete(image.url)
    assert not store.exists(image.key) and not store.exists(image.variants["thumb"].key)
    store.delete(image.key)
    with pytest.raises(NotFoundError) as missing:
        store.get(image.key)
    assert isinstance(missing.value, FileNotFoundError) and missing.value.code == "not_found"


def test_status(store: ImageStore) -> None:
    status = store.status()
    assert status.accessible and status.enabled == (store.backend == "s3")
    assert status.backend == store.backend and status.bucket == store.bucket
    assert status.error is None


@pytest.mark.parametrize(
    "garbage, kind",
    [
        (b"", InvalidImageError),
        (b"hello, this is no image at all", UnsupportedFormatError),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedFormatError),
        (b"%PDF-1.7", UnsupportedFormatError),
        (photo(300, 200)[:2000], InvalidImageError),
    ],
)
def test_what_is_no_image_is_not_stored(store: ImageStore, garbage: bytes, kind: type[StorageError]) -> None:
    with pytest.raises(kind) as refused:
        store.upload(garbage, filename="photo.jpg")
    assert isinstance(refused.value, ValueError) and refused.value.hint
    assert list(store.list()) == []


def test_a_file_over_the_limit_is_not_stored(picture: bytes) -> None:
    store = ImageStore.memory(limits={"max_bytes": len(picture) - 1})
    for file in (picture, bytearray(picture), io.BytesIO(picture)):
        with pytest.raises(LimitExceededError) as refused:
            store.upload(file)
        assert str(len(picture) - 1) in str(refused.value)
    assert list(store.list()) == []
    ImageStore.memory(limits={"max_bytes": len(picture)}).upload(io.BytesIO(picture))


def test_one_upload_may_be_optimized_otherwise(memory: ImageStore, picture: bytes) -> None:
    image = memory.upload(picture, optimize={"max_width": 100, "format": "webp"})
    assert (image.width, image.content_type) == (100, "image/webp")
    assert image.key.endswith(".webp") and image.variants["thumb"].key.endswith("/thumb.webp")


def test_keys_and_urls_that_are_not_ours(store: ImageStore) -> None:
    for url in (
        "https://elsewhere.example/components/a.jpg",
        "//evil.example/components/a.jpg",
        "/etc/passwd",
        "javascript:alert(1)",
    ):
        with pytest.raises((ForeignUrlError, InvalidKeyError)):
            store.delete(url)
    for key in ("components/../a.jpg", "", "components//a.jpg", "components/a\nb.jpg"):
        with pytest.raises(InvalidKeyError):
            store.get(key)
        with pytest.raises(ValueError):
            store.get(key)


def test_threads_share_a_store(store: ImageStore, picture: bytes) -> None:
    def once(_: int) -> str:
        image = store.upload(picture)
        assert store.exists(image.key)
        return image.key

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(once, range(16)))
    assert len(keys) == 16
    assert {info.key for info in store.list() if info.variant is None} == keys


def test_the_gil_is_released_while_an_image_is_decoded(picture: bytes) -> None:
    large = photo(6000, 4000)
    store = ImageStore.memory()
    ticks, done = 0, threading.Event()

    def work() -> None:
        store.upload(large)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    # Holding the GIL, the upload would let this loop turn a few times at most.
    assert ticks > 10


def test_a_listing_is_lazy_and_ends(memory: ImageStore, picture: bytes) -> None:
    small = photo(20, 20)
    for _ in range(5):
        memory.upload(small)
    listing = memory.list()
    assert iter(listing) is listing
    assert len(list(listing)) == 10
    assert list(listing) == []
    with pytest.raises(InvalidKeyError):
        list(memory.list("elsewhere"))


LONE = "\ud800"
"""A lone surrogate: JSON and os.fsdecode give such text, UTF-8 has none."""


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.get(LONE),
        lambda store: store.get_range(LONE, 0, 1),
        lambda store: store.head(LONE),
        lambda store: store.exists(f"/{LONE}"),
        lambda store: store.list(LONE),
        lambda store: store.delete(LONE),
        lambda store: store.public_url(LONE),
        lambda store: store.variant_url(LONE, "thumb"),
        lambda store: store.presigned_get(LONE),
        lambda store: store.signed_url(LONE),
        lambda store: store.verify_get(LONE, ""),
        lambda store: store.promote(LONE),
    ],
)
def test_keys_that_are_not_utf_8(memory: ImageStore, call: Callable[[ImageStore], Any]) -> None:
    with pytest.raises(InvalidKeyError, match="UTF-8"):
        call(memory)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.upload(b"", filename=LONE),
        lambda store: store.upload(Path(LONE)),
        lambda store: store.upload(b"", optimize={LONE: 1}),
        lambda store: store.variant_url("components/a.jpg", LONE),
        lambda store: store.key_from_url(LONE),
        lambda store: store.presigned_get("components/a.jpg", download_as=LONE),
        lambda store: store.presigned_get("components/a.jpg", response_content_type=LONE),
        lambda store: store.presigned_put(LONE),
        lambda store: store.presigned_put("a.jpg", LONE),
        lambda store: store.presigned_post(LONE),
        lambda store: store.presigned_post("a.jpg", LONE),
        lambda store: store.signed_url("components/a.jpg", ip_range=LONE),
        lambda store: store.signed_cookies(LONE),
        lambda store: store.receive_post({LONE: ""}, b""),
        lambda store: store.verify_get("components/a.jpg", LONE),
        lambda store: ImageStore.s3(LONE),
        lambda store: ImageStore.local(LONE),
        lambda store: ImageStore.memory(secret=LONE),
        lambda store: ImageStore.memory(variants={LONE: {}}),
    ],
)
def test_other_text_that_is_not_utf_8(memory: ImageStore, call: Callable[[ImageStore], Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="UTF-8"):
        call(memory)


@pytest.mark.parametrize("number", [-1, 1 << 64, 10**40, -(10**40)])
def test_numbers_out_of_range(memory: ImageStore, number: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: memory.get_range("components/a.jpg", number, 5),
        lambda: memory.get_range("components/a.jpg", 0, number),
        lambda: memory.presigned_post("a.jpg", max_bytes=number),
        lambda: memory.presigned_post("a.jpg", expires_in=number),
        lambda: optimize(b"", max_width=number),
        lambda: optimize(b"", limits={"max_bytes": number}),
        lambda: ImageStore.memory(max_decodes=number),
        lambda: ImageStore.memory(deadline=number * 10**400),
    ]
    for call in calls:
        with pytest.raises(InvalidArgumentError):
            call()


def test_results_are_values(memory: ImageStore, picture: bytes) -> None:
    image = memory.upload(picture)
    assert pickle.loads(pickle.dumps(image)) == image
    assert image.to_dict()["variants"]["thumb"]["width"] == 320
    with pytest.raises(AttributeError):
        image.key = "other"  # type: ignore[misc]


def test_the_kinds_of_s3s_refusals(server: Server, bucket: str, picture: bytes) -> None:
    with pytest.raises(NoSuchBucketError) as missing:
        server.store(f"{bucket}-missing").upload(picture)
    assert missing.value.service_code == "NoSuchBucket" and missing.value.request_id
    for id, secret, code in (
        (server.access_key, "wrong", "SignatureDoesNotMatch"),
        ("NOSUCHKEY", "wrong", "InvalidAccessKeyId"),
    ):
        wrong = ImageStore.s3(
            bucket,
            endpoint_url=server.plain_endpoint,
            access_key_id=id,
            secret_access_key=secret,
        )
        with pytest.raises(CredentialsError) as refused:
            wrong.upload(picture)
        assert refused.value.service_code == code and refused.value.hint
        assert not wrong.status().accessible
    # Somebody else's keys are good ones, and may nothing here.
    other = ImageStore.s3(
        bucket,
        endpoint_url=server.plain_endpoint,
        access_key_id=server.other_access_key,
        secret_access_key=server.other_secret_key,
    )
    with pytest.raises(AccessDeniedError) as denied:
        other.upload(picture)
    assert denied.value.service_code == "AccessDenied" and "s3:PutObject" in (denied.value.hint or "")


def test_exceptions_travel() -> None:
    for name in lablink_storage.__all__:
        kind = getattr(lablink_storage, name)
        if not (isinstance(kind, type) and issubclass(kind, StorageError)):
            continue
        error = kind("what", "do this", True, "SlowDown", "id-1")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind and str(again) == "what"
        assert (again.hint, again.retryable, again.service_code, again.request_id) == (
            "do this",
            True,
            "SlowDown",
            "id-1",
        )
        assert kind.code == again.code
    assert AlreadyExistsError.http_status == 409


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the module of subinterpreters is 3.11's")
def test_a_second_interpreter_is_refused_plainly() -> None:
    """mod_wsgi gives each application one; what is raised in the second could not be caught there."""
    program = (
        "import sys, lablink_storage, _xxsubinterpreters as interpreters\n"
        "other = interpreters.create(isolated=False)\n"
        "code = f'import sys; sys.path[:0] = {sys.path!r}\\n'\n"
        "code += 'try: import lablink_storage\\nexcept ImportError as error: print(error)'\n"
        "interpreters.run_string(other, code)\n"
    )
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "another interpreter of this process" in said and "WSGIApplicationGroup" in said
