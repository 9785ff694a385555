"""The same small Flask backend for both sides: one import line differs, as in a real migration."""

import os

from flask import Flask, jsonify, request

if os.environ["S3_UTILS"] == "guide":
    import guide_s3_utils as s3_utils
else:
    from lablink_storage import s3_utils

app = Flask(__name__)


@app.post("/api/upload")
def upload():
    file = request.files["image"]
    url = s3_utils.upload_image_to_s3(file, file.filename)
    return (jsonify(image_url=url), 201) if url else (jsonify(error="upload failed"), 500)


@app.get("/api/upload-url")
def upload_url():
    form = s3_utils.get_s3_upload_url(request.args["filename"], "image/jpeg")
    return jsonify(form) if form else (jsonify(error="presigning failed"), 500)
