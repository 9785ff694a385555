"""What several tests need: pictures, and a bucket of their own on a real S3 server."""

from __future__ import annotations

import functools
import io
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from flask import Flask
from PIL import Image

from lablink_storage import ImageStore, UnsupportedFormatError, optimize
from lablink_storage.flask import LablinkStorage

ROOT = Path(__file__).resolve().parents[2]
HEIC = (ROOT / "tests/fixtures/formats/420.heic").read_bytes()
SECRET = "a-secret-for-tests-of-32-bytes-or-more"


def reads_heic() -> bool:
    """Whether this build reads HEIC. The published one does not, and --full has its features."""
    try:
        return optimize(HEIC).width > 0
    except UnsupportedFormatError:
        return False


def photo(
    width: int = 1600,
    height: int = 1200,
    *,
    format: str = "JPEG",
    mode: str = "RGB",
    orientation: int | None = None,
) -> bytes:
    """A picture with structure in it; its top left quarter is red, so that a turn shows."""
    gradient = Image.linear_gradient("L").resize((width, height))
    red = Image.new("L", (width, height), 60)
    picture = Image.merge("RGB", (red, gradient.rotate(180), gradient.rotate(90).resize((width, height))))
    picture.paste((220, 30, 30), (0, 0, width // 2, height // 2))
    picture = picture.convert(mode)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    options: dict[str, Any] = {"exif": exif} if orientation is not None else {}
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    """What an independent decoder makes of the bytes."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@dataclass(frozen=True)
class Server:
    """The S3 server that the tests run against; they fail where it is missing."""

    endpoint: str
    plain_endpoint: str
    """The same objects behind a gateway that tells a wrong secret from a missing permission, as S3 does."""
    access_key: str
    secret_key: str
    other_access_key: str
    other_secret_key: str

    @classmethod
    def from_env(cls) -> Server:
        endpoint = os.environ.get("LABLINK_TEST_S3_ENDPOINT", "http://127.0.0.1:7480")
        return cls(
            endpoint,
            os.environ.get("LABLINK_TEST_S3_PLAIN_ENDPOINT", endpoint),
            os.environ.get("LABLINK_TEST_S3_ACCESS_KEY", "TESTACCESSKEY000001"),
            os.environ.get("LABLINK_TEST_S3_SECRET_KEY", "testsecretkey0000000000000000000000001"),
            os.environ.get("LABLINK_TEST_S3_OTHER_ACCESS_KEY", "OTHERACCESSKEY00001"),
            os.environ.get("LABLINK_TEST_S3_OTHER_SECRET_KEY", "othersecretkey000000000000000000000001"),
        )

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
        )

    def environment(self, bucket: str) -> dict[str, str]:
        """The variables that point the library at a bucket."""
        return {
            "AWS_S3_BUCKET": bucket,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def store(self, bucket: str, **keywords: Any) -> ImageStore:
        return ImageStore.s3(
            bucket,
            endpoint_url=self.endpoint,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            **keywords,
        )

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def make_public(self, bucket: str, *, listing: bool = True) -> None:
        """Anyone may read what lies under the prefix; with ``listing``, S3 says 404 of what does not lie
        there, otherwise 403."""
        allowed = [("s3:GetObject", f"{bucket}/components/*")]
        if listing:
            allowed.append(("s3:ListBucket", bucket))
        statements = [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": action,
                "Resource": f"arn:aws:s3:::{resource}",
            }
            for action, resource in allowed
        ]
        policy = {"Version": "2012-10-17", "Statement": statements}
        self.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def allow_origin(self, bucket: str, origin: str) -> None:
        """The CORS rules that ``lablink-storage setup`` writes for a page at ``origin``."""
        command = [sys.executable, "-m", "lablink_storage", "setup", "--origin", origin, "--json"]
        environment = os.environ | self.environment(bucket)
        made = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
        self.client().put_bucket_cors(Bucket=bucket, CORSConfiguration=json.loads(made)["cors"])

    @contextmanager
    def bucket(self) -> Iterator[str]:
        """A bucket of its own, removed with all that is in it."""
        name = f"python-{uuid.uuid4().hex[:16]}"
        client = self.client()
        client.create_bucket(Bucket=name)
        try:
            yield name
        finally:
            for key in self.keys(name):
                client.delete_object(Bucket=name, Key=key)
            client.delete_bucket(Bucket=name)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def upload_in_worker(store: ImageStore) -> tuple[int, str]:
    """Work for a process of multiprocessing, which has to be able to import it."""
    return os.getpid(), store.upload(photo(200, 150)).key


def catches_everything(view: Callable[..., Any]) -> Callable[..., Any]:
    """As LabLink's own guards are: what the view raises counts as a failed login."""

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        except Exception as error:
            return {"error": "Authentication required", "message": str(error)}, 401

    return guarded


def make_app(tmp_path: Path, guard: Any = False, variant_guard: Any = None, **config: Any) -> Flask:
    app = Flask("lab")
    app.config.update(
        LABLINK_STORAGE_DIR=tmp_path / "uploads",
        LABLINK_STORAGE_SECRET=SECRET,
        LABLINK_STORAGE_LIMITS={"max_bytes": 1_000_000},
        LABLINK_STORAGE_VARIANTS={"thumb": {"max_width": 100}},
    )
    app.config.update(config)
    LablinkStorage(app, guard=guard, variant_guard=variant_guard)
    return app


def store_of(app: Flask) -> ImageStore:
    extension: LablinkStorage = app.extensions["lablink_storage"]
    return extension.store
