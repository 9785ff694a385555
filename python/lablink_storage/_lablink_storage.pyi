"""The compiled part of ``lablink_storage``."""

import builtins
import os
from asyncio import Future
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, final

from ._types import (
    GetOverrides,
    Inspection,
    ObjectInfo,
    ObjectVersion,
    OptimizedImage,
    PresignedPost,
    PresignedRequest,
    ReceivedPost,
    RegenerateReport,
    SignedCookies,
    Status,
    StoredImage,
    StoredVariant,
    SweepReport,
)
from ._typing import Duration, Gravity, ImageInput, LimitOptions, OptimizeOptions, VariantOptions

__all__ = [
    "IMAGE_TYPES",
    "ImageStore",
    "ObjectIterator",
    "__version__",
    "optimize",
    "picture",
    "placeholder_url",
    "run_cli",
    "settings",
    "srcset",
    "start",
]

_Fit: TypeAlias = Literal["inside", "contain", "cover"]
_Format: TypeAlias = Literal["jpeg", "webp", "png", "avif", "auto"]
_Animation: TypeAlias = Literal["first_frame", "reject", "keep"]

__version__: str
IMAGE_TYPES: tuple[str, ...]

def optimize(
    data: ImageInput,
    *,
    max_width: int = 1200,
    max_height: int = 1200,
    quality: int = 85,
    format: _Format = "jpeg",
    background: str | tuple[int, int, int] = "#ffffff",
    limits: LimitOptions | None = None,
    fit: _Fit = "inside",
    gravity: Gravity = "center",
    progressive: bool = False,
    lossless: bool = False,
    palette: bool = True,
    speed: int = 8,
    animation: _Animation = "first_frame",
    keep_copyright: bool = False,
    accept_truncated: bool = False,
    max_damage: float = 0.05,
) -> OptimizedImage: ...
def srcset(image: str) -> str: ...
def picture(image: str, sizes: str, alt: str) -> str: ...
def placeholder_url(placeholder: str) -> str | None: ...
def settings() -> list[dict[str, Any]]: ...
def start(method: Callable[..., Any], *args: Any, **keywords: Any) -> Future[Any]: ...
def run_cli(args: Sequence[str], env: Mapping[str, str] | None = None) -> int: ...

@final
class ObjectIterator(Iterator[ObjectInfo]):
    def __iter__(self) -> ObjectIterator: ...
    def __next__(self) -> ObjectInfo: ...

