"""A whole application whose tests keep its images in memory: they are served as local files are."""

from __future__ import annotations

import hashlib

import pytest
from routes.conftest import Serve
from routes.service import photographs

from support import opened


@pytest.mark.parametrize("base_url", [None, "/media"])
def test_images_in_memory_are_served(serve: Serve, base_url: str | None) -> None:
    variables = {"LABLINK_STORAGE_MEMORY": "true"}
    if base_url:
        variables["LABLINK_STORAGE_BASE_URL"] = base_url
    client = serve(**variables)
    image = client.upload(photographs()[0].read_bytes())
    assert image["url"] == f"{base_url or '/uploads'}/{image['key']}"
    served = client.get(image["url"])
    assert served.status == 200 and hashlib.sha256(served.body).hexdigest() == image["sha256"]
    assert client.get(image["url"], Range="bytes=2-5").body == served.body[2:6]
    assert client.send("GET", image["url"], headers={"If-None-Match": served.headers["ETag"]}).status == 304
    assert opened(client.get(image["variants"]["thumb"]["url"]).body).width == 100
    lazy = client.get(f"/api/s3/variant/poster/{image['key']}")
    assert lazy.status == 302 and client.get(lazy.headers["Location"]).status == 200
    assert list(client.directory.glob("**/*.jpg")) == []
