"""The guide's checks, with its own calls: verify the configuration, upload through the API, fetch the URL,
list the bucket, delete and get 404. The sixth, upload from the page, is test_page.py."""

from __future__ import annotations

import http.client
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from lab import Lab, photographs
from support import opened, photo


def test_1_verify_the_configuration(lab: Lab) -> None:
    answer = requests.get(f"{lab.address}/api/s3/status", headers=lab.log_in(), timeout=30)
    body = answer.json()
    assert answer.status_code == 200
    if lab.backend == "local":
        assert body == {"enabled": False, "message": "S3 integration is not configured"}
    else:
        assert body["enabled"] is True and body["bucket"] == lab.bucket
        assert body["message"] == "S3 is configured and accessible"
    assert requests.get(f"{lab.address}/api/s3/status", timeout=30).status_code == 401


def test_2_to_5_upload_fetch_list_delete_with_curl(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("photos") / "arduino.png"
    path.write_bytes(photo(1600, 1200, orientation=6))

    def curl(*arguments: str) -> str:
        command = ["curl", "--silent", "--show-error", "--max-time", "60", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    login = curl(
        *("-X", "POST", f"{lab.address}/api/auth/login"),
        *("-H", "Content-Type: application/json"),
        *("-d", '{"email": "faculty@lab.example", "password": "a-password-for-tests"}'),
    )
    token = f"Authorization: Bearer {json.loads(login)['access_token']}"

    added = json.loads(
        curl(
            *("-X", "POST", f"{lab.address}/api/components", "-H", token),
            *("-F", "name=Arduino Uno", "-F", "category=Microcontroller", "-F", "quantity=5"),
            *("-F", f"image=@{path}"),
        )
    )
    url = lab.absolute(added["image_url"])
    assert len(added["image_url"]) <= 255 and added["image_url"].endswith(".jpg")

    fetched = requests.get(url, timeout=30)
    assert fetched.status_code == 200 and fetched.headers["Content-Type"] == "image/jpeg"
    assert opened(fetched.content).size == (900, 1200)
    thumbnail = requests.get(lab.absolute(added["thumbnail_url"]), timeout=30)
    assert opened(thumbnail.content).size == (240, 320)

    name = added["image_url"].rsplit("/", 1)[1]
    assert any(key == f"components/{name}" for key in lab.stored())

    curl("-X", "DELETE", f"{lab.address}/api/components/{added['id']}", "-H", token)
    assert requests.get(url, timeout=30).status_code == 404
    # What stays is the empty marker that keeps a form that is used again from bringing other bytes.
    left = [key for key in lab.stored() if name.split(".")[0] in key]
    assert left == [f"pending/components/{name.split('.')[0]}.gone"]
    listed = requests.get(f"{lab.address}/api/components", timeout=30).json()["components"]
    assert added["id"] not in [component["id"] for component in listed]


@pytest.mark.parametrize(
    "data, status, kind",
    [
        (b"<html><script>alert(1)</script></html>", 415, "unsupported_format"),
        (photo(300, 300)[:3000], 400, "invalid_image"),
        (b"", 400, "invalid_image"),
        (bytes(12 * 1024 * 1024), 413, None),
    ],
)
def test_bad_photos_are_refused_and_nothing_is_stored(
    lab: Lab, data: bytes, status: int, kind: str | None
) -> None:
    before = sorted(lab.stored())
    answer = requests.post(
        f"{lab.address}/api/components",
        headers=lab.log_in(),
        data={"name": "Bad"},
        files={"image": ("photo.jpg", data, "image/jpeg")},
        timeout=60,
    )
    assert answer.status_code == status and answer.json()["message"]
    assert kind is None or answer.json()["error"] == kind
    assert "Traceback" not in answer.text
    assert sorted(lab.stored()) == before
    listed = requests.get(f"{lab.address}/api/components", timeout=30).json()["components"]
    assert "Bad" not in [component["name"] for component in listed]


def test_a_client_that_sends_all_before_it_reads_is_told_too(lab: Lab) -> None:
    """As browsers do: a connection that the server closes meanwhile is all they would see."""
    paths = ["/api/components"] + (["/uploads"] if lab.backend == "local" else [])
    for path in paths:
        connection = http.client.HTTPConnection(urlsplit(lab.address).netloc, timeout=60)
        headers = lab.log_in() | {"Content-Type": "multipart/form-data; boundary=b"}
        connection.request("POST", path, bytes(30 * 1024 * 1024), headers)
        answer = connection.getresponse()
        assert answer.status == 413 and json.load(answer)["message"]
        connection.close()


@pytest.mark.parametrize("client", ["curl", "requests"])
def test_direct_uploads_of_real_photographs(lab: Lab, tmp_path: Path, client: str) -> None:
    headers = lab.log_in()
    for path in photographs(4):
        form = requests.post(
            f"{lab.address}/api/s3/upload-url", headers=headers, json={"filename": path.name}, timeout=30
        ).json()
        if client == "curl":
            fields = [part for name, value in form["fields"].items() for part in ("-F", f"{name}={value}")]
            command = ["curl", "-s", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}", *fields]
            command += ["-F", f"file=@{path}", form["url"]]
            status = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        else:
            with path.open("rb") as file:
                sent = requests.post(form["url"], data=form["fields"], files={"file": file}, timeout=60)
            status = sent.status_code
        assert status in (200, 201, 204), path.name
        key = form["key"]
        if lab.bucket is None:
            assert (lab.directory / "uploads" / key).read_bytes() == path.read_bytes()
        else:
            assert key in lab.stored()


def test_only_faculty(lab: Lab) -> None:
    add = f"{lab.address}/api/components"
    for headers in ({}, {"Authorization": "Bearer forged"}):
        assert requests.post(add, headers=headers, data={"name": "x"}, timeout=30).status_code == 401
        assert requests.delete(f"{add}/1", headers=headers, timeout=30).status_code == 401
    wrong = {"email": "faculty@lab.example", "password": "wrong"}
    answer = requests.post(f"{lab.address}/api/auth/login", json=wrong, timeout=30)
    assert answer.status_code == 401 and "wrong" in answer.json()["message"]


def test_bad_values(lab: Lab) -> None:
    for values in ({"name": ""}, {"name": "x" * 500}, {"name": "x", "quantity": "many"}):
        answer = requests.post(f"{lab.address}/api/components", headers=lab.log_in(), data=values, timeout=30)
        assert answer.status_code == 400 and answer.json()["message"]
    forged = {"name": "x", "upload_key": "components/a.jpg"}
    answer = requests.post(f"{lab.address}/api/components", headers=lab.log_in(), data=forged, timeout=30)
    assert answer.status_code == 400 and answer.json()["error"] == "invalid_key"


def test_a_direct_upload_that_is_added_several_times_at_once(lab: Lab) -> None:
    headers = lab.log_in()
    wanted = {"filename": "a.jpg", "content_type": "image/jpeg"}
    for _ in range(3):
        upload = requests.post(
            f"{lab.address}/api/s3/upload-url", headers=headers, json=wanted, timeout=30
        ).json()
        sent = requests.post(
            upload["url"], data=upload["fields"], files={"file": photo(1200, 900)}, timeout=30
        )
        assert sent.status_code < 300, sent.text

        def add(_: int, key: str = upload["key"]) -> requests.Response:
            values = {"name": "Twice", "upload_key": key}
            return requests.post(f"{lab.address}/api/components", headers=headers, json=values, timeout=60)

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(add, range(6)))
        answers.append(add(0))
        # 404 is for whoever comes when the upload has been taken.
        others = [answer for answer in answers if answer.status_code != 201]
        assert len(others) == len(answers) - 1, [answer.text for answer in answers]
        assert {answer.status_code for answer in others} <= {404, 409}, [answer.text for answer in others]
        (added,) = (answer.json() for answer in answers if answer.status_code == 201)
        assert requests.get(lab.absolute(added["image_url"]), timeout=30).status_code == 200
        requests.delete(f"{lab.address}/api/components/{added['id']}", headers=headers, timeout=30)
        assert requests.get(lab.absolute(added["image_url"]), timeout=30).status_code == 404
