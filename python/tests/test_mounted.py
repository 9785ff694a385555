"""The routes for asyncio in an application that has them under a prefix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from routes.service import MULTIPART, multipart
from starlette.applications import Starlette
from starlette.routing import Mount

from lablink_storage import AsyncImageStore, asgi

from support import SECRET, photo

NO_HEADERS: Mapping[str, str] = {}
TOKEN = {"authorization": "Bearer right"}


async def token_required(request: Any) -> None:
    if request.headers.get("Authorization") != "Bearer right":
        raise HTTPException(401)


def starlette(store: AsyncImageStore) -> Any:
    return Starlette(routes=[Mount("/lab", app=asgi.application(store, guard=token_required))])


def fastapi(store: AsyncImageStore) -> Any:
    app = FastAPI()
    app.mount("/lab", asgi.application(store, guard=token_required))
    return app


def fastapi_in_starlette(store: AsyncImageStore) -> Any:
    inner = FastAPI()
    inner.include_router(asgi.router(store, guard=token_required))
    return Starlette(routes=[Mount("/lab", app=inner)])


def ask(
    app: Any, method: str, path: str, headers: Mapping[str, str] = NO_HEADERS, body: bytes = b""
) -> tuple[int, bytes]:
    """One request, as a server hands it to the application."""
    sent: list[MutableMapping[str, Any]] = []
    fields = {"host": "lab.example", "content-length": str(len(body)), **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1234),
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("mounted", [starlette, fastapi, fastapi_in_starlette])
def test_under_a_prefix(mounted: Any, tmp_path: Path) -> None:
    variants = {"poster": {"max_width": 20, "lazy": True}}
    store = AsyncImageStore.local(tmp_path, base_url="/lab/uploads", secret=SECRET, variants=variants)
    app = mounted(store)

    def post(route: str, value: object, headers: Mapping[str, str] = TOKEN) -> tuple[int, Any]:
        headers = {"content-type": "application/json", **headers}
        status, body = ask(app, "POST", f"/lab/api/s3/{route}", headers, json.dumps(value).encode())
        return status, json.loads(body)

    assert post("upload-url", {"filename": "a.jpg"}, NO_HEADERS)[0] == 401
    assert ask(app, "GET", "/lab/api/s3/status", TOKEN)[0] == 200
    assert ask(app, "GET", "/api/s3/status", TOKEN)[0] == 404

    status, form = post("upload-url", {"filename": "a.jpg"})
    assert (status, form["url"]) == (200, "http://lab.example/lab/uploads")
    body = multipart([*form["fields"].items(), ("file", photo(40, 30))])
    assert ask(app, "POST", "/lab/uploads", {"content-type": MULTIPART}, body)[0] == 201
    status, image = post("promote", {"key": form["key"]})
    assert (status, image["url"]) == (200, form["file_url"])
    assert image["url"] == f"/lab/uploads/{image['key']}"

    assert ask(app, "GET", image["url"]) == (200, (tmp_path / image["key"]).read_bytes())
    assert ask(app, "GET", image["url"].removeprefix("/lab"))[0] == 404
    assert ask(app, "GET", f"/lab/api/s3/variant/poster/{image['key']}")[0] == 302
    assert ask(app, "GET", store.variant_url(image["key"], "poster"))[0] == 200
    status, refused = post("promote", {"key": "outside"})
    assert status == 400 and set(refused) == {"error", "message", "hint"}
