"""The routes in a Django project of one file; GUARD and VARIANT_GUARD say which guards,
APPLICATION_ROOT where it is."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

View = Callable[..., Any]

settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    FORCE_SCRIPT_NAME=os.environ.get("APPLICATION_ROOT"),
    INSTALLED_APPS=["lablink_storage.django"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    STORAGES={"default": {"BACKEND": "lablink_storage.django.LablinkStorage"}},
    USE_X_FORWARDED_HOST="BEHIND_PROXY" in os.environ,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https") if "BEHIND_PROXY" in os.environ else None,
)
app = get_wsgi_application()

from lablink_storage.django import Guard, urls  # noqa: E402 - the settings have to be there


def token_required(view: View) -> View:
    @csrf_exempt
    @functools.wraps(view)
    def guarded(request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.headers.get("Authorization") != "Bearer right":
            return HttpResponse(status=401)
        return view(request, *args, **kwargs)

    return guarded


def catches_everything(view: View) -> View:
    """As many guards do: whatever the view raises counts as a failed login."""

    @csrf_exempt
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        except Exception as error:
            return JsonResponse({"error": "Authentication required", "message": str(error)}, status=401)

    return guarded


GUARDS: dict[str, Guard] = {
    "none": None,
    "open": False,
    "token": token_required,
    "catches": catches_everything,
}

variant_guard = GUARDS[os.environ.get("VARIANT_GUARD", "open")]
urlpatterns = urls(guard=GUARDS[os.environ["GUARD"]], variant_guard=variant_guard)