@final
class ImageStore:
    @classmethod
    def from_env(
        cls,
        env: Mapping[str, str] | None = None,
        *,
        optimize: OptimizeOptions | str | None = None,
        variants: Mapping[str, OptimizeOptions | VariantOptions] | str | None = None,
        limits: LimitOptions | str | None = None,
        prefix: str | None = None,
        keep_original: bool | None = None,
        cache_control: str | None = None,
        create_only: bool | None = None,
        retry: Literal["web_request", "batch"] | None = None,
        deadline: Duration | None = None,
        max_decodes: int | None = None,
        decode_wait: Duration | None = None,
        max_upload_bytes: int | None = None,
        former_urls: str | Sequence[str] | None = None,
        fetch_hosts: str | Sequence[str] | None = None,
        inspector: Callable[[Inspection], None] | str | None = None,
    ) -> ImageStore: ...
    @classmethod
    def s3(
        cls,
        bucket: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        prefix: str = "components",
        cloudfront_domain: str | None = None,
        optimize: OptimizeOptions | str | None = None,
        variants: Mapping[str, OptimizeOptions | VariantOptions] | str | None = None,
        limits: LimitOptions | str | None = None,
        addressing: Literal["auto", "virtual", "path"] = "auto",
        accelerate: bool = False,
        dual_stack: bool = False,
        cloudfront_key_pair_id: str | None = None,
        cloudfront_private_key: str | None = None,
        cloudfront_private_key_path: str | os.PathLike[str] | None = None,
        cloudfront_distribution_id: str | None = None,
        sse_kms_key_id: str | None = None,
        storage_class: str | None = None,
        public_endpoint: str | None = None,
        direct_upload: Literal["post", "put"] = "post",
        ca_bundle: str | os.PathLike[str] | None = None,
        keep_original: bool = False,
        cache_control: str | None = None,
        create_only: bool = True,
        retry: Literal["web_request", "batch"] = "web_request",
        deadline: Duration | None = None,
        max_decodes: int | None = None,
        decode_wait: Duration | None = None,
        max_upload_bytes: int | None = None,
        former_urls: str | Sequence[str] | None = None,
        fetch_hosts: str | Sequence[str] | None = None,
        inspector: Callable[[Inspection], None] | str | None = None,
    ) -> ImageStore: ...
    @classmethod
    def local(
        cls,
        directory: str | os.PathLike[str],
        *,
        base_url: str = "/uploads",
        secret: str | None = None,
        prefix: str = "components",
        optimize: OptimizeOptions | str | None = None,
        variants: Mapping[str, OptimizeOptions | VariantOptions] | str | None = None,
        limits: LimitOptions | str | None = None,
        fsync: bool = False,
        keep_original: bool = False,
        cache_control: str | None = None,
        create_only: bool = True,
        retry: Literal["web_request", "batch"] = "web_request",
        deadline: Duration | None = None,
        max_decodes: int | None = None,
        decode_wait: Duration | None = None,
        max_upload_bytes: int | None = None,
        former_urls: str | Sequence[str] | None = None,
        fetch_hosts: str | Sequence[str] | None = None,
        inspector: Callable[[Inspection], None] | str | None = None,
    ) -> ImageStore: ...
    @classmethod
    def memory(
        cls,
        *,
        base_url: str | None = None,
        secret: str | None = None,
        prefix: str = "components",
        optimize: OptimizeOptions | str | None = None,
        variants: Mapping[str, OptimizeOptions | VariantOptions] | str | None = None,
        limits: LimitOptions | str | None = None,
        keep_original: bool = False,
        cache_control: str | None = None,
        create_only: bool = True,
        retry: Literal["web_request", "batch"] = "web_request",
        deadline: Duration | None = None,
        max_decodes: int | None = None,
        decode_wait: Duration | None = None,
        max_upload_bytes: int | None = None,
        former_urls: str | Sequence[str] | None = None,
        fetch_hosts: str | Sequence[str] | None = None,
        inspector: Callable[[Inspection], None] | str | None = None,
    ) -> ImageStore: ...
    def upload(
        self,
        file: ImageInput,
        filename: str | None = None,
        *,
        optimize: OptimizeOptions | None = None,
        context: Any = None,
    ) -> StoredImage: ...
    def upload_from_url(
        self,
        url: str,
        filename: str | None = None,
        *,
        optimize: OptimizeOptions | None = None,
        context: Any = None,
    ) -> StoredImage: ...
    def get(self, key: str) -> bytes: ...
    def get_range(self, key: str, start: int, end: int) -> bytes: ...
    def head(self, key: str) -> ObjectInfo: ...
    def versions(self, key: str) -> builtins.list[ObjectVersion]: ...
    def restore(self, key: str, version: str | None = None) -> ObjectInfo: ...
    def erase(self, key: str) -> None: ...
    def exists(self, key: str) -> bool: ...
    def list(self, prefix: str | None = None) -> ObjectIterator: ...
    def delete(self, key: str) -> None: ...
    def public_url(self, key: str) -> str: ...
    def variant_url(self, key: str, name: str) -> str: ...
    def ensure_variant(self, key: str, name: str) -> StoredVariant: ...
    def _serve_variant(self, key: str, name: str) -> str: ...
    def key_from_url(self, url: str) -> str: ...
    def public_key(self, path: str) -> str: ...
    def presigned_get(
        self,
        key: str,
        expires_in: Duration = 3600,
        download_as: str | None = None,
        response_content_type: str | None = None,
    ) -> PresignedRequest: ...
    def original(self, key: str) -> bytes: ...
    def presigned_original(
        self,
        key: str,
        expires_in: Duration = 3600,
        download_as: str | None = None,
    ) -> PresignedRequest: ...
    def presigned_put(
        self,
        filename: str,
        content_type: str | None = None,
        expires_in: Duration = 3600,
        pending: bool = True,
        content_length: int | None = None,
    ) -> PresignedRequest: ...
    def presigned_post(
        self,
        filename: str,
        content_type: str | None = None,
        max_bytes: int | None = None,
        expires_in: Duration = 3600,
        pending: bool = True,
    ) -> PresignedPost: ...
    def signed_url(
        self,
        key: str,
        expires_in: Duration = 3600,
        starts_in: Duration | None = None,
        ip_range: str | None = None,
    ) -> PresignedRequest: ...
    def signed_cookies(
        self,
        path: str | None = None,
        expires_in: Duration = 3600,
        starts_in: Duration | None = None,
        ip_range: str | None = None,
    ) -> SignedCookies: ...
    def receive_post(
        self, fields: Mapping[str, str] | Iterable[tuple[str, str]], file: ImageInput
    ) -> ReceivedPost: ...
    def verify_post(self, fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> int: ...
    def verify_get(self, key: str, query: str) -> GetOverrides | None: ...
    def promote(self, key: str, *, context: Any = None) -> StoredImage: ...
    def sweep(self, older_than: Duration = 86400, dry_run: bool = True) -> SweepReport: ...
    def handle_event(self, event: str | Mapping[str, Any]) -> dict[str, Any]: ...
    def regenerate(
        self,
        *,
        variants: Iterable[str] | None = None,
        all: bool = False,
        main: bool = False,
        prune: bool = False,
        keys: Iterable[str] | None = None,
        prefix: str | None = None,
        shard: str | tuple[int, int] | None = None,
        dry_run: bool = False,
        force: bool = False,
    ) -> RegenerateReport: ...
    def _check(self) -> None: ...
    def _take_back(self, key: str) -> None: ...
    def _pages(self, prefix: str | None = None) -> Any: ...
    def _variant_sizes(self, width: int, height: int) -> dict[str, tuple[int, int, bool]]: ...
    def _open(self, key: str, start: int | None = None, end: int | None = None) -> Any: ...
    def status(self) -> Status: ...
    @property
    def backend(self) -> Literal["s3", "local", "memory"]: ...
    @property
    def bucket(self) -> str | None: ...
    @property
    def region(self) -> str | None: ...
    @property
    def directory(self) -> str | None: ...
    @property
    def base_url(self) -> str | None: ...
    @property
    def prefix(self) -> str: ...
    @property
    def variants(self) -> builtins.list[str]: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def max_upload_bytes(self) -> int: ...
    @property
    def direct_upload(self) -> Literal["post", "put"]: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    @classmethod
    def _restore(cls, constructor: str, first: Any, keywords: dict[str, Any] | None) -> ImageStore: ...
