"""Errors as JSON: ``{"error": kind, "message": …, "hint": …}`` with the status of the kind."""

from __future__ import annotations

import json
import logging

from flask import request
from werkzeug.wrappers import Response

from ._exceptions import NotSupportedError, StorageError

_log = logging.getLogger("lablink_storage.flask")

_BUSY = ("the image store is busy or out of reach", "try again in a moment")
_BROKEN = (
    "the image store has a problem",
    "an administrator finds the cause in the log",
)

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
"""Headers that keep browsers from guessing the type of the bytes, or running them."""


def refusal(status: int, kind: str, message: str, hint: str | None) -> Response:
    """A JSON answer that says what is wrong."""
    body = json.dumps({"error": kind, "message": message, "hint": hint})
    response = Response(body, status, content_type="application/json")
    response.headers.update(SECURITY_HEADERS)
    response.headers["Cache-Control"] = "no-store"
    return response


def error_response(error: StorageError) -> Response:
    """The answer to a request that ended in an error.

    What is the service's fault and not the client's is logged, and the client gets general words: bucket
    names, roles and addresses are not for it to see.
    """
    status, message, hint = error.http_status, error.message, error.hint
    if status >= 500:
        _log.error(
            "%s %s: %s: %s (%s; AWS code %s, request id %s)",
            request.method,
            request.path,
            error.code,
            message,
            hint,
            error.service_code,
            error.request_id,
        )
        general, hint = _BUSY if error.retryable or status in (503, 504) else _BROKEN
        if not isinstance(error, NotSupportedError):
            message = general
    response = refusal(status, error.code, message, hint)
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response
