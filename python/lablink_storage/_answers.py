"""Answers as values: errors as ``{"error": kind, "message": …, "hint": …}``, and stored images."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

from werkzeug.http import http_date, parse_range_header
from werkzeug.sansio.http import is_resource_modified

from ._exceptions import AccessDeniedError, ForeignUrlError, InvalidKeyError, NotFoundError, NotSupportedError
from ._lablink_storage import IMAGE_TYPES

if TYPE_CHECKING:
    from werkzeug.sansio.request import Request

    from ._exceptions import StorageError
    from ._types import GetOverrides, ObjectInfo, ReceivedPost

_BUSY = ("the image store is busy or out of reach", "try again in a moment")
_BROKEN = (
    "the image store has a problem",
    "an administrator finds the cause in the log",
)

_TOLD = {
    "not_found": ("there is no such image or upload, or no longer", "send the file again"),
    "already_exists": (
        "there is another image in its place already",
        "ask for a new form and send the file again",
    ),
    "foreign_url": (None, "use the URL of an image as this service gave it out"),
}
"""What a client reads of an error that names the bucket or a setting: message, where it is another, and hint."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
"""Headers that keep browsers from guessing the type of the bytes, or running them."""


@dataclass(frozen=True)
class Answer:
    """What a request is answered."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    part: tuple[int, int] | None = None
    """The bytes of the image that are the body instead: offsets of the first, and after the last."""


def json_answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


def refusal(status: int, kind: str, message: str, hint: str | None) -> Answer:
    """Says what is wrong."""
    answer = json_answer({"error": kind, "message": message, "hint": hint}, status)
    answer.headers.update(SECURITY_HEADERS, **{"Cache-Control": "no-store"})
    return answer


def closed(how: str) -> Answer:
    """The answer of a guarded route without a guard."""
    return refusal(403, "forbidden", "this route has no guard", how)


def not_allowed(methods: Iterable[str]) -> Answer:
    """The answer to a method that the address does not take."""
    answer = refusal(405, "invalid_argument", "this address does not take that method", None)
    answer.headers["Allow"] = ", ".join(methods)
    return answer


def error_answer(error: StorageError, log: logging.Logger, request: str) -> Answer:
    """The answer to a request that ended in an error.

    What is the service's fault and not the client's is logged, unless the store has done so, and the client
    gets general words: bucket names, roles and addresses are not for it to see.
    """
    status, message, hint = error.http_status, error.message, error.hint
    if status >= 500:
        if not error._is_logged:
            log.error(
                "%s: %s: %s (%s; AWS code %s, request id %s)",
                request,
                error.code,
                message,
                hint,
                error.service_code,
                error.request_id,
            )
        general, hint = _BUSY if error.retryable or status in (503, 504) else _BROKEN
        if not isinstance(error, NotSupportedError):
            message = general
    elif error._is_ours and error.code in _TOLD:
        own_words, hint = _TOLD[error.code]
        message = own_words or message
    answer = refusal(status, error.code, message, hint)
    if status == 503:
        answer.headers["Retry-After"] = "1"
    return answer


# --- stored images


def not_found() -> Answer:
    return refusal(404, "not_found", "this image does not exist", None)


def missing(error: StorageError, log: logging.Logger, request: str) -> Answer | None:
    """The answer to an error that means that there is no such image, if it does."""
    if isinstance(error, NotFoundError | InvalidKeyError | ForeignUrlError):
        return not_found()
    if isinstance(error, AccessDeniedError):
        # A symbolic link out of the directory, or a file that this process may not read.
        if not error._is_logged:
            log.error("%s: %s (%s)", request, error, error.hint)
        return not_found()
    return None


def image_answer(request: Request, info: ObjectInfo, overrides: GetOverrides | None) -> Answer:
    """Answers a GET or HEAD of an image: type, entity tag, conditions and ranges."""
    if info.content_type not in IMAGE_TYPES:
        return not_found()
    modified = info.last_modified.astimezone(UTC)
    headers = {
        "Content-Type": info.content_type,
        **SECURITY_HEADERS,
        "Cache-Control": info.cache_control or "no-cache",
        "Accept-Ranges": "bytes",
        "Last-Modified": http_date(modified),
    }
    tag = info.e_tag.removeprefix("W/").strip('"') if info.e_tag else None
    if tag:
        headers["ETag"] = f'"{tag}"'
    if overrides is not None and overrides.content_type:
        headers["Content-Type"] = overrides.content_type
    if overrides is not None and overrides.content_disposition:
        headers["Content-Disposition"] = overrides.content_disposition
    if not _preconditions_hold(request, tag, info):
        return refusal(412, "precondition_failed", "the image has changed", None)
    if not _is_modified(request, headers.get("ETag"), info):
        del headers["Content-Type"]
        return Answer(304, headers)
    asked = _range(request, info.size) if _range_counts(request, headers.get("ETag"), info) else None
    if asked is None:
        headers["Content-Length"] = str(info.size)
        return Answer(200, headers, part=(0, info.size))
    start, end = asked
    if start >= info.size:
        refused = refusal(416, "invalid_argument", "the range is not within the image", None)
        refused.headers["Content-Range"] = f"bytes */{info.size}"
        return refused
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{info.size}"
    headers["Content-Length"] = str(end - start)
    return Answer(206, headers, part=asked)


def redirect_answer(url: str) -> Answer:
    """Leads to a variant. Its address does not change, but its image may go."""
    return Answer(302, {"Location": url, "Cache-Control": "private, max-age=60"})


def _preconditions_hold(request: Request, tag: str | None, info: ObjectInfo) -> bool:
    """``If-Match``, or in its absence ``If-Unmodified-Since``, as RFC 9110 (13.2.2) puts them first."""
    if "If-Match" in request.headers:
        return request.if_match.star_tag or (tag is not None and request.if_match.is_strong(tag))
    since = request.if_unmodified_since
    return since is None or info.last_modified.replace(microsecond=0) <= since


def _is_modified(request: Request, e_tag: str | None, info: ObjectInfo) -> bool:
    return is_resource_modified(
        http_if_modified_since=request.headers.get("If-Modified-Since"),
        http_if_none_match=request.headers.get("If-None-Match"),
        etag=e_tag,
        last_modified=info.last_modified,
    )


def _range_counts(request: Request, e_tag: str | None, info: ObjectInfo) -> bool:
    """``If-Range``: the range counts only for the image that the client has the rest of."""
    if request.method != "GET":
        return False
    asked = request.if_range
    if request.headers.get("If-Range", "").startswith("W/"):
        return False
    if asked.date is not None:
        return info.last_modified.replace(microsecond=0) == asked.date
    return asked.etag is None or f'"{asked.etag}"' == e_tag


def _range(request: Request, size: int) -> tuple[int, int] | None:
    """The one range that is asked for. What is malformed, of another unit, or several ranges is ignored, as
    RFC 9110 (14.2) has it; so is a suffix of more than there is. The answer is the whole."""
    asked = parse_range_header(request.headers.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    start, end = asked.ranges[0]
    if start is None or start < -size:
        return None
    start = start + size if start < 0 else start
    return start, size if end is None else min(end, size)


def received_answer(received: ReceivedPost) -> Answer:
    """What S3 answers to a form that it took."""
    headers = {**SECURITY_HEADERS, "Content-Length": "0"}
    if received.status == 204:
        del headers["Content-Length"]
    if received.e_tag:
        headers["ETag"] = f'"{received.e_tag.removeprefix("W/").strip(chr(34))}"'
    return Answer(received.status, headers)
