"""Where the local backend's routes are, as browsers see it and as the application does."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit


def path_of(base_url: str | None) -> str | None:
    """The path of the base URL, without a slash at its end."""
    return None if base_url is None else urlsplit(base_url).path.rstrip("/")


def mount_points(path: str) -> list[str]:
    """The base URL's path, and what may be left of it where a proxy's prefix is in it."""
    segments = path.split("/")[1:]
    return ["/".join(["", *segments[at:]]) for at in range(max(1, len(segments)))]


def key_under(path: str, root: str, inner: str) -> str | None:
    """What follows the base URL in the path of a request, if it is under it: with the prefix that the
    application is mounted at or without."""
    for asked in (f"{root}{inner}", inner):
        if asked == path or asked == f"{path}/":
            return ""
        if asked.startswith(f"{path}/"):
            return asked[len(path) + 1 :]
    return None


def absolute(url: str, root: str, host_url: str) -> str:
    """The address of a form, as a browser has to ask for it."""
    if url.startswith("/") and not url.startswith(f"{root}/"):
        url = f"{root}{url}"
    return urljoin(host_url, url)
