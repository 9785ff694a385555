"""URLs for keys and keys for URLs, by the vectors that the Rust tests read too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lablink_storage import ForeignUrlError, ImageStore, InvalidKeyError

from support import ROOT

VECTORS = json.loads((ROOT / "tests" / "vectors" / "urls.json").read_text("utf-8"))
STORES = {
    name: ImageStore.from_env(VECTORS["credentials"] | environment)
    for name, environment in VECTORS["stores"].items()
}


@pytest.mark.parametrize("case", VECTORS["public_url"], ids=lambda case: case["url"])
def test_public_urls_and_back(case: dict[str, Any]) -> None:
    store = STORES[case["store"]]
    assert store.public_url(case["key"]) == case["url"]
    assert store.key_from_url(case["url"]) == case["key"]
    assert store.key_from_url(case["url"] + "?v=1#top") == case["key"]


@pytest.mark.parametrize("case", VECTORS["other_forms"], ids=lambda case: case["url"])
def test_other_forms_of_the_same_url(case: dict[str, Any]) -> None:
    assert STORES[case["store"]].key_from_url(case["url"]) == case["key"]


@pytest.mark.parametrize("case", VECTORS["foreign"], ids=lambda case: case["url"])
def test_foreign_urls(case: dict[str, Any]) -> None:
    with pytest.raises(ForeignUrlError):
        STORES[case["store"]].key_from_url(case["url"])


@pytest.mark.parametrize("key", VECTORS["invalid_keys"])
def test_invalid_keys(key: str) -> None:
    with pytest.raises(InvalidKeyError):
        STORES["aws"].public_url(key)


def test_an_upload_s_url_fits_the_column() -> None:
    longest = "b" * 63
    store = ImageStore.s3(longest, region="ap-southeast-2", access_key_id="A", secret_access_key="S")
    key = "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.webp"
    assert len(store.public_url(key)) <= 255
