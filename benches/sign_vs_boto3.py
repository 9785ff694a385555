#!/usr/bin/env python3
"""CPU time of a presigned POST and GET, ours and boto3's (one client kept), taken by turns in one run.

usage: benches/sign_vs_boto3.py      (boto3 has to be importable: tests/signing/run makes a venv that has it)
"""

import json
import os
import resource
import statistics
import subprocess
import time

import boto3
from botocore.config import Config

KEY = "pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg"
CASE = {
    "bucket": "lab-images", "region": "eu-central-1", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "now": int(time.time()),
    "secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "key": KEY, "expires_in": 3600,
}
ROUNDS, OURS, THEIRS = 7, 100_000, 2_000

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
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    built = subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--example", "sign_cases", "--message-format=json"],
        cwd=root, stdout=subprocess.PIPE, check=True)
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
    print(f"CPU time in µs, median of {ROUNDS} rounds by turns; boto3 {boto3.__version__}")
    for name, kind, call in [("presigned POST", "post", boto3_post), ("presigned GET", "presign", boto3_get)]:
        theirs(call)
        rounds = [(ours(driver, kind), theirs(call)) for _ in range(ROUNDS)]
        mine, yours = (statistics.median(side) for side in zip(*rounds))
        print(f"{name}: {mine:6.2f} ours, {yours:6.1f} boto3, {yours / mine:.0f} times")


if __name__ == "__main__":
    main()
