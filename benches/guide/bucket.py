"""`bucket.py make|remove`: the bucket of a run, on the server that the environment names."""

import os
import sys

import boto3

client = boto3.client("s3")
name = os.environ["AWS_S3_BUCKET"]
if sys.argv[1] == "make":
    client.create_bucket(Bucket=name)
else:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for entry in page.get("Contents", []):
            client.delete_object(Bucket=name, Key=entry["Key"])
    client.delete_bucket(Bucket=name)
