"""The simulated AWS as a process of its own, for the tests that need one; started once per session and directory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from platformctl.core.clock import SystemClock
from platformctl.core.command import Child, Command
from platformctl.process import children, detached
from platformctl.sandbox import readiness
from platformctl.sandbox.aws.faults import Faults
from platformctl.sandbox.part import HttpAnswer, Readiness
from platformctl.sandbox.ports import LOOPBACK, choose

REGION = "ap-northeast-2"
ACCOUNT = "123456789012"
_DEADLINE = 60.0


@dataclass(frozen=True)
class SimulatedAws:
    """A running one. ``log``: what it printed."""

    port: int
    registry_port: int
    credentials: dict[str, str]
    log: Path

    @property
    def endpoint(self) -> str:
        """Of every AWS service."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def faults(self) -> Faults:
        """Its failure injection."""
        return Faults(self.endpoint)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which programs reach it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.credentials["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.credentials["secret_access_key"],
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(
        self,
        service: str,
        *,
        key: str = "",
        secret: str = "",
        token: str = "",
        retries: int = 0,
        read_timeout: float = 60.0,
    ) -> Any:
        """A boto3 client; of the user ``platform`` unless another key is given. No retries unless asked for."""
        return boto3.Session(
            key or self.credentials["access_key_id"],
            secret or self.credentials["secret_access_key"],
            token or None,
            region_name=REGION,
        ).client(
            service,
            endpoint_url=self.endpoint,
            config=Config(
                retries={"total_max_attempts": retries + 1}, read_timeout=read_timeout, s3={"addressing_style": "path"}
            ),
        )

    def as_role(self, name: str, service: str, session: str = "tester") -> Any:
        """A client that has taken a role."""
        taken = self.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName=session)
        keys = taken["Credentials"]
        return self.client(service, key=keys["AccessKeyId"], secret=keys["SecretAccessKey"], token=keys["SessionToken"])

    def service_role(self, name: str) -> str:
        """Makes a role that EKS could take; its ARN."""
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "eks.amazonaws.com"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
        return str(role["Role"]["Arn"])

    def private_subnets(self) -> list[str]:
        """Of the seeded network."""
        filters = [{"Name": "tag:Tier", "Values": ["private"]}]
        return [item["SubnetId"] for item in self.client("ec2").describe_subnets(Filters=filters)["Subnets"]]


@contextmanager
def running(directory: Path, **settings: Any) -> Iterator[SimulatedAws]:
    """One with its own state; ``settings`` are added to its configuration."""
    port, registry_port = choose(("aws", "ecr"), kept={}, movable=True, directory=directory).values()
    configuration = directory / "aws.json"
    wanted = {"port": port, "registry_port": registry_port, "state_directory": str(directory), **settings}
    configuration.write_text(json.dumps(wanted), encoding="utf-8")
    argv = (sys.executable, "-P", "-m", "platformctl.sandbox.aws", "--config", str(configuration))
    with started(Command(argv), directory / "aws.log", HttpAnswer(f"http://{LOOPBACK}:{port}/_sandbox/health")):
        credentials = json.loads((directory / "credentials.json").read_text(encoding="utf-8"))
        yield SimulatedAws(port, registry_port, credentials, directory / "aws.log")


@contextmanager
def started(command: Command, log: Path, ready: Readiness) -> Iterator[Child]:
    """A program that is ready, and gone afterwards."""
    clock = SystemClock()
    child = detached.start(command, log)
    try:
        limit = clock.monotonic() + _DEADLINE
        while seen := readiness.look(ready, log):
            assert children.alive(child), log.read_text(encoding="utf-8")
            assert clock.monotonic() < limit, seen
            clock.wait(0.05)
        yield child
    finally:
        detached.stop(child, 5.0)
