"""One suite that every backend passes, and what Python adds: kinds of input, pickling, errors."""

from __future__ import annotations

import array
import hashlib
import inspect
import io
import mmap
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.datastructures import FileStorage

import lablink_storage
from lablink_storage import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigurationError,
    CredentialsError,
    ForeignUrlError,
    ImageStore,
    InvalidArgumentError,
    InvalidImageError,
    InvalidKeyError,
    LimitExceededError,
    NoSuchBucketError,
    NotFoundError,
    NotSupportedError,
    StorageError,
    UnsupportedFormatError,
    optimize,
)
from lablink_storage._lablink_storage import settings

from support import SECRET, Server, opened, photo


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


class Chunky(io.RawIOBase):
    """Gives less than it is asked for, as sockets do, and cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1000))

    def tell(self) -> int:
        raise OSError("not seekable")


INPUTS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "slice of a memoryview": lambda data: memoryview(b"xx" + data)[2:],
    "array": lambda data: array.array("B", data),
    "BytesIO": io.BytesIO,
    "BufferedReader": lambda data: io.BufferedReader(io.BytesIO(data)),
    "werkzeug": lambda data: FileStorage(io.BytesIO(data), "board.png"),
    "unseekable": Chunky,
}


@pytest.mark.parametrize("kind", INPUTS)
def test_any_kind_of_input_is_the_same_image(memory: ImageStore, picture: bytes, kind: str) -> None:
    expected = memory.upload(picture).sha256
    assert memory.upload(INPUTS[kind](picture)).sha256 == expected


def test_files(memory: ImageStore, picture: bytes, tmp_path: Path) -> None:
    path = tmp_path / "board.jpg"
    path.write_bytes(picture)
    expected = memory.upload(picture).sha256
    assert memory.upload(path).sha256 == expected
    with path.open("rb") as file:
        assert memory.upload(file).sha256 == expected
        assert file.tell() == 0 and not file.closed
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert memory.upload(mapped).sha256 == expected
    with path.open("rb", buffering=0) as unbuffered:
        assert memory.upload(unbuffered).sha256 == expected
    for most in (10, 10_000_000):
        with tempfile.SpooledTemporaryFile(max_size=most) as spooled:
            spooled.write(picture)
            spooled.seek(0)
            assert memory.upload(spooled).sha256 == expected
            assert spooled.tell() == 0 and not spooled.closed


def test_a_file_object_is_read_from_where_it_stands_and_put_back(memory: ImageStore, picture: bytes) -> None:
    file = io.BytesIO(b"header" + picture)
    file.seek(6)
    assert memory.upload(file).width == 1200
    assert file.tell() == 6 and not file.closed
    file.seek(0)
    with pytest.raises(UnsupportedFormatError):
        memory.upload(file)
    assert file.tell() == 0


def test_a_file_object_is_put_back_when_reading_fails(memory: ImageStore) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            super().read(1)
            raise OSError("the disk is gone")

    file = Broken(b"abc")
    with pytest.raises(OSError, match="the disk is gone"):
        memory.upload(file)
    assert file.tell() == 0


def test_never_more_is_read_than_the_limit(picture: bytes) -> None:
    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += size
            return b"\xff" * size

    endless = Endless()
    with pytest.raises(LimitExceededError):
        ImageStore.memory(limits={"max_bytes": 5_000_000}).upload(endless)
    assert endless.given == 5_000_001


@pytest.mark.parametrize("wrong", [None, 7, "board.jpg", io.StringIO("text"), object()])
def test_what_is_no_file_is_a_type_error(memory: ImageStore, wrong: Any) -> None:
    with pytest.raises(TypeError):
        memory.upload(wrong)


def test_paths_that_are_no_files(memory: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        memory.upload(tmp_path / "missing.jpg")
    with pytest.raises(IsADirectoryError):
        memory.upload(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidArgumentError):
        memory.upload(tmp_path / "pipe")


def test_no_file_is_left_open(memory: ImageStore, picture: bytes, tmp_path: Path) -> None:
    path = tmp_path / "board.jpg"
    path.write_bytes(picture)
    memory.upload(path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        memory.upload(path)
        with pytest.raises(StorageError):
            memory.upload(io.BytesIO(b"nothing"))
    assert len(os.listdir("/proc/self/fd")) == before


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


def test_stores_are_pickled_with_their_configuration(tmp_path: Path, picture: bytes) -> None:
    store = ImageStore.local(tmp_path / "up", variants={"thumb": {"max_width": 50}}, prefix="x")
    image = store.upload(picture)
    again: ImageStore = pickle.loads(pickle.dumps(store))
    assert again.get(image.key) == store.get(image.key) and again.variants == ["thumb"]
    pickle.loads(pickle.dumps(again))


def test_a_pickle_of_the_environments_store_carries_no_secret(
    monkeypatch: pytest.MonkeyPatch, server: Server, bucket: str, picture: bytes
) -> None:
    for name, value in server.environment(bucket).items():
        monkeypatch.setenv(name, value)
    image = ImageStore.from_env().upload(picture)
    pickled = pickle.dumps(ImageStore.from_env(variants={"thumb": {}}))
    assert bucket.encode() in pickled
    assert server.secret_key.encode() not in pickled and server.access_key.encode() not in pickled
    # In the worker, whose environment has the keys but not the bucket:
    monkeypatch.delenv("AWS_S3_BUCKET")
    monkeypatch.setenv("LABLINK_STORAGE_PREFIX", "other")
    worker: ImageStore = pickle.loads(pickled)
    assert worker.bucket == bucket and worker.prefix == "components"
    assert worker.exists(image.key)


def test_a_pickle_of_a_mappings_store_carries_what_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "hidden-key",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "hidden-token",
        "LABLINK_STORAGE_SECRET": "",
    }
    mapping = credentials | {
        "AWS_S3_BUCKET": "lab-images",
        "AWS_PROFILE": "hidden-profile",
        "DATABASE_URL": "postgres://lab:hidden@db/lab",
    }
    for name, value in credentials.items():
        monkeypatch.setenv(name, value)
    pickled = pickle.dumps(ImageStore.from_env(mapping))
    assert b"lab-images" in pickled
    assert b"hidden" not in pickled and b"AKIDEXAMPLE" not in pickled and b"DATABASE_URL" not in pickled
    assert pickle.dumps(pickle.loads(pickled)) == pickled
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
        with monkeypatch.context() as other, pytest.raises(NotSupportedError, match="secrets in code"):
            other.setenv(name, "another")
            pickle.dumps(ImageStore.from_env(mapping))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ImageStore.memory(),
        lambda: ImageStore.s3("b-u-c-k-e-t", access_key_id="AK", secret_access_key="hidden-secret"),
        lambda: ImageStore.local("uploads", secret=SECRET),
        lambda: ImageStore.from_env({"LABLINK_STORAGE_SECRET": SECRET}),
    ],
)
def test_stores_with_secrets_are_not_pickled(make: Callable[[], ImageStore]) -> None:
    with pytest.raises(NotSupportedError) as refused:
        pickle.dumps(make())
    assert "secret" in str(refused.value) or "memory" in str(refused.value)
    assert SECRET not in str(refused.value)


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


def test_a_wrong_configuration_names_the_remedy() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        ImageStore.from_env({"LABLINK_STORAGE_REQUIRE_S3": "true"})
    assert "AWS_S3_BUCKET" in f"{wrong.value} {wrong.value.hint}"
    with pytest.raises(ConfigurationError):
        ImageStore.s3("NOT a bucket")
    for wrong_options in (
        {"optimize": {"no_such": 1}},
        {"optimize": '{"no_such": 1}'},
        {"variants": {"thumb": {"no_such": 1}}},
        {"limits": {"no_such": 1}},
    ):
        with pytest.raises(ConfigurationError, match="no_such"):
            ImageStore.memory(**wrong_options)
    with pytest.raises(ConfigurationError, match="secret_access_key is not set"):
        ImageStore.s3("bucket", access_key_id="only")
    endless: dict[str, Any] = {}
    endless["limits"] = endless
    with pytest.raises(ConfigurationError, match="optimize"):
        ImageStore.memory(optimize=endless)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ImageStore()


def test_constructors_take_what_their_signatures_name_and_nothing_else(tmp_path: Path) -> None:
    constructors: dict[str, tuple[Callable[..., ImageStore], list[Any]]] = {
        "from_env": (ImageStore.from_env, [{}]),
        "s3": (ImageStore.s3, ["bucket"]),
        "local": (ImageStore.local, [tmp_path]),
        "memory": (ImageStore.memory, []),
    }
    named = {
        name: {
            parameter.name
            for parameter in inspect.signature(make).parameters.values()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }
        for name, (make, _) in constructors.items()
    }
    for name, keywords in named.items():
        assert keywords == {setting["keyword"] for setting in settings() if name in setting["constructors"]}
    for name, (make, arguments) in constructors.items():
        for keyword in sorted(set.union({"no_such_option"}, *named.values())):
            if keyword in named[name]:
                make(*arguments, **{keyword: None})
                continue
            for value in (None, "x", True):
                with pytest.raises(TypeError) as wrong:
                    make(*arguments, **{keyword: value})
                expected = f"ImageStore.{name}() got an unexpected keyword argument {keyword!r}"
                assert str(wrong.value) == expected


def test_keywords_reach_the_store(tmp_path: Path) -> None:
    store = ImageStore.s3(
        "lab-images",
        endpoint_url="http://minio:9000",
        public_endpoint="https://images.lab.example",
        direct_upload="put",
        max_upload_bytes=5,
        former_urls=["/uploads"],
        limits={"max_bytes": 7, "max_duration": timedelta(seconds=2)},
        variants={"wide": {"max_width": 800, "quality": 80}, "thumb": {"background": (1, 2, 3)}},
    )
    assert store.public_url("components/a.jpg").startswith("https://images.lab.example/lab-images/")
    assert store.key_from_url("/uploads/components/a.jpg") == "components/a.jpg"
    assert (store.direct_upload, store.max_upload_bytes, store.max_bytes) == ("put", 5, 7)
    assert store.variants == ["wide", "thumb"]
    assert ImageStore.local(tmp_path).direct_upload == "post"


def test_code_replaces_what_the_environment_says() -> None:
    variables = {
        "LABLINK_STORAGE_MEMORY": "true",
        "LABLINK_STORAGE_LIMITS": '{"max_bytes": 5}',
        "LABLINK_STORAGE_VARIANTS": '{"thumb": {"max_width": 320}}',
    }
    store = ImageStore.from_env(variables)
    assert (store.backend, store.max_bytes, store.variants) == ("memory", 5, ["thumb"])
    with pytest.raises(NotSupportedError, match="pickled"):
        pickle.dumps(store)
    store = ImageStore.from_env(variables, limits={"max_pixels": 7}, variants={"card": {}})
    assert (store.max_bytes, store.variants) == (32 << 20, ["card"])


def test_variables_that_are_not_utf_8(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path in another encoding is not silently replaced by the default directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environb, b"GR\xdcSSE", b"gr\xfc\xdfe")
    monkeypatch.setitem(os.environb, b"GREETING", b"gr\xfc\xdfe")
    assert ImageStore.from_env({**os.environ}).directory
    for name in ("LABLINK_STORAGE_DIR", "AWS_S3_BUCKET"):
        with monkeypatch.context() as wrong:
            wrong.setitem(os.environb, name.encode(), b"/srv/gr\xfc\xdfe")
            with pytest.raises(ConfigurationError, match=name) as refused:
                ImageStore.from_env()
            assert refused.value.hint
            command = [sys.executable, "-m", "lablink_storage", "ls"]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 1 and name in done.stderr and "Traceback" not in done.stderr
    with pytest.raises(TypeError, match="env"):
        ImageStore.from_env({1: "x"})  # type: ignore[dict-item]


def test_no_secret_is_shown() -> None:
    store = ImageStore.s3(
        "bucket-name",
        access_key_id="AKIDEXAMPLE",
        secret_access_key="hidden-secret",
        session_token="hidden-token",
    )
    post = store.presigned_post("a.jpg")
    shown = repr(store) + str(store) + repr(post) + repr(store.presigned_get("components/a.jpg"))
    assert "bucket-name" in shown
    for hidden in ("hidden-secret", "hidden-token", post.fields["x-amz-signature"]):
        assert hidden not in shown


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


class Unseekable(io.RawIOBase):
    """Knows where it is and cannot go back: a request's stream, requests' raw, boto3's Body."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._inner.tell()

    def readinto(self, buffer: Any) -> int:
        return self._inner.readinto(buffer)


class WithoutSeek:
    def __init__(self, data: bytes) -> None:
        inner = io.BytesIO(data)
        self.read, self.tell = inner.read, inner.tell


@pytest.mark.parametrize("stream", [Unseekable, WithoutSeek])
def test_streams_that_cannot_go_back(memory: ImageStore, stream: Any) -> None:
    data = photo(40, 30)
    assert memory.upload(stream(data)).source.size == len(data)


def test_a_request_body_is_uploaded_as_it_comes(memory: ImageStore) -> None:
    app = Flask("lab")
    app.add_url_rule("/photo", "put", lambda: memory.upload(request.stream).key, methods=["PUT"])
    answer = app.test_client().put("/photo", data=photo(40, 30), content_type="image/jpeg")
    assert answer.status_code == 200 and memory.exists(answer.text)


@pytest.mark.parametrize("empty", [b"", io.BytesIO(), bytearray()])
def test_an_empty_file_is_called_empty(memory: ImageStore, empty: Any) -> None:
    with pytest.raises(InvalidImageError, match="the file is empty") as refused:
        memory.upload(empty)
    assert refused.value.http_status == 400 and not isinstance(refused.value, UnsupportedFormatError)


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
