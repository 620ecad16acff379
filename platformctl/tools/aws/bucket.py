"""The state bucket: made and kept as it must be. Idempotent; each setting is compared first and written only when it
differs, and what others have added to the bucket's policy and life cycle stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from platformctl.core.errors import PreconditionError
from platformctl.tools.aws.account import Account
from platformctl.tools.aws.failures import code_of, status_of, translated
from platformctl.tools.aws.policies import Layout, tls_only

_PUBLIC_ACCESS = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_UNSET = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)


@dataclass(frozen=True)
class Setting:
    """One thing the bucket must have. ``changed``: it had to be set now."""

    name: str
    changed: bool


class StateBucket:
    """``layout`` says which bucket and how it is divided; ``account`` whose it must be and in which region;
    ``kms_key`` is the ARN of the key that encrypts it, empty for S3's own. ``tls``: refuse plain HTTP; the sandbox
    speaks nothing else."""

    def __init__(
        self, client: Any, layout: Layout, account: Account, *, region: str = "", kms_key: str = "", tls: bool = True
    ) -> None:
        self._client = client
        self._tls = tls
        self._layout = layout
        self._account = account
        self._region = region or account.region
        self._kms_key = kms_key
        self._named = {"Bucket": layout.bucket}
        self._owned = {**self._named, **({"ExpectedBucketOwner": account.id} if account.id else {})}

    def ensure(self, *, dry_run: bool = False) -> tuple[Setting, ...]:
        """Makes the bucket and every setting of it; ``dry_run`` only says what it would do.

        Raises PreconditionError: it belongs to another account, lies in another region, or the caller may not.
        """
        created = self._create(dry_run=dry_run)
        if created and dry_run:
            return (Setting("bucket", changed=True), *(Setting(name, changed=True) for name, _ in self._settings()))
        found = [Setting("bucket", changed=created)]
        for name, ensure in self._settings():
            with translated(f"set {name} of the bucket {self._layout.bucket}"):
                found.append(Setting(name, changed=ensure(dry_run)))
        return tuple(found)

    def _settings(self) -> tuple[tuple[str, Callable[[bool], bool]], ...]:
        return (
            ("ownership", self._ownership),
            ("public access block", self._public_access),
            ("versioning", self._versioning),
            ("encryption", self._encryption),
            ("life cycle", self._lifecycle),
            *((("TLS only", self._policy),) if self._tls else ()),
        )

    def _create(self, *, dry_run: bool) -> bool:
        from botocore.exceptions import ClientError

        with translated(f"look at the bucket {self._layout.bucket}"):
            try:
                self._client.head_bucket(**self._owned)
            except ClientError as error:
                if status_of(error.response) == 403:
                    raise self._not_ours() from error
                if status_of(error.response) != 404:
                    raise
            else:
                self._check_region()
                return False
        if not dry_run:
            self._make()
        return True

    def _make(self) -> None:
        from botocore.exceptions import ClientError

        # us-east-1 is the one region that must not be named (S3 API reference, CreateBucket).
        place = {} if self._region == "us-east-1" else {"LocationConstraint": self._region}
        configuration = {"CreateBucketConfiguration": place} if place else {}
        with translated(f"create the bucket {self._layout.bucket}"):
            try:
                self._client.create_bucket(**self._named, **configuration, ObjectOwnership="BucketOwnerEnforced")
            except ClientError as error:
                if code_of(error.response) == "BucketAlreadyExists":
                    raise self._not_ours() from error
                if code_of(error.response) != "BucketAlreadyOwnedByYou":
                    raise
            self._client.get_waiter("bucket_exists").wait(**self._owned, WaiterConfig={"Delay": 1, "MaxAttempts": 20})

    def _not_ours(self) -> PreconditionError:
        return PreconditionError(
            f"the bucket {self._layout.bucket} belongs to another account than {self._account.id or 'ours'}",
            hint="all accounts share one set of bucket names: choose another state.bucket, or correct cloud.account; "
            "if it is yours, you may not look at it (s3:ListBucket)",
        )

    def _check_region(self) -> None:
        where = self._client.get_bucket_location(**self._owned).get("LocationConstraint") or "us-east-1"
        if where != self._region:
            raise PreconditionError(
                f"the bucket {self._layout.bucket} is in {where}, not in {self._region}",
                hint=f"set state.region: {where}",
            )

    def _ownership(self, dry_run: bool) -> bool:  # noqa: FBT001 - one shape for all settings
        wanted = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        answer = self._current(self._client.get_bucket_ownership_controls)
        if answer.get("OwnershipControls", {}).get("Rules") == wanted["Rules"]:
            return False
        if not dry_run:
            self._client.put_bucket_ownership_controls(**self._owned, OwnershipControls=wanted)
        return True

    def _public_access(self, dry_run: bool) -> bool:  # noqa: FBT001
        answer = self._current(self._client.get_public_access_block)
        if answer.get("PublicAccessBlockConfiguration") == _PUBLIC_ACCESS:
            return False
        if not dry_run:
            self._client.put_public_access_block(**self._owned, PublicAccessBlockConfiguration=_PUBLIC_ACCESS)
        return True

    def _versioning(self, dry_run: bool) -> bool:  # noqa: FBT001
        if self._client.get_bucket_versioning(**self._owned).get("Status") == "Enabled":
            return False
        if not dry_run:
            self._client.put_bucket_versioning(**self._owned, VersioningConfiguration={"Status": "Enabled"})
        return True

    def _encryption(self, dry_run: bool) -> bool:  # noqa: FBT001
        default = (
            {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self._kms_key}
            if self._kms_key
            else {"SSEAlgorithm": "AES256"}
        )
        answer = self._current(self._client.get_bucket_encryption)
        rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        if any(rule.get("ApplyServerSideEncryptionByDefault") == default for rule in rules):
            return False
        if not dry_run:
            rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bool(self._kms_key)}
            self._client.put_bucket_encryption(**self._owned, ServerSideEncryptionConfiguration={"Rules": [rule]})
        return True

    def _policy(self, dry_run: bool) -> bool:  # noqa: FBT001
        answer = self._current(self._client.get_bucket_policy)
        there = json.loads(answer["Policy"]) if answer.get("Policy") else {"Version": "2012-10-17", "Statement": []}
        statements = _replaced(list(there.get("Statement", [])), [tls_only(self._layout)], key="Sid")
        if statements == there.get("Statement"):
            return False
        if not dry_run:
            self._client.put_bucket_policy(**self._owned, Policy=json.dumps({**there, "Statement": statements}))
        return True

    def _lifecycle(self, dry_run: bool) -> bool:  # noqa: FBT001
        """A lease is written every few seconds; without this every heartbeat would be kept as an old version."""
        rules = [
            {
                "ID": "platformctl-leases",
                "Status": "Enabled",
                "Filter": {"Prefix": self._layout.leases},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            },
            {
                "ID": "platformctl-uploads",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
        ]
        there = self._current(self._client.get_bucket_lifecycle_configuration).get("Rules", [])
        wanted = _replaced(list(there), rules, key="ID")
        if wanted == there:
            return False
        if not dry_run:
            self._client.put_bucket_lifecycle_configuration(**self._owned, LifecycleConfiguration={"Rules": wanted})
        return True

    def _current(self, read: Callable[..., Mapping[str, Any]]) -> Mapping[str, Any]:
        """What is set, empty when nothing is."""
        from botocore.exceptions import ClientError

        try:
            return read(**self._owned)
        except ClientError as error:
            if code_of(error.response) in _UNSET:
                return {}
            raise


def _replaced(there: list[Any], ours: list[dict[str, Any]], *, key: str) -> list[Any]:
    """``there`` with each of ours in its place, or at the end."""
    by_key = {item[key]: item for item in ours}
    kept = [by_key.pop(item.get(key), item) for item in there]
    return [*kept, *by_key.values()]
