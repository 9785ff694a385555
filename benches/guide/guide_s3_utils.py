"""THE PEER, not ours: an `s3_utils.py` as guides tell a Flask developer to write it, boto3 and Pillow.

Kept for the comparison and nothing else. It has the habits and faults that CONTRACT section 1 lists, on
purpose: a client for every call, errors printed and turned into None, the raw bytes uploaded when
optimizing fails. Where guides differ the cheaper way was taken: `put_object` instead of `upload_fileobj`,
which starts threads.
"""

import io
import os
import uuid

import boto3
from PIL import Image

MAX_UPLOAD_BYTES = 10 * 1024 * 1024


def is_s3_enabled():
    return bool(os.environ.get("AWS_S3_BUCKET"))


def get_s3_client():
    if not is_s3_enabled():
        return None
    try:
        return boto3.client(
            "s3",
            region_name=os.environ.get("AWS_REGION"),
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY"),
        )
    except Exception as error:
        print(f"Could not create the S3 client: {error}")
        return None


def optimize_image(file, max_width=1200, max_height=1200, quality=85):
    try:
        image = Image.open(file)
        if image.mode in ("RGBA", "LA", "P"):
            background = Image.new("RGB", image.size, (255, 255, 255))
            background.paste(image, mask=image.split()[-1] if image.mode == "RGBA" else None)
            image = background
        image.thumbnail((max_width, max_height), Image.Resampling.LANCZOS)
        output = io.BytesIO()
        image.save(output, format="JPEG", quality=quality, optimize=True)
        output.seek(0)
        return output
    except Exception as error:
        print(f"Could not optimize the image: {error}")
        file.seek(0)
        return file


def upload_image_to_s3(file, original_filename):
    client = get_s3_client()
    if client is None:
        return None
    try:
        key = f"components/{uuid.uuid4()}{os.path.splitext(original_filename)[1].lower()}"
        client.put_object(
            Bucket=os.environ["AWS_S3_BUCKET"],
            Key=key,
            Body=optimize_image(file),
            ContentType=file.content_type,
            CacheControl="max-age=31536000",
        )
        return get_image_url(key)
    except Exception as error:
        print(f"Could not upload: {error}")
        return None


def get_image_url(s3_key):
    domain = os.environ.get("CLOUDFRONT_DOMAIN")
    if domain:
        return f"https://{domain}/{s3_key}"
    bucket, region = os.environ.get("AWS_S3_BUCKET"), os.environ.get("AWS_REGION")
    return f"https://{bucket}.s3.{region}.amazonaws.com/{s3_key}"


def get_s3_upload_url(filename, content_type="image/jpeg"):
    client = get_s3_client()
    if client is None:
        return None
    try:
        key = f"components/{uuid.uuid4()}{os.path.splitext(filename)[1].lower()}"
        post = client.generate_presigned_post(
            Bucket=os.environ["AWS_S3_BUCKET"],
            Key=key,
            Fields={"Content-Type": content_type},
            Conditions=[{"Content-Type": content_type}, ["content-length-range", 1, MAX_UPLOAD_BYTES]],
            ExpiresIn=3600,
        )
        return {"url": post["url"], "fields": post["fields"], "file_url": get_image_url(key)}
    except Exception as error:
        print(f"Could not presign: {error}")
        return None
