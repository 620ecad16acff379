"""What a fresh account holds: the user Terraform works as, the two roles it takes, a network to be found by its tag.

Also a second account, that owns a bucket the first may not touch and roles the first may take.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

USER = "platform"
PLAN_ROLE = "platform-plan"
APPLY_ROLE = "platform-apply"
NETWORK = "sandbox"
FOREIGN_BUCKET = "sandbox-of-another-account"
_ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
_READER = "arn:aws:iam::aws:policy/ReadOnlyAccess"
_RANGE = "10.0.0.0/16"


@dataclass(frozen=True)
class Credentials:
    """A long-lived access key."""

    access_key_id: str
    secret_access_key: str


def seed(account: str, other_account: str, region: str) -> Credentials:
    """Fills both accounts; returns the key of the first one's user."""
    iam = _iam(account)
    iam.create_user(region, USER)
    iam.attach_user_policy(_ADMINISTRATOR, USER)
    key = iam.create_access_key(USER)
    for owner in (account, other_account):
        _roles(owner, trusted=account)
    _network(account, region)
    _foreign_bucket(other_account, region)
    return Credentials(key.access_key_id, key.secret_access_key)


def _iam(account: str) -> Any:
    from moto.iam.models import iam_backends

    return iam_backends[account]["aws"]


def _roles(account: str, *, trusted: str) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{trusted}:root"}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = _iam(account)
    for name, policy in ((PLAN_ROLE, _READER), (APPLY_ROLE, _ADMINISTRATOR)):
        iam.create_role(
            role_name=name,
            assume_role_policy_document=trust,
            path="/",
            permissions_boundary=None,
            description="seeded by the sandbox",
            tags=[],
            max_session_duration="3600",
        )
        iam.attach_role_policy(policy, name)


def _network(account: str, region: str) -> None:
    from moto.ec2.models import ec2_backends

    ec2 = ec2_backends[account][region]
    vpc = ec2.create_vpc(_RANGE)
    vpc.enable_dns_hostnames = True
    _tag(ec2, vpc.id, {"Name": NETWORK})
    gateway = ec2.create_internet_gateway(tags=[])
    ec2.attach_internet_gateway(gateway.id, vpc.id)
    _tag(ec2, gateway.id, {"Name": NETWORK})
    zones = (f"{region}a", f"{region}b")
    for kind, first, role in (("public", 0, "elb"), ("private", 128, "internal-elb")):
        table = ec2.create_route_table(vpc.id)
        _tag(ec2, table.id, {"Name": f"{NETWORK}-{kind}"})
        if kind == "public":
            ec2.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)
        for index, zone in enumerate(zones):
            subnet = ec2.create_subnet(vpc.id, f"10.0.{first + 16 * index}.0/20", availability_zone=zone)
            subnet.map_public_ip_on_launch = kind == "public"
            tags = {"Name": f"{NETWORK}-{kind}-{zone}", "Tier": kind, f"kubernetes.io/role/{role}": "1"}
            _tag(ec2, subnet.id, tags)
            ec2.associate_route_table(table.id, None, subnet.id)


def _tag(ec2: Any, resource: str, tags: dict[str, str]) -> None:
    ec2.create_tags([resource], tags)


def _foreign_bucket(account: str, region: str) -> None:
    from moto.s3.models import s3_backends

    s3_backends[account]["aws"].create_bucket(FOREIGN_BUCKET, region)
