"""The storage, the field, the tag, the checks and the command, on local files and on S3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import pytest
import requests

django.setup()

from django import forms  # noqa: E402 - the applications have to be there
from django.core.checks import run_checks  # noqa: E402
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation, ValidationError  # noqa: E402
from django.core.files.base import ContentFile  # noqa: E402
from django.core.files.storage import default_storage  # noqa: E402
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.migrations.writer import MigrationWriter  # noqa: E402
from django.template import Context, Template  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils.datastructures import MultiValueDict  # noqa: E402

from lablink_storage import (  # noqa: E402
    ImageStore,
    Inspection,
    InvalidKeyError,
    NotFoundError,
    RejectedError,
    UnavailableError,
    _views,
)
from lablink_storage.django import (  # noqa: E402
    LablinkStorage,
    delete_images,
    delete_with_images,
    urls,
)

from django_lab.models import Album, Component, Part, Yearbook  # noqa: E402
from support import SECRET, Server, catches_everything, opened, photo  # noqa: E402

VARIANTS = {
    "thumb": {"max_width": 320, "max_height": 320},
    "square": {"max_width": 100, "max_height": 100, "fit": "cover"},
    "poster": {"max_width": 600, "lazy": True},
}

urlpatterns = urls(guard=False)


class ComponentForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Component
        fields = ["name", "photo"]


def _stored(storage: Any) -> list[str]:
    return [info.key for info in storage.store.list() if info.variant is None]


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The default storage, as STORAGES has it."""
    options: dict[str, Any] = {"directory": tmp_path / "uploads", "secret": SECRET}
    if request.param == "s3":
        server: Server = request.getfixturevalue("server")
        options = {
            "bucket": request.getfixturevalue("bucket"),
            "endpoint_url": server.endpoint,
            "access_key_id": server.access_key,
            "secret_access_key": server.secret_key,
        }
    backend = {
        "BACKEND": "lablink_storage.django.LablinkStorage",
        "OPTIONS": options | {"variants": VARIANTS},
    }
    with override_settings(STORAGES={"default": backend}):
        yield default_storage


@pytest.fixture
def database() -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.create_model(Component)
        editor.create_model(Part)
        editor.create_model(Album)
        editor.create_model(Yearbook)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(Yearbook)
        editor.delete_model(Album)
        editor.delete_model(Part)
        editor.delete_model(Component)


def _upload(data: bytes, name: str = "board.jpg") -> TemporaryUploadedFile:
    """An upload as Django keeps a large one: on the disk, and read to its end already."""
    uploaded = TemporaryUploadedFile(name, "image/jpeg", len(data), None)
    uploaded.write(data)
    return uploaded


# --- the storage


def test_what_is_saved_comes_back(storage: Any) -> None:
    key = storage.save("the board.jpg", _upload(photo(1600, 1200)))
    assert re.fullmatch(r"components/[0-9a-f-]{36}\.jpg", key)
    assert (key.image.width, key.image.height) == (1200, 900)
    with storage.open(key) as file:
        assert opened(file.read()).size == (1200, 900)
    assert storage.exists(key) and storage.size(key) == key.image.size
    assert storage.url(key) == key.image.url
    assert storage.get_modified_time(key).tzinfo is not None
    other = storage.save("the board.jpg", ContentFile(photo(40, 30)))
    assert other != key
    storage.delete(key)
    storage.delete(key)
    assert not storage.exists(key) and _stored(storage) == [other]
    with pytest.raises(NotFoundError):
        storage.open(key)
    with pytest.raises(FileNotFoundError):
        storage.size(key)


def test_names_that_are_no_keys_of_its_own(storage: Any) -> None:
    assert not storage.exists("../etc/passwd") and not storage.exists("https://elsewhere.example/a.jpg")
    for name in ("", None):
        with pytest.raises(ValueError):
            storage.url(name)
        with pytest.raises(ValueError):
            storage.delete(name)
    with pytest.raises(InvalidKeyError):
        storage.url("../etc/passwd")
    with pytest.raises(ValueError, match="rb"):
        storage.open("components/a.jpg", "wb")
    with pytest.raises(SuspiciousFileOperation, match="max_length"):
        storage.save("a.jpg", ContentFile(photo(40, 30)), max_length=50)
    assert _stored(storage) == []


@pytest.mark.parametrize(
    "data, code",
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        (photo(60, 45)[:900], "invalid_image"),
        (b"", "invalid_image"),
    ],
)
def test_what_is_no_image_is_not_stored(storage: Any, data: bytes, code: str) -> None:
    with pytest.raises(ValidationError) as raised:
        storage.save("photo.jpg", ContentFile(data))
    assert raised.value.code == code and raised.value.messages[0][0].isupper()
    assert _stored(storage) == []


