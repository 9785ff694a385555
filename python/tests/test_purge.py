"""Purges from CloudFront: its interface is a server of this process, and the requests are held to botocore's."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from flask import Flask

from lablink_storage import ImageStore, PurgeFailure, RegenerateReport
from lablink_storage.flask import LablinkStorage

from support import Server, photo

DISTRIBUTION = "EDFDVBD6EXAMPLE"
THUMB: Any = {"thumb": {"max_width": 8}}


class CloudFront(ThreadingHTTPServer):
    """Takes every order; or refuses each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.orders: list[tuple[str, dict[str, str], bytes]] = []
        self.refuses = False


class _Handler(BaseHTTPRequestHandler):
    server: CloudFront

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.orders.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        answer = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        self.send_response(403 if self.server.refuses else 201)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cloudfront(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudFront]:
    with CloudFront() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


def _store(server: Server, bucket: str, **keywords: Any) -> ImageStore:
    keywords = {"cloudfront_domain": "cdn.example.org", "cloudfront_distribution_id": DISTRIBUTION, **keywords}
    return server.store(bucket, variants=THUMB, **keywords)


def _botocore_body(paths: list[str], reference: str) -> bytes:
    client = boto3.client("cloudfront", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": reference}
    model = client.meta.service_model.operation_model("CreateInvalidation")
    given = {"DistributionId": DISTRIBUTION, "InvalidationBatch": batch}
    request = client._serializer.serialize_to_request(given, model)
    assert request["url_path"] == f"/2020-05-31/distribution/{DISTRIBUTION}/invalidation"
    body = request["body"]
    assert isinstance(body, bytes)
    return body


def _botocore_signature(url: str, headers: dict[str, str], body: bytes, credentials: Credentials) -> str:
    signed = re.search("SignedHeaders=([^,]+)", headers["authorization"])
    assert signed is not None
    request = AWSRequest("POST", url, headers={name: headers[name] for name in signed[1].split(";")}, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(credentials, "cloudfront", "us-east-1")
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2luX2VjE+/="])
def test_an_order_is_written_and_signed_as_botocore_does(
    server: Server, bucket: str, cloudfront: CloudFront, token: str | None
) -> None:
    prefix = "größe & so"
    # The gateway that takes any token.
    plain = replace(server, endpoint=server.plain_endpoint)
    store = _store(plain, bucket, prefix=prefix, session_token=token)
    image = store.upload(photo(40, 30))
    store.delete(image.url)
    ((path, headers, body),) = cloudfront.orders
    paths = re.findall("<Path>(.*?)</Path>", body.decode())
    assert {f"https://cdn.example.org{path}" for path in paths} == {image.url, image.variants["thumb"].url}
    (reference,) = re.findall("<CallerReference>(.*?)</CallerReference>", body.decode())
    assert body == _botocore_body(paths, reference)
    url = f"http://127.0.0.1:{cloudfront.server_port}{path}"
    credentials = Credentials(server.access_key, server.secret_key, token)
    signature = _botocore_signature(url, headers, body, credentials)
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert headers.get("x-amz-security-token") == token


def test_a_regeneration_says_what_became_of_its_purge(server: Server, bucket: str, cloudfront: CloudFront) -> None:
    store = _store(server, bucket)
    image = store.upload(photo(40, 30))
    assert store.regenerate().purged is False
    report = store.regenerate(all=True)
    assert (report.purged, report.purge_failure) == (True, None)
    assert report.invalidate == [f"/{image.variants['thumb'].key}"]
    cloudfront.refuses = True
    refused = store.regenerate(all=True)
    assert isinstance(refused.purge_failure, PurgeFailure) and refused.failed == 0
    assert refused.purge_failure.kind == "access_denied"
    assert "cloudfront:CreateInvalidation" in (refused.purge_failure.hint or "")
    # Of machines that share the work, all have to have done it.
    assert (report + RegenerateReport()).purged
    both = sum([report, refused], start=RegenerateReport())
    assert (both.purged, both.purge_failure) == (False, refused.purge_failure)


def test_a_failed_purge_is_a_line_of_the_log(
    server: Server, bucket: str, cloudfront: CloudFront, caplog: pytest.LogCaptureFixture
) -> None:
    store = _store(server, bucket)
    image = store.upload(photo(40, 30))
    cloudfront.refuses = True
    with caplog.at_level(logging.WARNING, "lablink_storage"):
        store.delete(image.key)
    assert not store.exists(image.key)
    (line,) = [record.getMessage() for record in caplog.records if "not purged" in record.getMessage()]
    assert "access denied" in line and "cloudfront:CreateInvalidation" in line


def test_flask_is_told_by_its_configuration(server: Server, bucket: str, cloudfront: CloudFront) -> None:
    app = Flask(__name__)
    app.config.update(server.environment(bucket))
    app.config.update(CLOUDFRONT_DOMAIN="cdn.example.org", CLOUDFRONT_DISTRIBUTION_ID=DISTRIBUTION)
    store = LablinkStorage(app).store
    image = store.upload(photo(40, 30))
    store.delete(image.key)
    assert [path for path, _, _ in cloudfront.orders] == [
        f"/2020-05-31/distribution/{DISTRIBUTION}/invalidation"
    ]
