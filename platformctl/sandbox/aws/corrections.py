"""What moto answers differently from AWS and matters to us, put right from outside. EKS and ECR have their own modules.

Each correction names the symptom it cures; a contract test holds each, so that a new moto shows which are left to do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

# Read by moto when it is imported or asked; a value of the user's shell must not change the sandbox.
_SETTINGS = {
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",  # attaching arn:aws:iam::aws:policy/... fails without them
    "MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS": "false",  # another account's bucket answers 403
    "MOTO_DISABLE_GLOBAL_CORS": "true",  # nothing here is for browsers
}


def prepare_environment() -> None:
    """Before moto is imported."""
    for name in [name for name in os.environ if name.startswith("MOTO_")]:
        del os.environ[name]
    os.environ.update(_SETTINGS)


def install() -> None:
    """Before moto answers its first request; harmless when done twice."""
    _quiet_launch_templates()
    _believe_only_roles_that_trust()
    _tell_taken_buckets_from_forbidden_ones()


def _quiet_launch_templates() -> None:
    """A launch template's own tags came back inside its data: a diff on every plan with default_tags."""
    from moto.ec2.models.launch_templates import LaunchTemplateVersion

    original = LaunchTemplateVersion.__init__
    if getattr(original, "corrected", False):
        return

    def corrected(self: Any, template: Any, number: int, data: dict[str, Any], description: str) -> None:
        specifications = data.get("TagSpecifications") or []
        kept = [item for item in specifications if item.get("ResourceType") != "launch-template"]
        without = {name: value for name, value in data.items() if name != "TagSpecifications"}
        original(self, template, number, {**without, "TagSpecifications": kept} if kept else without, description)

    corrected.corrected = True  # type: ignore[attr-defined]  # the mark that makes this idempotent
    LaunchTemplateVersion.__init__ = corrected  # type: ignore[method-assign]  # the seam moto leaves


def _believe_only_roles_that_trust() -> None:
    """AssumeRole accepted roles that do not exist or do not trust the caller."""
    import moto.sts.urls
    from moto.core.exceptions import ServiceException
    from moto.sts.responses import TokenResponse

    from platformctl.sandbox.aws.identity import lookup

    class AccessDenied(ServiceException):
        code = "AccessDenied"

    class Response(TokenResponse):
        def assume_role(self) -> Any:
            """Asks the role's trust policy first."""
            caller, arn = lookup(self.access_key), str(self._get_param("RoleArn"))
            if caller is None or not trusts(arn, caller.principal_arn, caller.account, self._get_param("ExternalId")):
                who = caller.arn if caller else "anonymous"
                raise AccessDenied(f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}")
            return super().assume_role()

        def get_session_token(self) -> Any:
            """moto answers one constant key that belongs to nobody."""
            raise NotImplementedError("temporary credentials other than AssumeRole's")

        get_federation_token = get_session_token

    moto.sts.urls.url_paths["{0}/$"] = Response.dispatch


def _tell_taken_buckets_from_forbidden_ones() -> None:
    """CreateBucket with a name that another account has was 403 as for its objects; AWS answers 409."""
    from moto.s3.exceptions import BucketError
    from moto.s3.models import S3Backend, s3_backends

    original = S3Backend.create_bucket
    if getattr(original, "corrected", False):
        return

    class BucketTaken(BucketError):
        code = "BucketAlreadyExists"

    def corrected(self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        _, owner = s3_backends.bucket_accounts.get(bucket_name, ("", self.account_id))
        if owner != self.account_id:
            raise BucketTaken(
                "The requested bucket name is not available. The bucket namespace is shared by all users of the "
                "system. Please select a different name and try again."
            )
        return original(self, bucket_name, *args, **kwargs)

    corrected.corrected = True  # type: ignore[attr-defined]  # the mark that makes this idempotent
    S3Backend.create_bucket = corrected  # type: ignore[method-assign]  # the seam moto leaves


def trusts(role_arn: str, principal_arn: str, account: str, external_id: str | None) -> bool:
    """Whether the role exists and its trust policy lets this principal in.

    Understood: Effect, Action, Principal AWS (ARN, account, ``*``), and StringEquals on sts:ExternalId. A statement
    with any other condition does not count: better to refuse here than to be surprised in AWS.
    """
    from moto.iam.models import iam_backends

    owner = role_arn.split(":")[4] if role_arn.count(":") == 5 else ""
    roles = iam_backends[owner]["aws"].roles.values() if owner in iam_backends else ()
    role = next((item for item in roles if item.arn == role_arn), None)
    if role is None:
        return False
    document = str(role.assume_role_policy_document)
    policy = json.loads(document)
    return any(
        _lets_in(statement, principal_arn, account, external_id) for statement in _listed(policy.get("Statement"))
    )


def _lets_in(statement: Mapping[str, Any], principal_arn: str, account: str, external_id: str | None) -> bool:
    if statement.get("Effect") != "Allow" or not {"sts:AssumeRole", "sts:*", "*"} & {*_listed(statement.get("Action"))}:
        return False
    conditions = dict(statement.get("Condition") or {})
    wanted = dict(conditions.pop("StringEquals", {}))
    expected = _listed(wanted.pop("sts:ExternalId", external_id))
    if conditions or wanted or external_id not in expected:
        return False
    principals = statement.get("Principal")
    named = _listed(principals.get("AWS") if isinstance(principals, Mapping) else principals)
    return bool({principal_arn, account, f"arn:aws:iam::{account}:root", "*"} & {*named})


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
