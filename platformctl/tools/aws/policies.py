"""How the state bucket is divided, and the policies that follow from it: who may read a record may not read a state.

Pure. States hold secrets in clear, records never do, so they are separate prefixes and nobody gets both by accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_VERSION = "2012-10-17"


@dataclass(frozen=True)
class Layout:
    """The bucket's prefixes: ``runs/`` and ``leases/`` for all environments, and one for each environment's states."""

    bucket: str
    prefix: str = ""
    partition: str = "aws"

    @property
    def runs(self) -> str:
        """Run records."""
        return f"{self._front}runs/"

    @property
    def leases(self) -> str:
        """Leases."""
        return f"{self._front}leases/"

    def states(self, environment: str) -> str:
        """The states of one environment."""
        return f"{self._front}{environment}/"

    def arn(self, key: str = "") -> str:
        """The bucket's ARN, or that of keys in it."""
        return f"arn:{self.partition}:s3:::{self.bucket}" + (f"/{key}" if key else "")

    @property
    def _front(self) -> str:
        return f"{self.prefix.strip('/')}/" if self.prefix.strip("/") else ""


def tls_only(layout: Layout) -> dict[str, Any]:
    """The bucket policy's statement: nothing over plain HTTP."""
    return {
        "Sid": "PlatformctlTlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [layout.arn(), layout.arn("*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def role_policies(layout: Layout, environment: str) -> dict[str, dict[str, Any]]:
    """IAM policies for one environment, by what their holder may do.

    ``records-reader``: list and read run records, no state. ``state-reader``: for the role that plans.
    ``state-writer``: for the role that applies. ``runner``: for whoever starts platformctl; it writes records and
    leases and reads no state.
    """
    states = layout.states(environment)
    own_runs = f"{layout.runs}{environment}/*"
    return {
        "records-reader": _policy(_list(layout, own_runs), _objects(layout, ["s3:GetObject"], own_runs)),
        # Terraform's S3 backend lists the bucket's workspaces, under the prefix env:/, when it is initialised.
        "state-reader": _policy(
            _list(layout, f"{states}*", "env:/*"),
            _objects(layout, ["s3:GetObject"], f"{states}*.tfstate", f"{states}*.tflock"),
        ),
        "state-writer": _policy(
            _list(layout, f"{states}*", "env:/*"),
            _objects(layout, ["s3:GetObject", "s3:PutObject"], f"{states}*.tfstate"),
            _objects(layout, ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{states}*.tflock"),
        ),
        "runner": _policy(
            _list(layout, f"{layout.runs}*", f"{layout.leases}*"),
            _objects(
                layout, ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{layout.runs}*", f"{layout.leases}*"
            ),
        ),
    }


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": _VERSION, "Statement": list(statements)}


def _list(layout: Layout, *prefixes: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [layout.arn()],
        "Condition": {"StringLike": {"s3:prefix": list(prefixes)}},
    }


def _objects(layout: Layout, actions: list[str], *keys: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": [layout.arn(key) for key in keys]}
