"""An upload through Flask."""

from flask import Flask, request

from lablink_storage import ImageStore

app = Flask(__name__)
store = ImageStore.from_env()


@app.post("/api/upload")
def upload():
    return {"url": store.upload(request.files["image"]).url}, 201
