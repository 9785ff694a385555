"""``GET /variant/<name>/<key>``: a variant that is made when somebody asks for it."""

from __future__ import annotations

import pytest
from routes.conftest import Serve
from routes.service import Client

from support import opened, photo


def test_a_variant_is_made_and_led_to(client: Client) -> None:
    image = client.upload(photo(200, 150))
    assert set(image["variants"]) == {"thumb"}
    for _ in range(2):
        answer = client.get(f"/api/s3/variant/poster/{image['key']}")
        assert answer.status == 302 and answer.headers["Cache-Control"] == "private, max-age=60"
        made = client.get(answer.headers["Location"])
        assert made.status == 200 and opened(made.body).size == (50, 38)


@pytest.mark.parametrize(
    "path",
    [
        "huge/{key}",
        "poster/components/94c63eac-45e9-4991-8148-fc1737ee7b30.jpg",
        "poster/pending/{key}",
        "poster/originals/{key}",
        "poster/../{key}",
        "poster/elsewhere/a.jpg",
        "poster/components/%ff.jpg",
    ],
)
def test_what_is_no_variant_of_a_public_image(client: Client, path: str) -> None:
    key = client.upload(photo(60, 45))["key"]
    assert client.get(f"/api/s3/variant/{path.format(key=key)}").status == 404


def test_a_guard_of_its_own(serve: Serve) -> None:
    client = serve(VARIANT_GUARD="token")
    # The other routes have no guard here, and images never have.
    image = client.upload(photo(200, 150))
    route = f"/api/s3/variant/poster/{image['key']}"
    made = (client.directory / image["key"]).with_suffix("") / "poster.jpg"
    assert client.get(route).status in (401, 403)
    assert client.get(route, Authorization="Bearer wrong").status in (401, 403)
    assert not made.exists(), "it was made for somebody who may not have it"
    answer = client.get(route, Authorization="Bearer right")
    assert answer.status == 302 and made.exists()
    assert opened(client.get(answer.headers["Location"]).body).size == (50, 38)
    # Nor does the route lead to one that is there.
    assert client.get(route).status in (401, 403)
    assert client.head(route).status in (401, 403)
