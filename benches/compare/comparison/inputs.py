"""What is measured: the files of a folder, made into another format where the job asks for that."""

import hashlib
import struct
import subprocess
import zlib
from pathlib import Path

from .peers import HERE, PEERS, pillow_python, say

SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".gif", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp",
}

# Which input each job has and what it makes of it.
JOBS = {
    "jpeg": {"title": "any format in, JPEG out", "input": None, "format": "jpeg", "quality": 85},
    "webp": {"title": "any format in, WebP out", "input": None, "format": "webp", "quality": 80},
    "png-in": {"title": "PNG in, JPEG out", "input": "png", "format": "jpeg", "quality": 85},
    "webp-in": {"title": "WebP in, JPEG out", "input": "webp", "format": "jpeg", "quality": 85},
    # Made so small that next to nothing but the decoding is measured; the inputs have 1200 pixels.
    "avif-in": {"title": "AVIF in, a small JPEG out", "input": "avif", "format": "jpeg", "quality": 85, "side": 64,
                "peers": "sharp"},
    # The scales of quality differ: at these the pictures are about as good, which the points look at.
    "avif": {"title": "any format in, AVIF out", "input": None, "format": "avif", "quality": 80, "sharp": 60,
             "peers": "sharp"},
    "drawings": {"title": "drawings in, PNG out with a palette", "input": "drawings", "format": "png", "quality": 100,
                 "peers": "sharp"},
}


def settings(job):
    """What each worker is told. The byte limit holds the PNGs that are made from 48 MP photographs."""
    chosen = JOBS[job]
    side = chosen.get("side", 1200)
    return {
        "format": chosen["format"], "quality": chosen["quality"], "sharp": chosen.get("sharp", chosen["quality"]),
        "width": side, "height": side, "max_bytes": 1 << 30,
    }


def files(folder, job):
    """The folder's images in a fixed order; for `png-in` and the like their copies in that format."""
    if JOBS[job]["input"] == "drawings":
        subprocess.run([pillow_python(), HERE / "workers/draw.py", PEERS / "drawings"], check=True)
        return sorted((PEERS / "drawings").glob("*.png"))
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    wanted = JOBS[job]["input"]
    if wanted is None:
        return found
    ready, to_make = [], []
    for path in found:
        if path.suffix.lower() == f".{wanted}":
            ready.append(path)
            continue
        if path.suffix.lower() in (".heic", ".heif", ".avif"):
            continue
        status = path.stat()
        mark = hashlib.sha256(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
        copy = PEERS / "inputs" / mark.hexdigest()[:16] / f"{path.stem}.{wanted}"
        ready.append(copy)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            to_make.append((path, copy))
    if to_make:
        say(f"making {len(to_make)} {wanted} files")
        lines = "".join(f"{source.resolve()}\t{target}\n" for source, target in to_make)
        command = [pillow_python(), HERE / "workers/convert.py", wanted]
        subprocess.run(command, input=lines, text=True, check=True)
    return [path for path in ready if path.exists()]


def _chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def write_bombs(folder):
    """A 30000 x 30000 PNG that does decode, of 110 KB, and a JPEG header that claims 65500 x 65500."""
    png = Path(folder) / "bomb.png"
    rows = zlib.compress(bytes((1 + 30000 // 8) * 30000), 9)
    header = struct.pack(">IIBBBBB", 30000, 30000, 1, 0, 0, 0, 0)
    parts = [_chunk(b"IHDR", header), _chunk(b"IDAT", rows), _chunk(b"IEND", b"")]
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    jpeg = Path(folder) / "bomb.jpg"
    frame = struct.pack(">BHHB", 8, 65500, 65500, 3) + bytes([1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0])
    table = bytes([0]) + bytes([1] * 64)
    code = bytes([0, 1]) + bytes(15) + bytes([0])
    both = code + bytes([0x10]) + code[1:]
    scan = bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])
    segments = [(0xDB, table), (0xC0, frame), (0xC4, both), (0xDA, scan)]
    body = b"".join(bytes([0xFF, mark]) + struct.pack(">H", len(data) + 2) + data for mark, data in segments)
    jpeg.write_bytes(b"\xff\xd8" + body + bytes(1000) + b"\xff\xd9")
    return [png, jpeg]
