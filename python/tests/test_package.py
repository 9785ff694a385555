"""The package itself: how fast it is imported, what it exports, and that its examples run."""

from __future__ import annotations

import doctest
import inspect
import os
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import lablink_storage
from lablink_storage import ImageStore, _environment, optimize, s3_utils
from lablink_storage._lablink_storage import settings

from support import ROOT, Server


@pytest.mark.alone
def test_import_takes_under_50_ms_and_never_imports_flask() -> None:
    program = (
        "import sys, time; start = time.perf_counter(); import lablink_storage; "
        "print((time.perf_counter() - start) * 1000); "
        "assert not {'flask', 'werkzeug', 'boto3', 'PIL'} & set(sys.modules)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout)
        for _ in range(9)
    ]
    assert statistics.median(times) < 50, times


@pytest.mark.skipif(
    os.environ.get("LABLINK_TEST_FULL") != "1", reason="the wheel is built in release by --full alone"
)
def test_the_wheel_is_under_12_mb() -> None:
    assert Path(os.environ["LABLINK_TEST_WHEEL"]).stat().st_size < 12_000_000
    installed = Path(lablink_storage._lablink_storage.__file__)
    assert installed.stat().st_size < 30_000_000


def test_every_variable_that_rust_reads_is_passed_on() -> None:
    names = {name for setting in settings() for name in setting["variables"]}
    assert names == set(_environment.ALL)


def test_the_readme_shows_the_dockerfile_as_it_is() -> None:
    shown = (ROOT / "python" / "README.md").read_text("utf-8").split("```dockerfile\n")[1].split("```")[0]
    dockerfile = (ROOT / "examples" / "flask_app" / "Dockerfile").read_text("utf-8")
    assert dockerfile.endswith(shown) and shown.startswith("FROM ")
    copied = set()
    for line in shown.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for path in line.split()[1:-1]:
                found = list(ROOT.glob(path))
                assert found, line
                copied |= {file for top in found for file in (top, *top.rglob("*"))}
    # Cargo builds nothing at all where a target that the manifest names has no file.
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))
    for kind, folder in (("bench", "benches"), ("example", "examples"), ("test", "tests")):
        for target in manifest[kind]:
            if "path" not in target:
                assert ROOT / folder / f"{target['name']}.rs" in copied, target


def test_everything_public_is_documented() -> None:
    for name in lablink_storage.__all__:
        found = getattr(lablink_storage, name)
        if name != "__version__":
            assert found.__doc__, name
    for name in dir(ImageStore):
        if not name.startswith("_"):
            assert getattr(ImageStore, name).__doc__, name


def _public() -> dict[str, Any]:
    """What is called by name: every method of ImageStore and S3Client, and the functions."""
    found: dict[str, Any] = {"optimize": optimize, "ImageStore": ImageStore}
    for kind in (ImageStore, s3_utils.S3Client):
        found |= {f"{kind.__name__}.{name}": getattr(kind, name) for name in dir(kind) if name[0] != "_"}
    for name in s3_utils.__all__:
        member = getattr(s3_utils, name)
        if not isinstance(member, type):
            found[f"s3_utils.{name}"] = member
    return {name: member for name, member in found.items() if callable(member)}


def _examples() -> dict[str, doctest.DocTest]:
    parser = doctest.DocTestParser()
    documented = _public() | {"lablink_storage": lablink_storage, "s3_utils": s3_utils}
    found = {
        name: parser.get_doctest(inspect.getdoc(member) or "", {}, name, None, None)
        for name, member in documented.items()
    }
    return {name: example for name, example in found.items() if example.examples}


@pytest.fixture(scope="session")
def private_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An RSA key such as CloudFront signs with."""
    file = tmp_path_factory.mktemp("cloudfront") / "key.pem"
    command = ["openssl", "genrsa", "-traditional", "-out", str(file), "2048"]
    subprocess.run(command, check=True, capture_output=True)
    return file.read_text("ascii")


@pytest.mark.parametrize("example", _examples().values(), ids=lambda example: example.name)
def test_examples_in_docstrings(
    example: doctest.DocTest,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    picture: bytes,
    tmp_path: Path,
) -> None:
    for name in _environment.ALL:
        monkeypatch.delenv(name, raising=False)
    if example.name.startswith(("s3_utils.", "S3Client.", "ImageStore.presigned_original")):
        # Off without a bucket: these run on the real server.
        server: Server = request.getfixturevalue("server")
        bucket: str = request.getfixturevalue("session_bucket")
        for name, value in server.environment(bucket).items():
            monkeypatch.setenv(name, value)
    example.globs.update(photo=picture, tmp_path=tmp_path)
    if "private_key" in (example.docstring or ""):
        example.globs["private_key"] = request.getfixturevalue("private_key")
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    result = runner.run(example)
    assert result.failed == 0 and result.attempted == len(example.examples)


def test_there_are_examples() -> None:
    """One for all that is called, none of which is skipped."""
    examples = _examples()
    assert len(_public()) > 30 and set(_public()) <= set(examples)
    for name, example in examples.items():
        for step in example.examples:
            assert not step.options.get(doctest.SKIP), name


def test_a_panic_is_an_exception_like_any_other() -> None:
    """Rust panics where no thread can be started: here, because each is to have a stack of 64 TiB."""
    program = (
        "import lablink_storage\n"
        "store = lablink_storage.ImageStore.memory()\n"
        "for call in (store.status, lambda: store.get('components/a.jpg'), lambda: list(store.list())):\n"
        "    try:\n"
        "        call()\n"
        "    except lablink_storage.InternalError as error:\n"
        "        print(error)\n"
    )
    environment = os.environ | {"RUST_MIN_STACK": str(1 << 46)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert "panicked at" in done.stderr  # else this test would show nothing
    said = "this is a defect in lablink-storage; please report it\n"
    assert (done.returncode, done.stdout) == (0, said * 3)


def test_the_command_line(picture: bytes, tmp_path: Path) -> None:
    (tmp_path / "board.jpg").write_bytes(picture)
    environment = {name: value for name, value in os.environ.items() if "AWS_" not in name}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lablink_storage", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    put = run("put", "board.jpg", "--json")
    assert put.returncode == 0, put.stderr
    assert put.stderr.count("AWS_S3_BUCKET is not set") == 1, put.stderr
    assert len(list((tmp_path / "uploads" / "components").glob("*.jpg"))) == 1
    assert run("ls").returncode == 0
    assert run("put", "missing.jpg").returncode == 1
    wrong = run("no-such-command")
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr
    assert "lablink-storage" in run("--help").stdout
    installed = Path(sys.executable).with_name("lablink-storage")
    version = subprocess.run([installed, "--version"], capture_output=True, text=True)
    assert version.stdout.startswith("lablink-storage "), version.stderr
