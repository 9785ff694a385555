"""Serves the local backend's images, and takes presigned POSTs, as S3 does for its own."""

from __future__ import annotations

import io
import logging
from datetime import datetime
from typing import IO, Any

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable
from werkzeug.http import is_resource_modified, parse_range_header
from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from ._exceptions import (
    AccessDeniedError,
    ForeignUrlError,
    InvalidKeyError,
    LimitExceededError,
    NotFoundError,
    UnsupportedFormatError,
)
from ._forms import MAX_FIELDS, Fields, Read, not_a_form, not_one_file, read_form
from ._lablink_storage import ImageStore
from ._responses import SECURITY_HEADERS, refusal
from ._types import GetOverrides, ReceivedPost

_log = logging.getLogger("lablink_storage.flask")

_RASTER = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})

_MAX_DISCARDED = 64 * 1024 * 1024
"""Bytes of a request that was refused for its length that are still taken from the client."""


def _not_found() -> Response:
    return refusal(404, "not_found", "this image does not exist", None)


def _is_ours(store: ImageStore, key: str) -> bool:
    """Returns whether the key may be served: under the prefix, and not mistaken for a URL."""
    first = key.partition("/")[0]
    if not first or ":" in first or first in ("pending", "originals"):
        return False
    return not store.prefix or key.startswith(f"{store.prefix}/")


def serve_file(store: ImageStore, key: str) -> Response:
    """Answers a GET or HEAD of a stored image: type, ETag, conditions and ranges."""
    if not _is_ours(store, key):
        return _not_found()
    try:
        overrides = _signed(store, key)
        info = store.head(key)
        if info.content_type not in _RASTER:
            return _not_found()
        response = Response(content_type=info.content_type)
        response.headers.update(SECURITY_HEADERS)
        response.headers["Cache-Control"] = info.cache_control or "no-cache"
        response.headers["Accept-Ranges"] = "bytes"
        response.last_modified = info.last_modified
        if info.e_tag:
            response.set_etag(info.e_tag.removeprefix("W/").strip('"'))
        if overrides is not None and overrides.content_type:
            response.content_type = overrides.content_type
        if overrides is not None and overrides.content_disposition:
            response.headers["Content-Disposition"] = overrides.content_disposition
        etag = response.headers.get("ETag")
        if not _preconditions_hold(info.e_tag, info.last_modified):
            return refusal(412, "precondition_failed", "the image has changed", None)
        conditions = _later_conditions()
        if not is_resource_modified(conditions, etag, None, info.last_modified):
            response.status_code = 304
            response.headers.pop("Content-Type", None)
            return response
        if request.method == "HEAD":
            response.content_length = info.size
            return response
        response.set_data(store.get(key))
    except (NotFoundError, InvalidKeyError, ForeignUrlError):
        return _not_found()
    except AccessDeniedError as error:
        # A symbolic link out of the directory, or a file that this process may not read.
        _log.error("GET %s: %s (%s)", request.path, error, error.hint)
        return _not_found()
    try:
        ranges = _asks_for_one_range(info.size)
        response.make_conditional(conditions, accept_ranges=ranges, complete_length=info.size)
    except RequestedRangeNotSatisfiable:
        refused = refusal(416, "invalid_argument", "the range is not within the image", None)
        refused.headers["Content-Range"] = f"bytes */{info.size}"
        return refused
    return response


def _preconditions_hold(e_tag: str | None, last_modified: datetime) -> bool:
    """``If-Match``, or in its absence ``If-Unmodified-Since``, as RFC 9110 (13.2.2) puts them first."""
    if "If-Match" in request.headers:
        return request.if_match.star_tag or (
            e_tag is not None and request.if_match.is_strong(e_tag.strip('"'))
        )
    since = request.if_unmodified_since
    return since is None or last_modified.replace(microsecond=0) <= since


def _later_conditions() -> dict[str, Any]:
    """The environment without ``If-Match``, which Werkzeug would answer with 304."""
    return {name: value for name, value in request.environ.items() if name != "HTTP_IF_MATCH"}


def _asks_for_one_range(size: int) -> bool:
    """Returns whether there is a Range header to follow. RFC 9110 (14.2) ignores what is malformed, of another
    unit, several ranges, or a suffix longer than the image. The answer is then the whole image."""
    asked = parse_range_header(request.headers.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return False
    return asked.ranges[0][0] >= -size


def _signed(store: ImageStore, key: str) -> GetOverrides | None:
    """Returns the headers that a signed request asks for; a plain public one asks for nothing."""
    query = request.query_string.decode("latin-1")
    return store.verify_get(key, query) if query else None


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
        most = self._limit if self._length is None else min(self._length, _MAX_DISCARDED)
        try:
            stream = self._stream or get_input_stream(request.environ)
            while self._taken < most:
                chunk = stream.read(min(most - self._taken, 1 << 16))
                if not chunk:
                    return
                self._taken += len(chunk)
        except (HTTPException, OSError):
            _log.debug("the client disconnected before it had sent everything")


def receive_file(store: ImageStore) -> Response:
    """Answers a POST that a presigned form describes. The body is capped before it is parsed, the fields are
    checked before the file is read, and the file goes to a temporary one."""
    if request.mimetype != "multipart/form-data":
        _Body(store.max_bytes + MAX_FIELDS).discard()
        raise UnsupportedFormatError("the request is not a multipart form", "send it as multipart/form-data")
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
    response = Response(status=received.status)
    response.headers.update(SECURITY_HEADERS)
    if received.e_tag:
        response.set_etag(received.e_tag.strip('"'))
    if received.status == 204:
        response.headers.pop("Content-Type", None)
    return response


def _parsed_form() -> tuple[Fields, FileStorage]:
    """The form that the application has had parsed already, in a ``before_request`` function."""
    sent = [file for name in request.files for file in request.files.getlist(name)]
    if len(sent) != 1 or "file" not in request.files:
        raise not_one_file()
    return list(request.form.items(multi=True)), sent[0]


def _received(store: ImageStore, read: Read) -> ReceivedPost:
    def max_bytes(fields: Fields) -> int:
        if not any(name.lower() == "policy" for name, _ in fields):
            # The file comes before the fields that allow it: they are checked when they are there.
            return store.max_bytes
        return min(store.verify_post(fields), store.max_bytes)

    try:
        with read_form(read, request.mimetype_params.get("boundary", ""), max_bytes) as (fields, file):
            return store.receive_post(fields, file)
    except HTTPException:
        raise not_a_form() from None
