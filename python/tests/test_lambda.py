"""The Lambda function's handler: what of a batch comes again."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.stub import Stubber

from lablink_storage import InvalidArgumentError, aws_lambda

from support import Server, photo


EXAMPLES = Path(__file__).parents[2] / "examples"


class Context:
    def __init__(self, left: int) -> None:
        self.left = left

    def get_remaining_time_in_millis(self) -> int:
        return self.left


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(aws_lambda, "_store", None)
    yield


def _event(bucket: str, key: str) -> dict[str, Any]:
    s3 = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"Records": [{"eventName": "ObjectCreated:Post", "eventSource": "aws:s3", "s3": s3}]}


def test_two_of_ten_messages_fail(
    fresh: None, server: Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment(bucket).items():
        monkeypatch.setenv(name, value)
    store = server.store(bucket)
    messages: list[dict[str, Any]] = []
    keys = []
    for number in range(10):
        post = store.presigned_post("a.jpg")
        keys.append(post.key)
        body = photo(40 + number, 30) if number != 6 else b"<html>no image</html>"
        server.client().put_object(Bucket=bucket, Key=post.key, Body=body, ContentType="image/jpeg")
        messages.append({"messageId": f"m{number}", "body": json.dumps(_event(bucket, post.key))})
    # One that is no notification, and one whose image is there already as another: it cannot be promoted.
    messages[2]["body"] = "just words"
    final = keys[8].removeprefix("pending/")
    server.client().put_object(Bucket=bucket, Key=final, Body=photo(9, 9), ContentType="image/jpeg")

    answer = aws_lambda.handler({"Records": messages}, Context(60_000))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m8"}]}
    done = {key.removeprefix("pending/") for at, key in enumerate(keys) if at not in (2, 6, 8)}
    assert done < set(server.keys(bucket))

    # Delivered again, what was done is done.
    again = aws_lambda.handler({"Records": messages[:2]}, Context(60_000))
    assert again == {"batchItemFailures": []}
    # What there is no time for is not begun.
    late = aws_lambda.handler({"Records": messages[:2]}, Context(2_000))
    assert [failure["itemIdentifier"] for failure in late["batchItemFailures"]] == ["m0", "m1"]


def test_an_event_that_came_straight_from_s3(
    fresh: None, server: Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment(bucket).items():
        monkeypatch.setenv(name, value)
    key = server.store(bucket).presigned_post("a.jpg").key
    server.client().put_object(Bucket=bucket, Key=key, Body=photo(40, 30), ContentType="image/jpeg")
    assert aws_lambda.handler(_event(bucket, key), None) == {}
    assert key.removeprefix("pending/") in server.keys(bucket)
    with pytest.raises(InvalidArgumentError):
        aws_lambda.handler({"detail": "no event of ours"}, None)


def test_the_template_names_what_there_is() -> None:
    template = (EXAMPLES / "promote-lambda.yaml").read_text()
    module, _, name = re.findall(r"Handler: (.+)", template)[0].rpartition(".")
    assert getattr(importlib.import_module(module), name) is aws_lambda.handler
    assert re.search(r"FunctionResponseTypes: \[ReportBatchItemFailures]", template)
    names = re.findall(r"^ +((?:AWS|LABLINK)_[A-Z0-9_]+): ", template, re.MULTILINE)
    documented = (EXAMPLES.parent / "docs" / "configuration.md").read_text()
    assert len(names) == 6 and all(f"`{name}`" in documented for name in names), names


def test_aws_takes_the_array_job() -> None:
    job = json.loads((EXAMPLES / "regenerate-batch.json").read_text())
    batch = boto3.client("batch", "eu-central-1", aws_access_key_id="A", aws_secret_access_key="b")
    with Stubber(batch) as stubber:
        stubber.add_response("submit_job", {"jobName": job["jobName"], "jobId": "1"}, job)
        batch.submit_job(**job)
    command = job["containerOverrides"]["command"][-1].replace("lablink-storage", "echo")
    for index in (0, 7):
        environment = {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
        told = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True)
        assert told.stdout == f"regenerate --shard {index + 1}/{job['arrayProperties']['size']}\n"


def test_kubernetes_numbers_the_shards(tmp_path: Path) -> None:
    """Each pod of the Indexed Job, one after another: every image once, and all of them."""
    job = yaml.safe_load((EXAMPLES / "regenerate-job.yaml").read_text())
    spec = job["spec"]
    assert (job["apiVersion"], job["kind"], spec["completionMode"]) == ("batch/v1", "Job", "Indexed")
    assert spec["parallelism"] <= spec["completions"]
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "an Indexed Job with a backoff limit per index wants it"
    (container,) = pod["containers"]
    folder = tmp_path / "uploads" / "components"
    folder.mkdir(parents=True)
    for _ in range(24):
        (folder / f"{uuid.uuid4()}.jpg").write_bytes(photo(24, 16))
    binary = Path(sys.executable).with_name("lablink-storage")
    environment = {
        "PATH": f"{binary.parent}:/usr/bin:/bin",
        "LABLINK_STORAGE_DIR": str(tmp_path / "uploads"),
        "LABLINK_STORAGE_VARIANTS": '{"thumb": {"max_width": 16}}',
    }
    made = 0
    for index in range(spec["completions"]):
        indexed = environment | {"JOB_COMPLETION_INDEX": str(index)}
        command = [*container["command"][:-1], f"{container['command'][-1]} --json"]
        told = subprocess.run(command, env=indexed, capture_output=True, text=True, cwd=tmp_path)
        assert told.returncode == 0, told.stderr
        made += json.loads(told.stdout)["made"]
    assert made == len(list(folder.glob("*/thumb.jpg"))) == 24