def test_the_environment_says_where_the_options_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLINK_STORAGE_DIR", str(tmp_path / "theirs"))
    monkeypatch.setenv("LABLINK_STORAGE_PREFIX", "theirs")
    monkeypatch.delenv("AWS_S3_BUCKET", raising=False)
    assert LablinkStorage(prefix="boards").store.directory == str(tmp_path / "theirs")
    here = LablinkStorage(directory=tmp_path / "ours", bucket=None)
    assert (here.store.directory, here.store.prefix) == (str(tmp_path / "ours"), "components")
    environment = here.environment()
    assert environment["LABLINK_STORAGE_DIR"] == str(tmp_path / "ours")
    assert "LABLINK_STORAGE_PREFIX" not in environment
    assert LablinkStorage(prefix="boards").environment()["LABLINK_STORAGE_PREFIX"] == "boards"


def test_migrations_write_it_down(tmp_path: Path) -> None:
    written, _ = MigrationWriter.serialize(LablinkStorage(directory=str(tmp_path), prefix="boards"))
    assert written == f"lablink_storage.django.LablinkStorage(directory={str(tmp_path)!r}, prefix='boards')"


# --- forms and models


def _form(name: str, data: bytes) -> ComponentForm:
    return ComponentForm({"name": name}, _files(data))


def _files(data: bytes) -> Any:
    return MultiValueDict({"photo": [SimpleUploadedFile("a.jpg", data)]})


def _end_request(form: ComponentForm) -> None:
    """As Django ends it."""
    for upload in form.files.values():
        upload.close()  # type: ignore[union-attr]


@pytest.mark.usefixtures("database")
def test_a_form(storage: Any) -> None:
    form = _form("board", photo(1600, 1200, orientation=6))
    assert form.is_valid(), form.errors
    component = form.save()
    assert _stored(storage) == [component.photo.name]
    found = Component._default_manager.get()
    assert (found.photo.name, found.width, found.height) == (component.photo.name, 900, 1200)
    assert (found.photo.width, found.photo.height) == (900, 1200)
    assert found.photo.variants["thumb"] == storage.store.variant_url(found.photo.name, "thumb")
    _end_request(form)
    assert storage.exists(found.photo.name)


@pytest.mark.usefixtures("database")
def test_a_form_says_what_is_wrong_with_a_file(storage: Any) -> None:
    form = _form("board", photo(60, 45)[:900])
    assert not form.is_valid() and list(form.errors) == ["photo"]
    assert _stored(storage) == []


@pytest.mark.usefixtures("database")
def test_a_form_says_what_an_inspector_rejects(tmp_path: Path) -> None:
    def inspect(image: Inspection) -> None:
        raise RejectedError("no faces, please")

    backend = {
        "BACKEND": "lablink_storage.django.LablinkStorage",
        "OPTIONS": {"directory": tmp_path, "inspector": inspect},
    }
    with override_settings(STORAGES={"default": backend}):
        form = _form("board", photo(60, 45))
        assert not form.is_valid() and list(form.errors) == ["photo"]
        (error,) = form.errors.as_data()["photo"]
        assert error.code == "rejected" and "no faces, please" in str(error.message)
        with pytest.raises(ValidationError, match="no faces, please"):
            default_storage.save("a.jpg", ContentFile(photo(60, 45)))
        assert _stored(default_storage) == []


@pytest.mark.usefixtures("database")
def test_an_image_whose_form_is_refused_goes_with_the_request(storage: Any) -> None:
    form = _form("", photo(60, 45))
    assert not form.is_valid() and list(form.errors) == ["name"]
    _end_request(form)
    assert _stored(storage) == []


@pytest.mark.usefixtures("database")
def test_a_form_without_a_photo(storage: Any) -> None:
    form = ComponentForm({"name": "board"})
    component = form.save()
    assert not component.photo and component.width is None
    assert 'accept="image/*"' in form.as_p()


@pytest.mark.usefixtures("database")
def test_a_model_without_a_form(storage: Any) -> None:
    component: Any = Component(name="board", photo=SimpleUploadedFile("a.jpg", photo(60, 45)))
    assert component.photo.width is None
    component.save()
    assert (component.width, component.height) == (60, 45)
    component.photo.save("b.jpg", ContentFile(photo(80, 30)))
    assert component.photo.width == 80
    component.refresh_from_db()
    assert (component.width, component.height) == (80, 30)
    with pytest.raises(ValidationError):
        Component(name="words", photo=SimpleUploadedFile("a.jpg", b"words")).save()
    assert Component._default_manager.count() == 1


