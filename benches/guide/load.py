"""The client: so many threads that send requests one after another, each over its own connection."""

import http.client
import threading
import time
import uuid


def upload_request(image, path="/api/upload", field="image", headers=None):
    """A multipart upload as a browser sends it."""
    mark = uuid.uuid4().hex
    head = (
        f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{image.name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + image.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}", **(headers or {})}
    return ("POST", path, body, headers, 201)


def presign_request():
    return ("GET", "/api/upload-url?filename=board.jpg", None, {}, 200)


def send(port, request, threads, count):
    """Sends `count` requests and gives the seconds that they took; any other status than the expected ends it."""
    method, path, body, headers, expected = request
    left, lock, failures = [count], threading.Lock(), []

    def work():
        while not failures:
            with lock:
                if not left[0]:
                    return
                left[0] -= 1
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                answer = response.read()
                connection.close()
                if response.status != expected:
                    failures.append(f"{response.status}: {answer[:200]!r}")
            except OSError as error:
                failures.append(f"{type(error).__name__}: {error}")

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise RuntimeError(f"{path}: {failures[0]}")
    return time.perf_counter() - start
