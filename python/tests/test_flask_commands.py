"""``flask storage …``"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from lablink_storage import ImageStore
from lablink_storage.flask import LablinkStorage

from support import Server, make_app, photo, store_of


def test_the_status_command(app: Flask, tmp_path: Path, server: Server, bucket: str) -> None:
    result = app.test_cli_runner().invoke(args=["storage", "status", "--json"])
    assert result.exit_code == 0 and json.loads(result.output)["backend"] == "local"
    broken = make_app(tmp_path, **server.environment(f"{bucket}-missing"))
    result = broken.test_cli_runner().invoke(args=["storage", "status"])
    assert result.exit_code == 1 and "not accessible" in result.output


def test_the_commands_work_on_the_applications_store(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a .env file says of the variables that the application left unset is not looked at."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_S3_BUCKET", "LABLINK_STORAGE_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("LABLINK_STORAGE_PREFIX=elsewhere\nAWS_S3_BUCKET=NOT a bucket\n")
    store_of(app).upload(photo(20, 20))
    runner = app.test_cli_runner()
    used = tmp_path / "used"
    used.write_text("")
    assert runner.invoke(args=["storage", "doctor", "--json"]).exit_code == 0
    assert "NOT a bucket" not in capfd.readouterr().out
    result = runner.invoke(args=["storage", "sweep", "--json", "--older-than", "0s", "--used", str(used)])
    swept = capfd.readouterr().out
    assert result.exit_code == 0 and "components/" in swept
    assert runner.invoke(args=["storage", "doctor", "--env-file", ".env"]).exit_code == 2


def test_the_command_lines_commands(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    runner = app.test_cli_runner()
    runner.invoke(args=["storage", "sweep", "--json"])
    assert isinstance(json.loads(capfd.readouterr().out), dict)
    assert runner.invoke(args=["storage", "sweep", "--no-such-option"]).exit_code == 2
    assert runner.invoke(args=["storage", "doctor", "--json"]).exit_code == 0
    report = json.loads(capfd.readouterr().out)
    assert report["ok"] is True and report["checks"]
    by_hand = Flask("by hand")
    LablinkStorage(by_hand, guard=False, store=ImageStore.memory())
    result = by_hand.test_cli_runner().invoke(args=["storage", "doctor"])
    assert result.exit_code == 1 and "built by hand" in result.output
