"""Serving what the local backend stores and taking presigned POSTs in Flask."""

from __future__ import annotations

import io
import logging

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from ._answers import received_answer
from ._forms import Fields, Read, not_one_file
from ._lablink_storage import ImageStore
from ._pieces import open_pieces
from ._responses import response_of
from ._views import receive, serve

_log = logging.getLogger("lablink_storage.flask")


def serve_file(store: ImageStore, path: str) -> Response:
    """Answers a GET or HEAD of a stored image."""
    answer, key = serve(store, request, path, _log)
    response = response_of(answer)
    if answer.part is not None and request.method != "HEAD":
        response.set_data(b"".join(open_pieces(store, key, answer.part, answer)))
    return response


def receive_file(store: ImageStore) -> Response:
    """Answers a POST that a presigned form describes."""
    if request.mimetype == "multipart/form-data" and "files" in vars(request):
        return response_of(received_answer(store.receive_post(*_parsed_form())))
    return response_of(receive(store, request, _body, _log))


def _body() -> Read:
    if vars(request).get("_cached_data"):
        return io.BytesIO(request.get_data()).read
    return get_input_stream(request.environ).read


def _parsed_form() -> tuple[Fields, FileStorage]:
    """The form that the application has had parsed already, in a ``before_request`` function."""
    sent = [file for name in request.files for file in request.files.getlist(name)]
    if len(sent) != 1 or "file" not in request.files:
        raise not_one_file()
    return list(request.form.items(multi=True)), sent[0]
