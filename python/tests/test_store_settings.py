"""How stores are made: keywords, variables, pickles, and what is said of wrong ones."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lablink_storage import (
    ConfigurationError,
    ImageStore,
    NotSupportedError,
)
from lablink_storage._lablink_storage import settings

from support import SECRET, Server


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
