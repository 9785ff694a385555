"""The addresses: the page, its interface, and the routes of the image store."""

from __future__ import annotations

from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.static import serve

from lablink_storage.django import urls

from . import settings, views

urlpatterns = [
    path("", views.index),
    path("catalogue", views.catalogue),
    path("static/<path:path>", serve, {"document_root": settings.PAGE / "static"}),
    path("api/auth/login", csrf_exempt(views.login)),
    path("api/components", csrf_exempt(views.components)),
    path("api/components/<int:pk>", csrf_exempt(views.component)),
    *urls(guard=views.login_required),
]
