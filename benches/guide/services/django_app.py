"""An upload through Django: its storage, without a model."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a measurement",
    INSTALLED_APPS=["lablink_storage.django"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    STORAGES={"default": {"BACKEND": "lablink_storage.django.LablinkStorage"}},
)
app = get_wsgi_application()

from django.core.files.storage import default_storage  # noqa: E402 - the settings have to be there


def upload(request):
    file = request.FILES["image"]
    return JsonResponse({"url": default_storage.save(file.name, file).image.url}, status=201)


urlpatterns = [path("api/upload", upload)]
