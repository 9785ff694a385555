"""The page, the catalogue, and what the page asks for."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth import authenticate, get_user_model
from django.core import signing
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from jinja2 import Environment

from lablink_storage import StorageError
from lablink_storage.django import delete_with_images, error_response

from .models import Component

View = Callable[..., HttpResponse]
TOKEN_SECONDS = 8 * 3600

STATUS = {"invalid_image": 400, "unsupported_format": 415, "limit_exceeded": 413}
"""Of the errors that an image can have."""


def page_environment(**options: Any) -> Environment:
    """The template of the Flask example asks Flask for the addresses of its files."""
    environment = Environment(**options)
    environment.globals["url_for"] = lambda _endpoint, filename: f"static/{filename}"
    return environment


def index(request: HttpRequest) -> HttpResponse:
    store = default_storage.store  # type: ignore[attr-defined]
    context = {
        "backend": store.backend,
        "bucket": store.bucket,
        "max_bytes": store.max_bytes,
        "patience": 60_000,
    }
    return render(request, "index.html", context, using="jinja2")


def catalogue(request: HttpRequest) -> HttpResponse:
    """For printing: rendered here, and with no script."""
    components = Component._default_manager.order_by("name")
    return render(request, "catalogue.html", {"components": components})


def refusal(status: int, kind: str, message: str) -> JsonResponse:
    return JsonResponse({"error": kind, "message": message, "hint": None}, status=status)


def login(request: HttpRequest) -> HttpResponse:
    """``{"email", "password"}`` -> ``{"access_token", "user"}``."""
    body = _json(request)
    user = authenticate(request, username=body.get("email"), password=body.get("password"))
    if user is None:
        return refusal(401, "unauthorized", "The e-mail address or the password is wrong.")
    token = signing.dumps({"user": user.pk, "hash": user.get_session_auth_hash()}, salt="token")
    return JsonResponse({"access_token": token, "user": {"email": body["email"], "role": "faculty"}})


def login_required(view: View) -> View:
    """Lets requests with a user's token through. No cookie says who asks: nobody can forge a request."""

    @csrf_exempt
    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = signing.loads(token, salt="token", max_age=TOKEN_SECONDS)
        except signing.BadSignature:
            claims = {}
        users = get_user_model()._default_manager.filter(pk=claims.get("user"), is_active=True)
        user: Any = users.first() if scheme.lower() == "bearer" else None
        if user is None or user.get_session_auth_hash() != claims["hash"]:
            return refusal(401, "unauthorized", "Please log in: this is for faculty.")
        return view(request, *args, **kwargs)

    return guarded


class ComponentForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Component
        fields = ["name", "category", "quantity", "location", "image"]


def components(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return login_required(_add)(request)
    found = Component._default_manager.order_by("-pk")[:500]
    return JsonResponse({"components": [component.as_json() for component in found]})


def _add(request: HttpRequest) -> HttpResponse:
    """Multipart with the photo as ``image``, or JSON with ``upload_key``, the key of a direct upload."""
    body: Any = request.POST if request.content_type == "multipart/form-data" else _json(request)
    form = ComponentForm(body, request.FILES)
    if not form.is_valid():
        [error, *_] = next(iter(form.errors.as_data().values()))
        kind = error.code if error.code in STATUS else "invalid_argument"
        return refusal(STATUS.get(kind, 400), kind, error.messages[0])
    component = form.save(commit=False)
    upload_key = body.get("upload_key")
    try:
        if upload_key:
            component.image = default_storage.promote(upload_key)  # type: ignore[attr-defined]
        if component.image:
            component.placeholder = component.image.stored.placeholder
        component.save()
    except StorageError as error:
        return error_response(request, error)
    return JsonResponse(component.as_json(), status=201)


def component(request: HttpRequest, pk: int) -> HttpResponse:
    if request.method != "DELETE":
        return refusal(405, "method_not_allowed", "This address does not take that kind of request.")
    return login_required(_remove)(request, pk)


def _remove(request: HttpRequest, pk: int) -> HttpResponse:
    found = Component._default_manager.filter(pk=pk).first()
    if found is None:
        return refusal(404, "not_found", "This component does not exist.")
    delete_with_images(found)
    return JsonResponse({"message": f"{found.name} was deleted."})


def _json(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        body = None
    return body if isinstance(body, dict) else {}