@pytest.mark.usefixtures("database")
def test_deleting_takes_the_images_along(storage: Any) -> None:
    component = _form("board", photo(60, 45)).save()
    Part(component=component, photo=SimpleUploadedFile("a.jpg", photo(40, 30))).save()
    kept = _form("kept", photo(50, 40)).save()
    assert len(_stored(storage)) == 3
    with pytest.raises(RuntimeError), transaction.atomic():
        delete_with_images(component)
        raise RuntimeError("and it is rolled back")
    assert len(_stored(storage)) == 3
    component = Component._default_manager.get(name="board")
    assert delete_with_images(component)[0] == 2
    assert _stored(storage) == [kept.photo.name]
    Component(name="a copy", photo=kept.photo.name).save()
    delete_with_images(kept)
    assert _stored(storage) == [kept.photo.name]  # the copy still has it
    delete_with_images(Component._default_manager.all())
    assert _stored(storage) == []


@pytest.mark.usefixtures("database")
def test_an_image_that_a_row_of_another_model_has_is_kept(
    storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo becomes the cover of an album, and then its component goes."""
    component = _form("board", photo(60, 45)).save()
    name = component.photo.name
    album = Yearbook(cover=name)
    album.save()
    delete_with_images(component)
    assert _stored(storage) == [name]
    delete_with_images(album)
    assert _stored(storage) == []

    component = _form("board", photo(60, 45)).save()
    Album(scan=component.photo.name).save()  # the same name in another storage
    with CaptureQueriesContext(connection) as asked:
        delete_with_images(component)
    assert _stored(storage) == []
    # Not again for the yearbook, which inherits the column, nor for the proxy.
    covers = [query for query in asked.captured_queries if '"django_lab_album"."cover" =' in query["sql"]]
    assert len(covers) == 1, covers

    same = LablinkStorage(**storage._options)
    monkeypatch.setattr(Album._meta.get_field("scan"), "storage", same)
    component = _form("board", photo(60, 45)).save()
    Album(scan=component.photo.name).save()
    delete_with_images(component)
    assert _stored(storage) == [component.photo.name]


@pytest.mark.usefixtures("database")
def test_an_image_that_was_replaced(storage: Any) -> None:
    component = _form("board", photo(60, 45)).save()
    form = ComponentForm({"name": "board"}, _files(photo(80, 30)), instance=component)
    before = form.initial["photo"]
    component = form.save()
    delete_images(before, component.photo)
    assert _stored(storage) == [component.photo.name]


# --- templates


def _rendered(component: Component, arguments: str) -> str:
    source = "{% load lablink_storage %}{% lablink_picture component.photo " + arguments + " %}"
    return Template(source).render(Context({"component": component, "words": "the <board>"}))


@pytest.mark.usefixtures("database")
def test_the_tag(storage: Any) -> None:
    component = _form("board", photo(1600, 1200)).save()
    url, thumb = component.photo.url, component.photo.variants["thumb"]
    # The square is not the whole picture, and nobody has made the poster.
    assert _rendered(component, 'alt=words sizes="50vw" class="card"') == (
        f'<picture><img src="{url}" width="1200" height="900" alt="the &lt;board&gt;" '
        f'srcset="{thumb} 320w, {url} 1200w" sizes="50vw" loading="lazy" decoding="async" class="card">'
        "</picture>"
    )
    square = component.photo.variants["square"]
    assert _rendered(component, 'variant="square" loading="eager"') == (
        f'<picture><img src="{square}" width="100" height="100" alt="" loading="eager" decoding="async">'
        "</picture>"
    )
    assert _rendered(Component(name="none"), "") == ""
    moved = Component(photo="components/old/board.jpg", width=400, height=300)
    assert f'src="{moved.photo.url}" width="400"' in _rendered(moved, "")
    assert moved.photo.variants["thumb"] == moved.photo.url


@pytest.mark.usefixtures("database")
def test_newer_formats_are_offered_first(tmp_path: Path) -> None:
    small = {"max_width": 64, "max_height": 64}
    variants = {name: {**small, "format": name} for name in ("webp", "png", "avif")}
    options = {"directory": tmp_path, "variants": {"small": small, **variants}}
    backend = {"BACKEND": "lablink_storage.django.LablinkStorage", "OPTIONS": options}
    with override_settings(STORAGES={"default": backend}):
        component = _form("board", photo(128, 96)).save()
        image, rendered = component.photo, _rendered(component, "")
        made, own = image.variants, image.srcset
        assert own == f"{made['small']} 64w, {image.url} 128w"
    # As image.picture() has it: PNG is no better than JPEG.
    types = re.findall(r'<source type="([^"]+)" srcset="([^ "]+) 64w"', rendered)
    assert types == [("image/avif", made["avif"]), ("image/webp", made["webp"])]
    assert f'srcset="{own}"' in rendered and ".png" not in rendered


# --- checks and commands


def _checked(options: dict[str, Any], **keywords: Any) -> list[tuple[str | None, str, str | None]]:
    backend = {"BACKEND": "lablink_storage.django.LablinkStorage", "OPTIONS": options}
    with override_settings(STORAGES={"default": backend}):
        found = run_checks(tags=["files"], **keywords)
    return [(message.id, message.msg, message.hint) for message in found]


def test_the_checks(tmp_path: Path) -> None:
    assert _checked({"directory": tmp_path}) == []
    [(id, message, hint)] = _checked({"directory": tmp_path, "secret": "short"})
    assert id == "lablink_storage.E001" and "STORAGES['default']" in message and hint
    [(id, message, _)] = _checked({"directory": tmp_path, "buckt": "lab"})
    assert id == "lablink_storage.E001" and "buckt" in message
    other = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    with override_settings(STORAGES={"default": other}):
        assert "lablink_storage.E003" in [message.id for message in Component.check()]
        with pytest.raises(ImproperlyConfigured):
            urls()


def test_checks_for_deployment_say_what_doctor_says(server: Server, bucket: str) -> None:
    options = {
        "endpoint_url": server.endpoint,
        "access_key_id": server.access_key,
        "secret_access_key": server.secret_key,
    }
    missing = _checked({"bucket": f"{bucket}-missing", **options}, include_deployment_checks=True)
    assert any(id == "lablink_storage.E002" and hint for id, _, hint in missing), missing
    assert server.secret_key not in str(missing)
    assert _checked({"bucket": f"{bucket}-missing", **options}) == []


def test_the_command(
    storage: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("LABLINK_STORAGE_PREFIX=elsewhere\nAWS_S3_BUCKET=NOT a bucket\n")
    key = storage.save("a.jpg", ContentFile(photo(60, 45)))

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as exited:
            call_command("storage", *arguments)
        assert exited.value.code == 0
        return capfd.readouterr().out

    assert json.loads(run("status", "--json"))["accessible"] is True
    used = tmp_path / "used"
    used.write_text("")
    swept = run("sweep", "--json", "--older-than", "0s", "--used", str(used))
    assert key in swept
    assert "--older-than" in run("sweep", "--help")


def test_a_defect_in_a_guarded_route_is_no_failed_login(monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(_store: ImageStore) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(_views, "status", defect)
    guarded = ModuleType("guarded")
    vars(guarded)["urlpatterns"] = urls(guard=catches_everything)
    with override_settings(ROOT_URLCONF=guarded, ALLOWED_HOSTS=["testserver"]):
        assert Client(raise_request_exception=False).get("/api/s3/status").status_code == 500


def test_the_routes_are_on_the_storage_of_the_test(storage: Any, tmp_path: Path) -> None:
    """As a page uses them; on S3 it sends the form to the bucket."""
    on_s3 = storage.store.backend == "s3"
    data = photo(60, 45)
    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"]):
        key = storage.save("a.jpg", ContentFile(data))
        client = Client()
        assert client.get("/api/s3/status").json()["enabled"] is on_s3
        if not on_s3:
            served: Any = client.get(f"/uploads/{key}")
            assert served.status_code == 200 and served["ETag"]
            assert b"".join(served.streaming_content) == (tmp_path / "uploads" / key).read_bytes()
        form = client.post("/api/s3/upload-url", {"filename": "a.jpg"}, "application/json").json()
        sent: Any
        if on_s3:
            sent = requests.post(form["url"], form["fields"], files={"file": data}, timeout=30)
        else:
            sent = client.post(form["url"], {**form["fields"], "file": SimpleUploadedFile("a.jpg", data)})
        assert sent.status_code in (200, 201, 204), sent.content
        promoted = client.post("/api/s3/promote", {"key": form["key"]}, "application/json").json()
        assert (promoted["width"], promoted["url"]) == (60, form["file_url"])
        assert sorted(_stored(storage)) == sorted([key, promoted["key"]])
        assert opened(storage.store.get(promoted["url"])).size == (60, 45)
        signed = storage.store.presigned_get(key, download_as="a.jpg").url
        answer: Any = requests.get(signed, timeout=30) if on_s3 else client.get(signed)
        assert answer.headers["Content-Disposition"].startswith("attachment")


def test_an_image_that_is_replaced_while_it_is_sent(tmp_path: Path) -> None:
    """The rest is not that of the new one, and the connection breaks off."""
    backend = {"BACKEND": "lablink_storage.django.LablinkStorage", "OPTIONS": {"directory": tmp_path}}
    file = tmp_path / "components" / "large.jpg"
    file.parent.mkdir()
    file.write_bytes(b"old" * (1 << 20))
    with override_settings(
        STORAGES={"default": backend}, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"]
    ):
        served: Any = Client().get("/uploads/components/large.jpg")
        pieces = iter(served.streaming_content)
        assert len(next(pieces)) == 1 << 20
        file.write_bytes(b"newer" * (1 << 20))
        with pytest.raises(UnavailableError, match="replaced"):
            next(pieces)
