"""Installs the peers from their registries and builds our two programs; says how each is started."""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
PEERS = HERE / ".peers"
OURS = "lablink-storage"

SHARP = "sharp@0.35.5"
PYVIPS = "pyvips[binary]==3.2.0"
PILLOW = "pillow==13.0.0"
PILLOW_SIMD = "pillow-simd==12.1.1.post0"


@dataclass
class Runner:
    """One library: its name and how its worker is started."""

    name: str
    command: list
    env: dict = field(default_factory=dict)


def say(words):
    """A line for the person who waits, on stderr."""
    print(words, file=sys.stderr, flush=True)


def quiet(command, **kwargs):
    """Runs a command; its last words only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-8:]
        raise RuntimeError(f"{' '.join(map(str, command))}\n" + "\n".join(last))


def once(folder, wanted, install):
    """Runs `install` into an empty folder unless exactly `wanted` is installed there already."""
    stamp = folder / "installed.txt"
    if not (stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        say(f"installing {wanted}")
        install(folder)
        stamp.write_text(wanted)
    return folder


def venv(folder, *arguments, env=None):
    """A fresh virtual environment with what `pip install` is to put there."""
    quiet([sys.executable, "-m", "venv", folder])
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", *arguments]
    quiet(pip, env={**os.environ, **(env or {})})


def pillow_python(*others):
    wanted = [PILLOW, *others]
    folder = once(PEERS / "pillow", " ".join(wanted), lambda to: venv(to, *wanted))
    return folder / "bin/python"


def _pillow_simd(folder):
    # Its own advice: built for AVX2 where the processor has it.
    avx2 = " -mavx2" if "avx2" in Path("/proc/cpuinfo").read_text() else ""
    venv(folder, "--no-binary=pillow-simd", PILLOW_SIMD, env={"CC": "cc" + avx2})


def _sharp(folder):
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, SHARP]
    quiet(npm)


def _start(name):
    workers = HERE / "workers"
    if name == "sharp":
        folder = once(PEERS / "sharp", SHARP, _sharp)
        return Runner(name, ["node", workers / "sharp_worker.mjs", folder], {"VIPS_CONCURRENCY": "1"})
    if name == "pyvips":
        folder = once(PEERS / "pyvips", PYVIPS, lambda to: venv(to, PYVIPS))
        command = [folder / "bin/python", workers / "pyvips_worker.py"]
        return Runner(name, command, {"VIPS_CONCURRENCY": "1"})
    if name == "pillow":
        return Runner(name, [pillow_python(), workers / "pillow_worker.py", name])
    if name == "pillow-simd":
        folder = once(PEERS / "pillow-simd", PILLOW_SIMD, _pillow_simd)
        return Runner(name, [folder / "bin/python", workers / "pillow_worker.py", name])
    if name == OURS:
        return Runner(name, [build("optimize_worker"), our_version()])
    raise ValueError(f"no such peer: {name}")


def runners(names):
    """The libraries by these names; one that cannot be installed here is left out, with the reason."""
    found = []
    for name in names:
        try:
            found.append(_start(name))
        except (RuntimeError, OSError) as error:
            say(f"{name} is left out: {error}")
    return found


def our_version():
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    version = manifest["workspace"]["package"]["version"]
    describe = ["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(describe, capture_output=True, text=True).stdout.strip()
    return f"lablink-storage {version}" + (f" ({commit})" if commit else "")


def build(program):
    """Builds one of the two Rust programs with the very dependency versions of the crate's lock file."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or HERE / "rust/target").resolve()
    shutil.copyfile(ROOT / "Cargo.lock", HERE / "rust/Cargo.lock")
    say(f"building {program}")
    manifest = HERE / "rust/Cargo.toml"
    quiet(["cargo", "build", "--release", "--manifest-path", manifest, "--target-dir", target, "--bin", program])
    return target / "release" / program
