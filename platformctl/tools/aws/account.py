"""Which account is meant, and how to come in: plain values, from which sessions are made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """An account of AWS and how to come in.

    ``id``: 12 digits, empty when any will do. ``role``: name or ARN of the role to assume, empty for the caller's own
    credentials. ``web_identity``: file with the token that the role is assumed with, else it is by those credentials.
    ``profile``: of ``~/.aws/config``, empty for the default.
    """

    region: str
    id: str = ""
    role: str = ""
    external_id: str = ""
    web_identity: str = ""
    profile: str = ""

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``, by the region's name."""
        prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((name for prefix, name in prefixes.items() if self.region.startswith(prefix)), "aws")

    @property
    def role_arn(self) -> str:
        """The role's ARN, empty without a role."""
        if not self.role or self.role.startswith("arn:"):
            return self.role
        return f"arn:{self.partition}:iam::{self.id}:role/{self.role}"
