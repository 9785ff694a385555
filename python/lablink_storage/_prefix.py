"""Finds the local backend's routes when the application is not at the root of its host."""

from __future__ import annotations

from flask import Flask, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from ._places import absolute, path_of


class Prefix:
    """The path of the base URL, seen from outside and from the application.

    gunicorn's ``SCRIPT_NAME``, ``ProxyFix(x_prefix=1)`` and ``APPLICATION_ROOT`` put an application under a
    prefix. The base URL is either public and has the prefix in it, or is the application's own path without.
    """

    def __init__(self, base_url: str | None, app: Flask) -> None:
        self._path = path_of(base_url) or ""
        self.mount_point = self._path
        root = str(app.config.get("APPLICATION_ROOT") or "/").rstrip("/")
        if root and _is_under(self._path, root):
            self.mount_point = self._path[len(root) :]

    def route(self) -> None:
        """Finds the route of a request whose public path is the base URL's, prefix included: what the
        prefix is only the request tells."""
        public = f"{request.script_root}{request.path}"
        if not request.script_root or not _is_under(self._path, request.script_root):
            return
        if public.rstrip("/") != self._path and not _is_under(public, self._path):
            return
        adapter = current_app.url_map.bind(request.host)
        inner = f"{self.mount_point}{public[len(self._path) :]}"
        try:
            rule, values = adapter.match(inner, request.method, return_rule=True)
        except (HTTPException, RequestRedirect):
            return
        if rule.endpoint.startswith("lablink_storage."):
            request.url_rule, request.view_args = rule, dict(values)
            request.routing_exception = None

    def absolute(self, url: str) -> str:
        """The address of a form, as a browser has to ask for it."""
        return absolute(url, request.script_root, request.host_url)


def _is_under(path: str, root: str) -> bool:
    return path.startswith(f"{root}/")
