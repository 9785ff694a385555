"""CPU of one presigned POST in this process, called directly and through the Flask application.

Prints `{"direct", "flask"}` in seconds of process CPU time, the best of five batches.
"""

import json
import sys
import time

from werkzeug.test import EnvironBuilder

from app import app, s3_utils


def directly():
    assert s3_utils.get_s3_upload_url("board.jpg", "image/jpeg")


def through_flask():
    environ = EnvironBuilder("/api/upload-url", query_string="filename=board.jpg").get_environ()

    def call():
        statuses = []
        body = b"".join(app.wsgi_app(environ.copy(), lambda status, headers, *_: statuses.append(status)))
        assert statuses == ["200 OK"] and b"policy" in body

    return call


def cpu(call, count):
    for _ in range(max(5, count // 10)):
        call()
    batches = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(count):
            call()
        batches.append((time.process_time() - start) / count)
    return min(batches)


count = int(sys.argv[1])
print(json.dumps({"direct": cpu(directly, count), "flask": cpu(through_flask(), count)}))
