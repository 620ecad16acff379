"""What EKS reads and makes in the simulated EC2 and IAM: subnets, the cluster's security group, roles."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from platformctl.sandbox.aws.eks.errors import invalid_parameter

_ROLE = re.compile(r"arn:aws:iam::(\d{12}):role/.+")
_PRINCIPAL = re.compile(r"arn:aws:iam::(\d{12}):(role|user)/.+")


@dataclass(frozen=True)
class Subnet:
    """One subnet as EKS needs it."""

    id: str
    vpc: str
    zone: str
    cidr: str

    def address(self, number: int) -> str:
        """The subnet's ``number``-th usable address, counted from 0; AWS keeps the first four and the last."""
        network = ipaddress.ip_network(self.cidr)
        return str(network[4 + number % (network.num_addresses - 5)])


def subnets(account: str, region: str, ids: list[str]) -> tuple[Subnet, ...]:
    """Raises InvalidParameterException for one that does not exist."""
    known = {subnet.id: subnet for zone in _ec2(account, region).subnets.values() for subnet in zone.values()}
    if missing := [name for name in ids if name not in known]:
        raise invalid_parameter(f"The subnet ID '{missing[0]}' does not exist")
    return tuple(
        Subnet(name, known[name].vpc_id, known[name].availability_zone, known[name].cidr_block) for name in ids
    )


def cluster_subnets(account: str, region: str, ids: list[str]) -> tuple[Subnet, ...]:
    """The same, with EKS's rules for a cluster: one VPC, two zones."""
    found = subnets(account, region, ids)
    if len({subnet.vpc for subnet in found}) > 1:
        raise invalid_parameter("Subnets specified must be in the same VPC")
    if len({subnet.zone for subnet in found}) < 2:
        raise invalid_parameter("Subnets specified must be in at least two different AZs")
    return found


def check_security_groups(account: str, region: str, ids: list[str]) -> None:
    """Raises InvalidParameterException for one that does not exist."""
    groups = _ec2(account, region).groups
    for name in ids:
        if not any(name in members for members in groups.values()):
            raise invalid_parameter(f"The security group ID '{name}' does not exist")


def create_security_group(account: str, region: str, vpc: str, cluster: str) -> str:
    """The group EKS makes for a cluster's own traffic; returns its id."""
    name = f"eks-cluster-sg-{cluster}"
    tags = {"Name": name, "aws:eks:cluster-name": cluster, f"kubernetes.io/cluster/{cluster}": "owned"}
    description = "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes"
    return str(_ec2(account, region).create_security_group(name, description, vpc_id=vpc, tags=tags, force=True).id)


def delete_security_group(account: str, region: str, group: str) -> None:
    """Also when it is gone already."""
    from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError

    try:
        _ec2(account, region).delete_security_group(group_id=group)
    except InvalidSecurityGroupNotFoundError:
        return


def launch_template(account: str, region: str, wanted: dict[str, Any]) -> dict[str, str]:
    """Id, name and version of the launch template a node group names. Raises InvalidParameterException."""
    for template in _ec2(account, region).launch_templates.values():
        if template.id == wanted.get("id") or template.name == wanted.get("name"):
            version = str(wanted.get("version") or template.default_version_number)
            return {"id": template.id, "name": template.name, "version": version}
    raise invalid_parameter(f"The launch template {wanted.get('id') or wanted.get('name')} does not exist")


def check_role(arn: str) -> None:
    """Raises InvalidParameterException when there is no such role."""
    match = _ROLE.fullmatch(arn)
    if not match or not _exists(match.group(1), arn):
        raise invalid_parameter(
            f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
        )


def check_principal(arn: str) -> None:
    """Raises InvalidParameterException when there is no such user or role."""
    match = _PRINCIPAL.fullmatch(arn)
    if not match or not _exists(match.group(1), arn):
        raise invalid_parameter("The specified principalArn is invalid: invalid principal.")


def check_instance_types(names: list[str]) -> None:
    """Raises InvalidParameterException, naming those that EC2 does not have."""
    known = instance_types()
    if unknown := [name for name in names if name not in known]:
        raise invalid_parameter(f"The following supplied instance types do not exist: [{', '.join(unknown)}]")


def instance_types() -> dict[str, Any]:
    """EC2's own descriptions, by name."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    known: dict[str, Any] = INSTANCE_TYPES
    return known


def _exists(account: str, arn: str) -> bool:
    from moto.iam.models import iam_backends

    iam: Any = iam_backends[account]["aws"]
    return any(item.arn == arn for item in (*iam.roles.values(), *iam.users.values()))


def _ec2(account: str, region: str) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[account][region]
