"""What EKS offers: Kubernetes versions and add-ons with theirs. Data only, as far as this simulation knows.

Dates: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html, read from memory, not verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class ClusterVersion:
    """A minor version and its support: standard until, extended until."""

    minor: str
    released: datetime
    standard_until: datetime
    extended_until: datetime

    def status(self, now: datetime) -> str:
        """In EKS's older, lower-case words."""
        if now < self.standard_until:
            return "standard-support"
        return "extended-support" if now < self.extended_until else "unsupported"


def _day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


VERSIONS = {
    version.minor: version
    for version in (
        ClusterVersion("1.30", _day(2024, 5, 23), _day(2025, 7, 23), _day(2026, 7, 23)),
        ClusterVersion("1.31", _day(2024, 9, 26), _day(2025, 11, 26), _day(2026, 11, 26)),
        ClusterVersion("1.32", _day(2025, 1, 23), _day(2026, 3, 23), _day(2027, 3, 23)),
        ClusterVersion("1.33", _day(2025, 5, 29), _day(2026, 7, 29), _day(2027, 7, 29)),
        ClusterVersion("1.34", _day(2025, 10, 2), _day(2026, 12, 2), _day(2027, 12, 2)),
    )
}
DEFAULT_VERSION = "1.34"

# Add-on to its versions, newest first. ``{minor}`` stands for add-ons that follow the cluster's version.
ADDONS: dict[str, tuple[str, ...]] = {
    "vpc-cni": ("v1.20.4-eksbuild.1", "v1.20.1-eksbuild.3", "v1.19.6-eksbuild.7"),
    "coredns": ("v1.12.4-eksbuild.1", "v1.12.3-eksbuild.1", "v1.11.4-eksbuild.24"),
    "kube-proxy": ("v{minor}.1-eksbuild.2", "v{minor}.0-eksbuild.2"),
    "eks-pod-identity-agent": ("v1.3.9-eksbuild.3", "v1.3.8-eksbuild.2"),
    "aws-ebs-csi-driver": ("v1.51.0-eksbuild.1", "v1.50.1-eksbuild.1"),
    "aws-efs-csi-driver": ("v2.1.12-eksbuild.1", "v2.1.11-eksbuild.1"),
    "snapshot-controller": ("v8.3.0-eksbuild.1",),
    "metrics-server": ("v0.8.0-eksbuild.2", "v0.7.2-eksbuild.4"),
    "amazon-cloudwatch-observability": ("v4.5.0-eksbuild.1", "v4.4.0-eksbuild.1"),
    "aws-mountpoint-s3-csi-driver": ("v2.1.0-eksbuild.1",),
}


def addon_versions(addon: str, minor: str) -> tuple[str, ...]:
    """Newest first; empty for an add-on this simulation does not know."""
    return tuple(version.format(minor=minor) for version in ADDONS.get(addon, ()))


def minor_number(version: str) -> int:
    """``1.34`` is 34. Raises ValueError for anything that is no such version."""
    major, _, minor = version.partition(".")
    if major != "1":
        raise ValueError(f"{version!r} is not a version such as {DEFAULT_VERSION}")
    return int(minor)
