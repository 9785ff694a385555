"""What S3 does for its own objects, done for the local backend: serve them, and take presigned POSTs."""

from __future__ import annotations

import logging

from flask import request
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import is_resource_modified, parse_range_header
from werkzeug.wrappers import Response

from ._exceptions import (
    AccessDeniedError,
    ForeignUrlError,
    InvalidArgumentError,
    InvalidKeyError,
    LimitExceededError,
    NotFoundError,
)
from ._lablink_storage import ImageStore
from ._responses import SECURITY_HEADERS, refusal
from ._types import GetOverrides

_log = logging.getLogger("lablink_storage.flask")

_RASTER = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})

_MAX_FIELDS = 64 * 1024
"""Bytes that all form fields together may have, as on S3 (20 KB) with room to spare."""

_MAX_PARTS = 64
"""Fields that a form may have; a presigned one has about ten."""

_MAX_DISCARDED = 64 * 1024 * 1024
"""Bytes of a request that was refused for its length that are still taken from the client."""


def _not_found() -> Response:
    return refusal(404, "not_found", "there is no such image", None)


def _is_ours(store: ImageStore, key: str) -> bool:
    """Whether the key may be served: under the prefix, and not what would be taken for a URL."""
    first = key.partition("/")[0]
    if not first or ":" in first or first == "pending":
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
        if not is_resource_modified(request.environ, etag, None, info.last_modified):
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
        response.make_conditional(request.environ, accept_ranges=ranges, complete_length=info.size)
    except RequestedRangeNotSatisfiable:
        refused = refusal(416, "invalid_argument", "the range is not within the image", None)
        refused.headers["Content-Range"] = f"bytes */{info.size}"
        return refused
    return response


def _asks_for_one_range(size: int) -> bool:
    """Whether there is a Range header to be followed. What is malformed, of another unit, or several ranges
    is ignored, as RFC 9110 (14.2) has it; so is a suffix of more than there is. The answer is the whole."""
    asked = parse_range_header(request.headers.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return False
    return asked.ranges[0][0] >= -size


def _signed(store: ImageStore, key: str) -> GetOverrides | None:
    """What a signed request asks for; a plain public one asks for nothing."""
    query = request.query_string.decode("latin-1")
    return store.verify_get(key, query) if query else None


def _discard_body(length: int) -> None:
    """Takes what the client sends and drops it: browsers send all before they look at the answer, and see
    only a broken connection where the server closes it meanwhile."""
    left = min(length, _MAX_DISCARDED)
    while left > 0:
        taken = request.environ["wsgi.input"].read(min(left, 1 << 16))
        if not taken:
            return
        left -= len(taken)


def receive_file(store: ImageStore) -> Response:
    """Answers a POST that a presigned form describes, with its body capped before it is parsed."""
    limit = store.max_bytes + _MAX_FIELDS
    length = request.content_length
    if length is not None and length > limit:
        _discard_body(length)
        raise LimitExceededError(f"the request has {length} bytes, at most {limit} are allowed")
    parser = FormDataParser(
        max_content_length=limit,
        max_form_memory_size=_MAX_FIELDS,
        max_form_parts=_MAX_PARTS,
        silent=False,
    )
    try:
        _, form, files = parser.parse_from_environ(request.environ)
    except RequestEntityTooLarge:
        raise LimitExceededError(f"the request is over the limit of {limit} bytes") from None
    except (HTTPException, ValueError):
        raise InvalidArgumentError("the body is no multipart form", "send the form as it says") from None
    sent = [file for name in files for file in files.getlist(name)]
    try:
        if len(sent) != 1 or "file" not in files:
            raise InvalidArgumentError("the form has to have one file, in its last field, 'file'")
        received = store.receive_post(list(form.items(multi=True)), sent[0])
    finally:
        for file in sent:
            file.close()
    response = Response(status=received.status)
    response.headers.update(SECURITY_HEADERS)
    if received.e_tag:
        response.set_etag(received.e_tag.strip('"'))
    if received.status == 204:
        response.headers.pop("Content-Type", None)
    return response
