"""Time and memory of the commands that look at a whole store, as it grows: both are said per object.

usage: growth.py [--s3] PATH_OF_LABLINK_STORAGE [OBJECTS]...

Each store is a directory of small images, half of its objects variants; with --s3 a bucket that is made for
the run and removed again, on the server that AWS_ENDPOINT_URL_S3 and the AWS credentials name. That needs
boto3. Nothing is changed by what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

PHOTO = Path(__file__).resolve().parent.parent / "examples" / "photo.jpg"
SIZES = [25_000, 50_000, 100_000, 200_000]
COMMANDS = {
    "ls": ["ls", "--json"],
    "sweep": ["sweep"],
    "sweep --used": ["sweep", "--used", "used.txt"],
    "regenerate --dry-run": ["regenerate", "--dry-run", "--json"],
    "migrate --dry-run": ["migrate", "uploads/components", "elsewhere", "--outside-prefix", "--dry-run"],
}


PREFIX = "components"


def fill_bucket(name: str, folder: Path) -> None:
    import boto3

    bucket = boto3.resource("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3")).create_bucket(Bucket=name)

    def put(path: Path) -> None:
        key = f"{PREFIX}/{path.relative_to(folder)}"
        client.put_object(Bucket=name, Key=key, Body=path.read_bytes(), ContentType="image/jpeg")

    client = bucket.meta.client
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(put, folder.rglob("*.jpg")):
            pass


def remove_bucket(name: str) -> None:
    import boto3

    bucket = boto3.resource("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3")).Bucket(name)
    bucket.objects.delete()
    bucket.delete()


@contextlib.contextmanager
def uploaded(folder: Path) -> Iterator[dict[str, str]]:
    """A bucket of its own with the images of the directory, as the variables that name it."""
    name = f"growth-{uuid.uuid4()}"
    # What is measured begins with the peak of the process that starts it, which is to have no boto3 in it.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        try:
            apart.submit(fill_bucket, name, folder).result()
            variables = {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
            yield variables | {"AWS_S3_BUCKET": name}
        finally:
            apart.submit(remove_bucket, name).result()


def fill(directory: Path, objects: int, binary: str) -> None:
    subprocess.run([binary, "optimize", str(PHOTO), "--max-width", "16", "-o", "small"], cwd=directory, check=True)
    (small,) = (path.read_bytes() for path in (directory / "small").iterdir())
    folder = directory / "uploads" / PREFIX
    folder.mkdir(parents=True)
    with (directory / "used.txt").open("w") as used:
        for _ in range(objects // 2):
            image = folder / str(uuid.uuid4())
            image.mkdir()
            (image / "thumb.jpg").write_bytes(small)
            image.with_suffix(".jpg").write_bytes(small)
            used.write(f"{PREFIX}/{image.name}.jpg\n")


def measure(directory: Path, place: dict[str, str], command: list[str]) -> tuple[float, float, int]:
    """Seconds of wall, seconds of processor time, and the peak of memory in KiB; Linux counts that of this process
    before the command takes its place, some 14 MiB."""
    environment = {
        "PATH": os.environ["PATH"],
        "LABLINK_STORAGE_VARIANTS": '{"thumb": {"max_width": 16}}',
        **place,
    }
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    words = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words.decode()
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of what looks at a whole store.")
    parser.add_argument("--s3", action="store_true", help="a bucket made for the run, not directories")
    parser.add_argument("binary", type=Path, help="the command line, built in release")
    parser.add_argument("objects", type=int, nargs="*", default=SIZES, help="sizes of the stores")
    args = parser.parse_args()
    binary = str(args.binary.resolve())
    print("| command | objects | s | us CPU an object | peak MiB |\n|---|---|---|---|---|", flush=True)
    for objects in args.objects:
        with contextlib.ExitStack() as over:
            directory = Path(over.enter_context(tempfile.TemporaryDirectory()))
            fill(directory, objects, binary)
            place = {"LABLINK_STORAGE_DIR": "uploads"}
            if args.s3:
                place = over.enter_context(uploaded(directory / "uploads" / PREFIX))
            for command, arguments in COMMANDS.items():
                wall, cpu, peak = measure(directory, place, [binary, *arguments])
                each, peak = cpu / objects * 1e6, peak / 1024
                print(f"| `{command}` | {objects} | {wall:.1f} | {each:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
