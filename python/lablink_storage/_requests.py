"""What the bodies of requests say, and what they are answered, whatever the framework."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._exceptions import InvalidArgumentError, LimitExceededError

if TYPE_CHECKING:
    from ._types import PresignedPost, PresignedRequest, Status

MAX_JSON = 64 * 1024
"""Bytes that the JSON body of a request may have."""


def check_length(length: int) -> None:
    """Refuses a body that is longer than JSON may be."""
    if length > MAX_JSON:
        raise LimitExceededError(f"the body is over the limit: {length} bytes, at most {MAX_JSON}")


def json_object(data: bytes) -> dict[str, Any]:
    """The JSON object that a body is."""
    if len(data) > MAX_JSON:
        raise LimitExceededError(f"the body is over the limit of {MAX_JSON} bytes")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidArgumentError("the body is not a JSON object", "send application/json")
    return body


def text(body: Mapping[str, Any], name: str) -> str:
    """A member that has to be there."""
    value = body.get(name)
    if isinstance(value, str) and value and _is_text(value):
        return value
    raise InvalidArgumentError(f"{name} must be a string that is not empty", f"send {name!r}")


def _is_text(value: str) -> bool:
    """JSON's escapes may stand for half a character."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _content_type(body: Mapping[str, Any]) -> str | None:
    value = body.get("content_type")
    if value is None or (isinstance(value, str) and _is_text(value)):
        return value
    raise InvalidArgumentError("content_type must be a string", "send what file.type says")


def _size(body: Mapping[str, Any]) -> int | None:
    value = body.get("size")
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63):
        return value
    raise InvalidArgumentError("size must be a number of bytes, at least 1", "send what file.size says")


def upload_arguments(body: Mapping[str, Any], direct_upload: str) -> dict[str, Any]:
    """The keywords of ``presigned_put`` or ``presigned_post``, whichever the store hands out."""
    arguments: dict[str, Any] = {"filename": text(body, "filename"), "content_type": _content_type(body)}
    size = _size(body)
    if direct_upload == "put":
        if size is None:
            raise InvalidArgumentError(
                "size is missing", "send the file's size in bytes, as file.size has it"
            )
        arguments["content_length"] = size
    return arguments


def put_body(put: PresignedRequest) -> dict[str, Any]:
    """What the browser has to send, in the shape that a form has."""
    return {"fields": {}, **put.to_dict()}


def post_body(post: PresignedPost, url: str) -> dict[str, Any]:
    """What the browser has to send, in the shape that a PUT has; ``url`` is the form's, absolute."""
    return {"method": "POST", "headers": {}, **post.to_dict(), "url": url}


def status_body(status: Status) -> tuple[dict[str, Any], int]:
    """The guide's three shapes."""
    if not status.enabled:
        return {"enabled": False, "message": status.message}, 200
    if status.accessible:
        return {
            "enabled": True,
            "bucket": status.bucket,
            "region": status.region,
            "message": status.message,
        }, 200
    # The cause may name buckets and roles: the store has written it to the log.
    return {
        "enabled": True,
        "error": "the bucket did not answer as it should; the log says why",
        "message": status.message,
    }, 500
