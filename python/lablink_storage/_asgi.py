"""One request over ASGI, and what each route answers to it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Literal, TypeAlias

from werkzeug.datastructures import Headers
from werkzeug.sansio.request import Request

from ._answers import (
    Answer,
    error_answer,
    image_answer,
    json_answer,
    missing,
    received_answer,
    redirect_answer,
)
from ._asynchronous import AsyncImageStore
from ._exceptions import LimitExceededError, StorageError
from ._forms import MAX_DISCARDED, MAX_FIELDS, FormReader, not_a_form, wrong_type
from ._lablink_storage import ImageStore, start
from ._pieces import check_same
from ._places import absolute, key_under, mount_points, path_of
from ._requests import (
    MAX_JSON,
    check_length,
    json_object,
    post_body,
    put_body,
    status_body,
    text,
    upload_arguments,
)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Guard: TypeAlias = Callable[..., Any] | Literal[False] | None
Handler: TypeAlias = Callable[["Exchange"], Awaitable[Answer]]

log = logging.getLogger("lablink_storage.asgi")

HOW = "pass guard=…, or guard=False to open it to everyone"

_PATIENCE = 60
"""Seconds that a client may send nothing."""


class Exchange:
    """One request, and the sending of its answer."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        root = scope.get("root_path", "").rstrip("/")
        path = scope["path"]
        inner = path[len(root) :] if root and f"{path}/".startswith(f"{root}/") else path
        self.request = Request(
            scope["method"],
            scope.get("scheme", "http"),
            scope.get("server"),
            root,
            inner,
            scope.get("query_string", b""),
            Headers(headers),
            None,
        )
        self.path = inner
        self.key = ""
        """What follows the base URL in the path."""
        self.pieces: AsyncIterator[bytes] | None = None
        """The bytes of the image that is the answer, opened: what fails to open fails before the headers."""
        self._receive = receive
        self._more = True
        self._taken = 0

    @property
    def described(self) -> str:
        """The request, for a log line."""
        return f"{self.request.method} {self.path}"

    def absolute(self, url: str) -> str:
        """The address of a form, as a browser has to ask for it."""
        return absolute(url, self.request.root_path, self.request.host_url)

    async def read(self) -> bytes:
        """The next bytes of the body; none at its end."""
        while self._more:
            message = await asyncio.wait_for(self._receive(), _PATIENCE)
            if message["type"] != "http.request":
                self._more = False
                raise ConnectionResetError("the client disconnected")
            self._more = message.get("more_body", False)
            chunk: bytes = message.get("body", b"")
            self._taken += len(chunk)
            if chunk:
                return chunk
        return b""

    async def json(self) -> dict[str, Any]:
        check_length(self.request.content_length or 0)
        data = b""
        while len(data) <= MAX_JSON and (chunk := await self.read()):
            data += chunk
        return json_object(data)

    async def discard(self, most: int) -> None:
        """Takes what the client still sends and drops it: browsers send all before they look at the answer,
        and see only a broken connection where the server closes it meanwhile."""
        length = self.request.content_length
        most = most if length is None else min(length, MAX_DISCARDED)
        try:
            while self._taken < most and await self.read():
                pass
        except (OSError, TimeoutError):
            log.debug("the client disconnected before it had sent everything")


class Routes:
    """What each route answers."""

    def __init__(self, store: AsyncImageStore | ImageStore) -> None:
        self.store = AsyncImageStore(store) if isinstance(store, ImageStore) else store
        self.base_path = path_of(self.store.base_url)

    def key_of(self, exchange: Exchange) -> str | None:
        """What follows the base URL in the path, if it is under it: with the prefix of a proxy or without."""
        if self.base_path is None:
            return None
        return key_under(self.base_path, exchange.request.root_path, exchange.path)

    def mount_points(self) -> list[str]:
        """The base URL's path, and what may be left of it where a proxy's prefix is in it."""
        return [] if self.base_path is None else mount_points(self.base_path)

    async def status(self, _exchange: Exchange) -> Answer:
        return json_answer(*status_body(await self.store.status()))

    async def upload_url(self, exchange: Exchange) -> Answer:
        arguments = upload_arguments(await exchange.json(), self.store.direct_upload)
        if self.store.direct_upload == "put":
            return json_answer(put_body(await self.store.presigned_put(**arguments)))
        post = await self.store.presigned_post(**arguments)
        return json_answer(post_body(post, exchange.absolute(post.url)))

    async def promote(self, exchange: Exchange) -> Answer:
        image = await self.store.promote(text(await exchange.json(), "key"))
        return json_answer(image.to_dict())

    async def variant(self, exchange: Exchange, name: str, key: str) -> Answer:
        url: str = await start(self.store.sync._serve_variant, key, name)
        return redirect_answer(url)

    async def serve(self, exchange: Exchange) -> Answer:
        try:
            key = self.store.public_key(exchange.key)
            query = exchange.request.query_string.decode("latin-1")
            overrides = self.store.sync.verify_get(key, query) if query else None
            answer = image_answer(exchange.request, await self.store.head(key), overrides)
            if answer.part is not None and exchange.request.method != "HEAD":
                info, pieces = await self.store.get_stream(key, *answer.part)
                check_same(answer, info)
                exchange.pieces = pieces
        except StorageError as error:
            absent = missing(error, log, exchange.described)
            if absent is None:
                raise
            return absent
        return answer

    async def receive(self, exchange: Exchange) -> Answer:
        limit = self.store.max_bytes + MAX_FIELDS
        try:
            with await self._form(exchange, limit) as form:
                return received_answer(await self.store.receive_post(form.fields, form.whole()))
        except BaseException:
            await exchange.discard(limit)
            raise

    async def _form(self, exchange: Exchange, limit: int) -> FormReader:
        request = exchange.request
        if request.mimetype != "multipart/form-data":
            raise wrong_type()
        if (request.content_length or 0) > limit:
            raise LimitExceededError(
                f"the request has {request.content_length} bytes, at most {limit} are allowed"
            )
        form = FormReader(request.mimetype_params.get("boundary", ""), self.store)
        try:
            taken = 0
            while not form.ended:
                chunk = await exchange.read()
                taken += len(chunk)
                if taken > limit:
                    raise LimitExceededError(f"the request is over the limit of {limit} bytes")
                form.feed(chunk)
        except (OSError, TimeoutError) as error:
            form.__exit__()
            raise not_a_form() from error
        except BaseException:
            form.__exit__()
            raise
        return form

    async def answered(self, handler: Handler, exchange: Exchange) -> Answer:
        try:
            return await handler(exchange)
        except StorageError as error:
            await exchange.discard(MAX_JSON)
            return error_answer(error, log, exchange.described)


async def send_answer(answer: Answer, pieces: AsyncIterator[bytes] | None, send: Send) -> None:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if answer.status not in (204, 304):
        headers.setdefault("content-length", str(len(answer.body)))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    if pieces is not None:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": answer.body if pieces is None else b""})


async def called(guard: Callable[..., Any], request: Any) -> None:
    """A guard that waits for nothing may still take its time: it has a thread of the loop's executor."""
    if inspect.iscoroutinefunction(guard):
        await guard(request)
        return
    outcome = await asyncio.to_thread(guard, request)
    if inspect.isawaitable(outcome):
        await outcome
