"""The same page on FastAPI: ``examples/fastapi_app`` under uvicorn."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import requests
from test_page import (
    page,
    test_a_large_file_is_refused_behind_the_page_too,
    test_a_quantity_of_none_and_one_that_is_no_number,
    test_a_wrong_password_is_said,
    test_add_and_delete,
    test_refusals_are_in_words,
    test_the_badge_says_where_images_live,
)

from lab import EMAIL, PASSWORD, UVICORN, Lab, Serving
from support import Server, free_port, photo

__all__ = [
    "page",
    "test_a_large_file_is_refused_behind_the_page_too",
    "test_a_quantity_of_none_and_one_that_is_no_number",
    "test_a_wrong_password_is_said",
    "test_add_and_delete",
    "test_refusals_are_in_words",
    "test_the_badge_says_where_images_live",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory, port = tmp_path_factory.mktemp("fastapi"), free_port()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABLINK_STORAGE_"))
    }
    environment |= {
        "LABLINK_INSTANCE": str(directory),
        "LABLINK_FACULTY_EMAIL": EMAIL,
        "LABLINK_FACULTY_PASSWORD": PASSWORD,
    }
    with Serving(environment, port, application=("fastapi_app", "main:app"), server=UVICORN):
        yield Lab(f"http://127.0.0.1:{port}", "local", None, directory, Server.from_env())


def test_errors_are_the_contracts(lab: Lab) -> None:
    components, headers = f"{lab.address}/api/components", lab.log_in()
    image = {"image": ("words.jpg", b"just words")}
    half = b'{"name": "half of a character \\ud800"}'
    for answer, status, kind in (
        (requests.post(components, files=image, timeout=60), 401, "unauthorized"),
        (requests.post(f"{lab.address}/api/s3/upload-url", json={}, timeout=60), 401, "unauthorized"),
        (requests.get(f"{lab.address}/elsewhere", timeout=60), 404, "not_found"),
        (requests.put(components, timeout=60), 405, "method_not_allowed"),
        (requests.post(f"{lab.address}/api/auth/login", data="[", timeout=60), 400, "invalid_argument"),
        (
            requests.post(components, headers=headers, data={"name": "x"}, files=image, timeout=60),
            415,
            "unsupported_format",
        ),
        (requests.post(components, headers=headers, json={"name": " "}, timeout=60), 400, "invalid_argument"),
        (
            requests.post(
                components, headers=headers | {"Content-Type": "application/json"}, data=half, timeout=60
            ),
            400,
            "invalid_argument",
        ),
        (
            requests.post(components, headers=headers, json={"name": "x", "upload_key": "y"}, timeout=60),
            400,
            "invalid_key",
        ),
        (requests.post(components, headers=headers, data=iter([b"x"]), timeout=60), 411, "length_required"),
        (requests.delete(f"{components}/77", headers=headers, timeout=60), 404, "not_found"),
        (requests.delete(f"{components}/{10**30}", headers=headers, timeout=60), 400, "invalid_argument"),
        (requests.delete(f"{components}/-{10**30}", headers=headers, timeout=60), 400, "invalid_argument"),
    ):
        assert set(answer.json()) == {"error", "message", "hint"}, answer.text
        assert (answer.status_code, answer.json()["error"]) == (status, kind), answer.text
    assert requests.get(components, timeout=60).json() == {"components": []}
    assert not [key for key in lab.stored() if not key.startswith("pending/")]


def test_one_direct_upload_is_one_components(lab: Lab) -> None:
    headers = lab.log_in()
    asked = {"filename": "a.jpg", "content_type": "image/jpeg"}
    form = requests.post(f"{lab.address}/api/s3/upload-url", json=asked, headers=headers, timeout=60).json()
    files = {"file": ("a.jpg", photo(40, 30))}
    assert requests.post(form["url"], data=form["fields"], files=files, timeout=60).ok

    def add(name: str) -> requests.Response:
        body = {"name": name, "upload_key": form["key"]}
        return requests.post(f"{lab.address}/api/components", json=body, headers=headers, timeout=60)

    with ThreadPoolExecutor() as threads:
        answers = sorted(threads.map(add, ["first", "second"]), key=lambda answer: answer.status_code)
    assert answers[0].status_code == 201 and answers[1].status_code in (404, 409), answers[1].text
    added = answers[0].json()
    assert requests.get(lab.absolute(added["image_url"]), timeout=60).status_code == 200
    removed = requests.delete(f"{lab.address}/api/components/{added['id']}", headers=headers, timeout=60)
    assert removed.json() == {"message": f"{added['name']} was deleted."}
    assert not [key for key in lab.stored() if not key.startswith("pending/")]


def test_an_image_in_another_store_does_not_keep_its_component(lab: Lab) -> None:
    components, headers = f"{lab.address}/api/components", lab.log_in()
    added = requests.post(components, json={"name": "Old"}, headers=headers, timeout=60).json()
    with closing(sqlite3.connect(lab.directory / "lablink.db")) as database, database:
        database.execute("UPDATE components SET image_url = 'https://elsewhere.example/a.jpg'")
    assert requests.delete(f"{components}/{added['id']}", headers=headers, timeout=60).status_code == 200
    assert requests.get(components, timeout=60).json() == {"components": []}
