"""ECR's repositories and images: moto's, made to agree with a real registry and with ECR's rules on tags.

This model decides what exists; the registry behind it only keeps bytes. ``registry`` is the way docker clients come in.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import logging
import threading
from typing import Any, ClassVar, cast

import moto.ecr.models
import moto.ecr.urls
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ecr.models import ECRBackend, Image, Repository
from moto.ecr.responses import ECRResponse

from platformctl.sandbox.aws.passes import USERNAME, Passes
from platformctl.sandbox.aws.upstream import Unreachable, Upstream

log = logging.getLogger(__name__)

_DEFAULT_MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


class EcrError(ServiceException):
    """An error of ECR. Defined here because moto reads the service from the module of an exception's class."""


class TagImmutable(EcrError):
    """The tag names another image already and may not move. ECR's own words, also in the registry protocol."""

    code = "ImageTagAlreadyExistsException"

    def __init__(self, tag: str, repository: str) -> None:
        super().__init__(
            f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because "
            "the tag is immutable."
        )


class Refused(Exception):
    """The registry did not take the manifest; it names layers that were not pushed, or is none."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body.decode("utf-8", "replace"))
        self.status = status
        self.body = body


class PushedImage(Image):
    """An image with its true digest and size."""

    def get_image_size_in_bytes(self) -> int:
        """Config and layers, as they were compressed; for an index, of the manifests it names."""
        manifest = json.loads(self.image_manifest)
        parts = [manifest.get("config") or {}, *manifest.get("layers", []), *manifest.get("manifests", [])]
        return sum(int(part.get("size", 0)) for part in parts)


class Backend(ECRBackend):
    """One account's ECR in one region. ``address`` is the front's ``host:port``; set before moto makes these."""

    _url_module: ClassVar[Any] = moto.ecr.urls
    address: ClassVar[str] = ""
    upstream: ClassVar[Upstream] = Upstream("")
    lock: ClassVar[threading.RLock] = threading.RLock()

    def create_repository(self, repository_name: str, *args: Any, **kwargs: Any) -> Repository:
        """As moto does, but the URI names the front."""
        repository = super().create_repository(repository_name, *args, **kwargs)
        repository.uri = f"{self.address}/{repository_name}"
        return repository

    def store(self, name: str, manifest: bytes, media_type: str, tag: str | None) -> Image:
        """Takes one manifest in, by tag or only by its digest; the same again changes nothing.

        Raises RepositoryNotFoundException, TagImmutable, Refused, Unreachable.
        """
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        with self.lock:
            repository = self._get_repository(name)
            holder = next((image for image in repository.images if tag and tag in image.image_tags), None)
            if tag and holder and holder.image_digest != digest and not _may_move(repository, tag):
                raise TagImmutable(tag, name)
            if self.upstream.url:
                status, body = self.upstream.put_manifest(name, digest, manifest, media_type)
                if status != 201:
                    raise Refused(status, body)
            image = next((image for image in repository.images if image.image_digest == digest), None)
            if image is None:
                image = PushedImage(self.account_id, cast("str", None), manifest.decode(), name, media_type, digest)
                repository.images.append(image)
            if tag and holder is not image:
                if holder is not None:
                    holder.image_tags.remove(tag)
                    holder.image_tag = cast("str", holder.image_tags[-1] if holder.image_tags else None)
                image.update_tag(tag)
            return image

    def find(self, name: str, reference: str) -> Image | None:
        """The image a tag or digest names. Raises RepositoryNotFoundException."""
        for image in self._get_repository(name).images:
            if reference == image.image_digest or reference in image.image_tags:
                return image
        return None

    def put_image(
        self,
        repository_name: str,
        image_manifest: str,
        image_tag: str | None,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> Image:
        """PutImage: also in the registry, so that a tag given through the API can be pulled."""
        manifest = image_manifest.encode()
        actual = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        if digest and digest != actual:
            raise EcrError("ImageDigestDoesNotMatchException", f"digest {digest} is not {actual}")
        known = self.find(repository_name, image_tag or actual)
        if known is not None and known.image_digest == actual:
            raise EcrError(
                "ImageAlreadyExistsException",
                f"Image with digest '{actual}' and tag '{image_tag}' already exists in the repository with name "
                f"'{repository_name}' in registry with id '{self.account_id}'",
            )
        media_type = image_manifest_mediatype or json.loads(image_manifest).get("mediaType") or _DEFAULT_MEDIA_TYPE
        try:
            return self.store(repository_name, manifest, media_type, image_tag)
        except Refused as refused:
            raise EcrError("LayersNotFoundException", str(refused)) from refused
        except Unreachable as error:
            raise EcrError("ServerException", str(error)) from error

    def batch_delete_image(self, repository_name: str, *args: Any, **kwargs: Any) -> Any:
        """BatchDeleteImage: what no longer exists here is forgotten by the registry too."""
        with self.lock:
            before = self._digests(repository_name)
            answer = super().batch_delete_image(repository_name, *args, **kwargs)
            self._forget(repository_name, before - self._digests(repository_name))
        return answer

    def delete_repository(self, repository_name: str, *args: Any, **kwargs: Any) -> Repository:
        """DeleteRepository, with its images when forced."""
        with self.lock:
            before = self._digests(repository_name)
            repository = super().delete_repository(repository_name, *args, **kwargs)
            self._forget(repository_name, before)
        return repository

    def _digests(self, name: str) -> set[str]:
        repository = self.repositories.get(name)
        return {image.image_digest for image in repository.images} if repository else set()

    def _forget(self, name: str, digests: set[str]) -> None:
        for digest in digests if self.upstream.url else ():
            try:
                self.upstream.delete_manifest(name, digest)
            except Unreachable as error:
                # Nothing is served that this model does not know; what is left over costs disk space only.
                log.warning("%s %s is gone from ECR but not from the registry: %s", name, digest, error)


def _may_move(repository: Repository, tag: str) -> bool:
    mutable = not repository.is_tag_immutable()
    exceptions = repository.image_tag_mutability_exclusion_filters or []
    excepted = any(fnmatch.fnmatchcase(tag, exception["filter"]) for exception in exceptions)
    return mutable is not excepted


def install(address: str, upstream: Upstream, passes: Passes) -> None:
    """Puts this ECR in place of moto's. Call before moto answers its first request."""

    class Response(ECRResponse):
        def get_authorization_token(self) -> ActionResult:
            """GetAuthorizationToken for the front."""
            password, expires = passes.issue(self.current_account)
            token = base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
            entry = {"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": f"http://{address}"}
            return ActionResult({"authorizationData": [entry]})

    Backend.address, Backend.upstream = address, upstream
    moto.ecr.models.ecr_backends.backend = Backend
    moto.ecr.urls.url_paths["{0}/$"] = Response.dispatch
