"""Serving what the local backend stores and taking presigned POSTs, as S3 does for its own objects."""

from __future__ import annotations

import io
import logging
from typing import IO

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from ._answers import image_answer, missing, received_answer
from ._exceptions import LimitExceededError, StorageError
from ._forms import MAX_DISCARDED, MAX_FIELDS, Fields, Read, not_a_form, not_one_file, read_form, wrong_type
from ._lablink_storage import ImageStore
from ._responses import described, response_of
from ._types import ReceivedPost

_log = logging.getLogger("lablink_storage.flask")


def serve_file(store: ImageStore, path: str) -> Response:
    """Answers a GET or HEAD of a stored image."""
    try:
        key = store.public_key(path)
        query = request.query_string.decode("latin-1")
        # A plain public request asks for nothing.
        overrides = store.verify_get(key, query) if query else None
        answer = image_answer(request, store.head(key), overrides)
        response = response_of(answer)
        if answer.part is not None and request.method != "HEAD":
            response.set_data(store.get_range(key, *answer.part))
        return response
    except StorageError as error:
        absent = missing(error, _log, described())
        if absent is None:
            raise
        return response_of(absent)


class _Body:
    """The request's body, of which no more than the limit is taken while it is read as a form."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._length = request.content_length
        self._stream: IO[bytes] | None = None
        self._taken = 0

    def read(self, size: int) -> bytes:
        if self._stream is None:
            if self._length is not None and self._length > self._limit:
                raise LimitExceededError(
                    f"the request has {self._length} bytes, at most {self._limit} are allowed"
                )
            self._stream = get_input_stream(request.environ)
        chunk = self._stream.read(size)
        self._taken += len(chunk)
        if self._taken > self._limit:
            raise LimitExceededError(f"the request is over the limit of {self._limit} bytes")
        return chunk

    def discard(self) -> None:
        """Takes what the client still sends and drops it: browsers send all before they look at the answer,
        and see only a broken connection where the server closes it meanwhile."""
        most = self._limit if self._length is None else min(self._length, MAX_DISCARDED)
        try:
            stream = self._stream or get_input_stream(request.environ)
            while self._taken < most:
                chunk = stream.read(min(most - self._taken, 1 << 16))
                if not chunk:
                    return
                self._taken += len(chunk)
        except (HTTPException, OSError):
            _log.debug("the client has gone before it had sent everything")


def receive_file(store: ImageStore) -> Response:
    """Answers a POST that a presigned form describes. The body is capped before it is parsed, the fields are
    checked before the file is read, and the file goes to a temporary one."""
    if request.mimetype != "multipart/form-data":
        _Body(store.max_bytes + MAX_FIELDS).discard()
        raise wrong_type()
    seen = vars(request)
    if "files" in seen:
        received = store.receive_post(*_parsed_form())
    elif seen.get("_cached_data"):
        received = _received(store, io.BytesIO(request.get_data()).read)
    else:
        body = _Body(store.max_bytes + MAX_FIELDS)
        try:
            received = _received(store, body.read)
        except BaseException:
            body.discard()
            raise
    return response_of(received_answer(received))


def _parsed_form() -> tuple[Fields, FileStorage]:
    """The form that the application has had parsed already, in a ``before_request`` function."""
    sent = [file for name in request.files for file in request.files.getlist(name)]
    if len(sent) != 1 or "file" not in request.files:
        raise not_one_file()
    return list(request.form.items(multi=True)), sent[0]


def _received(store: ImageStore, read: Read) -> ReceivedPost:
    try:
        with read_form(read, request.mimetype_params.get("boundary", ""), store) as (fields, file):
            return store.receive_post(fields, file)
    except HTTPException:
        raise not_a_form() from None
