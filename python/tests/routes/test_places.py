"""Behind a proxy that takes a prefix off, and at other addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from routes.conftest import Serve

from support import photo

PROXY = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "lab.example.org",
    "X-Forwarded-Prefix": "/lab",
}


@pytest.mark.parametrize("base_url", ["/lab/uploads", "https://lab.example.org/lab/uploads"])
def test_behind_a_prefix(serve: Serve, base_url: str) -> None:
    """nginx with X-Forwarded-Prefix."""
    service = serve(BEHIND_PROXY="1", APPLICATION_ROOT="/lab", LABLINK_STORAGE_BASE_URL=base_url)
    client = replace(service, headers={"Host": "lab.example.org"} | PROXY, mounted="/lab")
    form = client.form()
    assert form["url"] == "https://lab.example.org/lab/uploads"
    sent = client.post_form("/lab/uploads", [*form["fields"].items(), ("file", photo(40, 30))])
    assert sent.status == 201, sent.body
    promoted = client.post_json("promote", {"key": form["key"]}).json
    assert promoted["url"] == form["file_url"] == f"{base_url}/{promoted['key']}"
    served = client.get(f"/lab/uploads/{promoted['key']}")
    assert served.status == 200 and served.headers["Content-Type"] == "image/jpeg"
    assert client.get("/lab/uploads/pending/components/x.jpg").status == 404
    assert client.get("/lab/elsewhere").status == 404


def test_headers_of_a_proxy_that_nobody_spoke_of(serve: Serve) -> None:
    client = serve()
    form = replace(client, headers=PROXY).form()
    assert form["url"] == f"{client.base}/uploads"


@pytest.mark.parametrize("base_url", ["https://img.lab.example", "/"])
def test_a_base_url_without_a_path(serve: Serve, base_url: str) -> None:
    client = serve(LABLINK_STORAGE_BASE_URL=base_url)
    form = client.form()
    assert form["url"] == (base_url if base_url != "/" else f"{client.base}/")
    sent = client.post_form("/", [*form["fields"].items(), ("file", photo(40, 30))])
    assert sent.status == 201, sent.body
    promoted = client.post_json("promote", {"key": form["key"]}).json
    assert client.get(f"/{promoted['key']}").status == 200
    assert client.get("/api/s3/status").status == 200
    assert client.get("/missing").status == 404


def test_another_path(serve: Serve) -> None:
    client = serve(LABLINK_STORAGE_BASE_URL="https://img.lab.example/media/pictures")
    form = client.form()
    assert form["url"] == "https://img.lab.example/media/pictures"
    sent = client.post_form("/media/pictures", [*form["fields"].items(), ("file", photo(40, 30))])
    assert sent.status == 201, sent.body
    promoted = client.post_json("promote", {"key": form["key"]}).json
    assert client.get(f"/media/pictures/{promoted['key']}").status == 200
