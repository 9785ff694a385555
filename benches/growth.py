"""Time and memory of the commands that look at a whole store, as it grows: both are said per object.

usage: growth.py PATH_OF_LABLINK_STORAGE [OBJECTS]...

Each store is a directory of small images, half of its objects variants. With AWS_S3_BUCKET in the
environment, and the other variables of a bucket, it is that bucket, which is filled and emptied again; that
needs boto3. Nothing is changed by what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
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


def bucket():
    import boto3

    s3 = boto3.resource("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3"))
    return s3.Bucket(os.environ["AWS_S3_BUCKET"])


def upload(folder: Path) -> None:
    """Puts the images of the directory under the bucket's prefix, as the store would have."""
    put = bucket().meta.client.put_object

    def one(path: Path) -> None:
        key = f"{PREFIX}/{path.relative_to(folder)}"
        put(Bucket=os.environ["AWS_S3_BUCKET"], Key=key, Body=path.read_bytes(), ContentType="image/jpeg")

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(one, folder.rglob("*.jpg"), chunksize=100):
            pass


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


def measure(directory: Path, command: list[str]) -> tuple[float, float, int]:
    """Seconds of wall, seconds of processor time, and the peak of memory in KiB."""
    on_s3 = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    environment = {
        "PATH": os.environ["PATH"],
        **(on_s3 if "AWS_S3_BUCKET" in on_s3 else {"LABLINK_STORAGE_DIR": "uploads"}),
        "LABLINK_STORAGE_VARIANTS": '{"thumb": {"max_width": 16}}',
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
    binary = str(Path(sys.argv[1]).resolve())
    print("| command | objects | s | us CPU an object | peak MiB |\n|---|---|---|---|---|", flush=True)
    for objects in [int(size) for size in sys.argv[2:]] or SIZES:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            fill(directory, objects, binary)
            if "AWS_S3_BUCKET" in os.environ:
                upload(directory / "uploads" / PREFIX)
            for command, arguments in COMMANDS.items():
                wall, cpu, peak = measure(directory, [binary, *arguments])
                each = cpu / objects * 1e6
                print(f"| `{command}` | {objects} | {wall:.1f} | {each:.1f} | {peak / 1024:.0f} |", flush=True)
            if "AWS_S3_BUCKET" in os.environ:
                bucket().objects.filter(Prefix=f"{PREFIX}/").delete()


if __name__ == "__main__":
    main()
