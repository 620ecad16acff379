"""Where an environment lives: accounts and roles, the state bucket, the way through proxies, mirrors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from platformctl.spec.values import AccountId, Address, MachinePath, Model, Name, Region, Role, SecretField, Shape, Text

Bucket = Annotated[
    str,
    Shape(
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "a bucket's name: 3 to 63 lower-case letters, digits, dashes and dots",
    ),
]


class Account(Model):
    """A further account that stacks may live in (DNS, registry)."""

    account: AccountId = Field(description="Its id, 12 digits, quoted.")
    region: Region | None = Field(None, description="Its region, when it is not the environment's.")
    plan_role: Role | None = Field(None, description="Name or ARN of the role that plans.")
    apply_role: Role | None = Field(None, description="Name or ARN of the role that applies.")
    external_id: Text | None = Field(None, description="The external id that the roles' trust asks for.")


class Cloud(Model):
    """The cloud and how we come in. Credentials are never written here: a profile, roles, or what the machine has."""

    provider: Literal["aws", "none"] = Field("aws", description="`none` for stacks and hosts without a cloud.")
    sandbox: bool = Field(False, description="The embedded sandbox; `platformctl sandbox up` brings it up.")
    region: Region = Field("", description="The region; must be given for aws.")
    account: AccountId = Field("", description="The account's id, 12 digits, quoted; must be given for aws.")
    profile: Text | None = Field(None, description="The profile of ~/.aws/config to come in with.")
    plan_role: Role | None = Field(None, description="Name or ARN of the role that plans; reads only.")
    apply_role: Role | None = Field(None, description="Name or ARN of the role that applies.")
    external_id: Text | None = Field(None, description="The external id that the roles' trust asks for.")
    web_identity_token: MachinePath | None = Field(
        None, description="File with the token that CI is given (OIDC), to assume the roles with."
    )
    permissions_boundary: Text | None = Field(None, description="ARN of the boundary that every role made here gets.")
    accounts: dict[Name, Account] = Field(default_factory=dict, description="Further accounts, by the name stacks use.")


class State(Model):
    """The bucket that holds Terraform's states (locked natively), leases and run records."""

    bucket: Bucket = Field(description="Its name; `platformctl env bootstrap` creates it.")
    region: Region | None = Field(None, description="Its region, when it is not the environment's.")
    prefix: (
        Annotated[
            str, Shape(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", "key parts separated by slashes, none at the ends", 256)
        ]
        | None
    ) = Field(None, description="Put before every key.")
    kms_key: Text | None = Field(None, description="ARN of the key that encrypts it; S3's own key otherwise.")


class Proxy(Model):
    """The way out of a closed network; reaches every child process and the nodes' user data."""

    http: Address | None = Field(None, description="For http.")
    https: Address | None = Field(None, description="For https.")
    no_proxy: tuple[Text, ...] = Field((), strict=False, description="Hosts and networks that are reached directly.")
    ca_bundle: MachinePath | None = Field(None, description="File of certificate authorities to trust.")


class Mirror(Model):
    """Where everything from outside is fetched instead."""

    charts: Text | None = Field(None, description="Chart repository or OCI registry that replaces every chart's own.")
    images: Text | None = Field(None, description="Registry that replaces every image's own.")
    providers: MachinePath | None = Field(
        None, description="Directory that holds registry.terraform.io/... for Terraform."
    )
    username: Text | None = Field(None, description="The user of both registries.")
    password: SecretField | None = Field(None, description="The user's password.")
