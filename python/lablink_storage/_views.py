"""What each route answers in frameworks whose views wait: Flask and Django."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.sansio.request import Request

from ._answers import Answer, image_answer, json_answer, missing, received_answer, redirect_answer
from ._exceptions import LimitExceededError, StorageError
from ._forms import MAX_DISCARDED, MAX_FIELDS, Read, not_a_form, read_form, wrong_type
from ._lablink_storage import ImageStore
from ._requests import post_body, put_body, status_body, text, upload_arguments


def described(request: Request) -> str:
    """The request, for a log line."""
    return f"{request.method} {request.path}"


def status(store: ImageStore) -> Answer:
    return json_answer(*status_body(store.status()))


def upload_url(store: ImageStore, body: Mapping[str, Any], absolute: Callable[[str], str]) -> Answer:
    """``absolute`` makes an address of the application's own one that browsers can ask."""
    arguments = upload_arguments(body, store.direct_upload)
    if store.direct_upload == "put":
        return json_answer(put_body(store.presigned_put(**arguments)))
    post = store.presigned_post(**arguments)
    return json_answer(post_body(post, absolute(post.url)))


def promote(store: ImageStore, body: Mapping[str, Any]) -> Answer:
    return json_answer(store.promote(text(body, "key")).to_dict())


def variant(store: ImageStore, name: str, key: str) -> Answer:
    return redirect_answer(store._serve_variant(key, name))


def serve(store: ImageStore, request: Request, path: str, log: logging.Logger) -> tuple[Answer, str]:
    """The answer to a GET or HEAD of a stored image, and the image's key."""
    try:
        key = store.public_key(path)
        query = request.query_string.decode("latin-1")
        # A plain public request asks for nothing.
        overrides = store.verify_get(key, query) if query else None
        return image_answer(request, store.head(key), overrides), key
    except StorageError as error:
        absent = missing(error, log, described(request))
        if absent is None:
            raise
        return absent, path


class _Body:
    """A request's body, of which no more than the limit is taken while it is read as a form."""

    def __init__(self, opened: Callable[[], Read], length: int | None, limit: int) -> None:
        self._open = opened
        self._length = length
        self._limit = limit
        self._read: Read | None = None
        self._taken = 0

    def read(self, size: int) -> bytes:
        if self._read is None:
            if self._length is not None and self._length > self._limit:
                raise LimitExceededError(
                    f"the request has {self._length} bytes, at most {self._limit} are allowed"
                )
            self._read = self._open()
        chunk = self._read(size)
        self._taken += len(chunk)
        if self._taken > self._limit:
            raise LimitExceededError(f"the request is over the limit of {self._limit} bytes")
        return chunk

    def discard(self, log: logging.Logger) -> None:
        """Takes what the client still sends and drops it: browsers send all before they look at the answer,
        and see only a broken connection where the server closes it meanwhile."""
        most = self._limit if self._length is None else min(self._length, MAX_DISCARDED)
        try:
            read = self._read or self._open()
            while self._taken < most:
                chunk = read(min(most - self._taken, 1 << 16))
                if not chunk:
                    return
                self._taken += len(chunk)
        except (HTTPException, OSError):
            log.debug("the client has gone before it had sent everything")


def receive(store: ImageStore, request: Request, opened: Callable[[], Read], log: logging.Logger) -> Answer:
    """The answer to a POST that a presigned form describes. The body is capped before it is parsed, the
    fields are checked before the file is read, and the file goes to a temporary one.

    Args:
        opened: returns the function that reads the body; called when the first bytes are wanted.
    """
    body = _Body(opened, request.content_length, store.max_bytes + MAX_FIELDS)
    try:
        if request.mimetype != "multipart/form-data":
            raise wrong_type()
        boundary = request.mimetype_params.get("boundary", "")
        with read_form(body.read, boundary, store) as (fields, file):
            return received_answer(store.receive_post(fields, file))
    except BaseException as error:
        body.discard(log)
        if isinstance(error, HTTPException):
            raise not_a_form() from None
        raise
