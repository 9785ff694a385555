"""Answers as Flask sends them."""

from __future__ import annotations

import logging

from flask import request
from werkzeug.wrappers import Response

from ._answers import Answer, error_answer
from ._exceptions import StorageError
from ._views import described

_log = logging.getLogger("lablink_storage.flask")


def response_of(answer: Answer) -> Response:
    """The answer, with the headers that it has and no others."""
    response = Response(answer.body, answer.status)
    del response.headers["Content-Type"]
    if answer.status in (204, 304):
        response.headers.pop("Content-Length", None)
    response.headers.update(answer.headers)
    return response


def error_response(error: StorageError) -> Response:
    """The answer to a request that ended in an error, as the routes give it: JSON, with general words for
    what is the service's fault and not the client's."""
    return response_of(error_answer(error, _log, described(request)))
