"""An upload through FastAPI."""

from fastapi import FastAPI, UploadFile

from lablink_storage import AsyncImageStore

app = FastAPI()
store = AsyncImageStore.from_env()


@app.post("/api/upload", status_code=201)
async def upload(image: UploadFile):
    return {"url": (await store.upload(image)).url}
