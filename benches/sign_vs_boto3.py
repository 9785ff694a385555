#!/usr/bin/env python3
"""CPU time of a presigned POST and GET, ours and boto3's (one client kept), taken by turns in one run.

usage: benches/sign_vs_boto3.py

It wants Rust and Python 3.11. Where boto3 cannot be imported it is installed into a venv of its own under
target/, as tests/signing/requirements.txt names it. The exit code is 1 if we take longer than we may.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "venvs", "sign_vs_boto3")

try:
    import boto3
    from botocore.config import Config
except ImportError:
    python = os.path.join(VENV, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV):
        raise
    print(f"installing boto3 into {VENV}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    requirements = os.path.join(ROOT, "tests", "signing", "requirements.txt")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], check=True)
    os.execv(python, [python, os.path.abspath(__file__)])

KEY = "pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg"
CASE = {
    "bucket": "lab-images", "region": "eu-central-1", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "now": int(time.time()),
    "secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "key": KEY, "expires_in": 3600,
}
ROUNDS, OURS, THEIRS = 7, 100_000, 2_000
MOST = {"post": 10, "presign": 12}
"""Microseconds that one of ours may take."""

client = boto3.client(
    "s3", region_name=CASE["region"], aws_access_key_id=CASE["access_key_id"], aws_secret_access_key=CASE["secret"],
    config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
)


def boto3_post():
    client.generate_presigned_post(
        CASE["bucket"], KEY, Fields={"Content-Type": "image/jpeg"},
        Conditions=[{"Content-Type": "image/jpeg"}, ["content-length-range", 1, 10485760]], ExpiresIn=3600)


def boto3_get():
    client.generate_presigned_url("get_object", Params={"Bucket": CASE["bucket"], "Key": KEY}, ExpiresIn=3600)


def build():
    print("building ours in release", file=sys.stderr)
    built = subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--release", "--no-default-features", "--example", "sign_cases",
         "--message-format=json"],
        cwd=ROOT, stdout=subprocess.PIPE, check=True)
    programs = [json.loads(line).get("executable") for line in built.stdout.splitlines()]
    return [program for program in programs if program][-1]


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ours(driver, kind):
    before = cpu_of_children()
    subprocess.run([driver, str(OURS)], input=json.dumps([CASE | {"kind": kind}]).encode(), check=True)
    return (cpu_of_children() - before) / OURS * 1e6


def theirs(call):
    before = time.process_time()
    for _ in range(THEIRS):
        call()
    return (time.process_time() - before) / THEIRS * 1e6


def main():
    driver = build()
    within = True
    print(f"CPU time in µs, median of {ROUNDS} rounds by turns; boto3 {boto3.__version__}; "
          f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, kind, call in [("presigned POST", "post", boto3_post), ("presigned GET", "presign", boto3_get)]:
        theirs(call)
        rounds = [(ours(driver, kind), theirs(call)) for _ in range(ROUNDS)]
        mine, yours = (statistics.median(side) for side in zip(*rounds))
        within &= mine <= MOST[kind]
        print(f"{name}: {mine:6.2f} ours (at most {MOST[kind]}: {'met' if mine <= MOST[kind] else 'NOT met'}), "
              f"{yours:6.1f} boto3, {yours / mine:.0f} times")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
