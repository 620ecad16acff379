"""The object store on S3: leases and run records stand on its conditional writes.

S3 compares ``If-None-Match: *`` and ``If-Match`` with the ETag by itself (Amazon S3 User Guide, "Conditional writes"):
412 means that somebody else wrote, 409 that somebody else is writing, 404 on ``If-Match`` that somebody deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from platformctl.core.errors import PreconditionError
from platformctl.core.objects import ABSENT, ObjectChanged, StoredObject
from platformctl.tools.aws.failures import DENIED, code_of, status_of, translated

_ABSENT_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
_CHANGED_CODES = frozenset({"ConditionalRequestConflict", "PreconditionFailed", "NoSuchKey"})


class S3ObjectStore:
    """``core.objects.ObjectStore`` on a bucket. Keys lie below ``prefix``; ``owner`` is the account the bucket must
    belong to (12 digits, empty for any): a bucket of the same name in a stranger's account is refused by S3 itself."""

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, owner: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._owner = {"ExpectedBucketOwner": owner} if owner else {}

    def get(self, key: str) -> StoredObject | None:
        """The object, None when there is none."""
        from botocore.exceptions import ClientError

        with self._refusing("read", key):
            try:
                answer = self._client.get_object(**self._named(key))
                return StoredObject(data=answer["Body"].read(), version=answer["ETag"])
            except ClientError as error:
                if code_of(error.response) in _ABSENT_CODES:
                    return None
                raise

    def put_if(self, key: str, data: bytes, version: str) -> str:
        """Writes if the object's version is still ``version``; returns the new one. Raises ObjectChanged."""
        from botocore.exceptions import ClientError

        condition = {"IfNoneMatch": "*"} if version == ABSENT else {"IfMatch": version}
        with self._refusing("write", key):
            try:
                return str(self._client.put_object(**self._named(key), **condition, Body=data)["ETag"])
            except ClientError as error:
                if not _changed(error.response):
                    raise
                mine = self._written_by_us(key, data, error.response)
                if mine is None:
                    raise ObjectChanged(key) from error
                return mine

    def put(self, key: str, data: bytes) -> str:
        """Writes whatever was there; returns the new version."""
        with self._refusing("write", key):
            return str(self._client.put_object(**self._named(key), Body=data)["ETag"])

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with ``prefix``, sorted as bytes (S3's own order)."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix, **self._owner
        )
        with self._refusing("list", prefix):
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self._prefix)

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens when there is none."""
        with self._refusing("delete", key):
            self._client.delete_object(**self._named(key))

    def describe(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key, **self._owner}

    def _written_by_us(self, key: str, data: bytes, response: dict[str, Any]) -> str | None:
        """The version when the refused write is our own of a moment ago.

        A put whose answer got lost is sent again by botocore and then meets what it has itself written. The lease and
        the records put their writer into the content, so equal content is the same write.
        """
        if not response.get("ResponseMetadata", {}).get("RetryAttempts", 0):
            return None
        there = self.get(key)
        return there.version if there is not None and there.data == data else None

    @contextmanager
    def _refusing(self, verb: str, key: str) -> Iterator[None]:
        """``failures.translated``; a 403 on a bucket with an expected owner says so when that is the reason."""
        from botocore.exceptions import ClientError

        with translated(f"{verb} s3://{self._bucket}/{self._prefix}{key}"):
            try:
                yield
            except ClientError as error:
                if self._owner and code_of(error.response) in DENIED:
                    raise self._denied(f"{verb} s3://{self._bucket}/{self._prefix}{key}") from error
                raise

    def _denied(self, doing: str) -> PreconditionError:
        """S3 tells a stranger's bucket and a missing right apart only when the bucket opens to anybody."""
        account = self._owner["ExpectedBucketOwner"]
        if self._opens_without_owner():
            return PreconditionError(
                f"the bucket {self._bucket} does not belong to account {account}",
                hint="choose another state.bucket, or correct cloud.account",
            )
        return PreconditionError(
            f"cannot {doing}: access denied: the bucket belongs to another account than {account}, or the role may not",
            hint="correct state.bucket or cloud.account, or give the role the policies of `platformctl env bootstrap`",
        )

    def _opens_without_owner(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.head_bucket(Bucket=self._bucket)
        except (ClientError, BotoCoreError):
            return False
        return True


def _changed(response: dict[str, Any]) -> bool:
    return code_of(response) in _CHANGED_CODES or status_of(response) == 412
