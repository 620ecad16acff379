"""Where an environment lives: accounts and roles, the state bucket, the way through proxies, mirrors."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from platformctl.spec.values import AccountId, Address, Model, Name, Region, Text

Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class Account(Model):
    """A further account that stacks may live in (DNS, registry); becomes a provider of its own."""

    account: AccountId = Field(description="Its id, 12 digits, quoted.")
    region: Region | None = Field(None, description="Its region, when it is not the environment's.")
    plan_role: Text | None = Field(None, description="Name or ARN of the role that plans.")
    apply_role: Text | None = Field(None, description="Name or ARN of the role that applies.")
    external_id: Text | None = Field(None, description="The external id that the roles' trust asks for.")


class Cloud(Model):
    """The cloud and how we come in. Credentials are never written here: a profile, roles, or what the machine has."""

    provider: Literal["aws", "none"] = Field("aws", description="`none` for stacks and hosts without a cloud.")
    sandbox: bool = Field(False, description="The embedded sandbox; `platformctl sandbox up` brings it up.")
    region: Region = Field("", description="The region; must be given for aws.")
    account: AccountId = Field("", description="The account's id, 12 digits, quoted; must be given for aws.")
    profile: Text | None = Field(None, description="The profile of ~/.aws/config to come in with.")
    plan_role: Text | None = Field(None, description="Name or ARN of the role that plans; reads only.")
    apply_role: Text | None = Field(None, description="Name or ARN of the role that applies.")
    external_id: Text | None = Field(None, description="The external id that the roles' trust asks for.")
    web_identity_token: PurePosixPath | None = Field(
        None, strict=False, description="File with the token that CI is given (OIDC), to assume the roles with."
    )
    permissions_boundary: Text | None = Field(None, description="ARN of the boundary that every role made here gets.")
    accounts: dict[Name, Account] = Field(default_factory=dict, description="Further accounts, by the name stacks use.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider == "aws":
            missing = [key for key in ("region", "account") if not getattr(self, key)]
            if missing:
                raise ValueError(f"{' and '.join(missing)} must be given for provider aws")
        return self


class State(Model):
    """The bucket that holds Terraform's states (locked natively), leases and run records."""

    bucket: Bucket = Field(description="Its name; `platformctl env bootstrap` creates it.")
    region: Region | None = Field(None, description="Its region, when it is not the environment's.")
    prefix: Text | None = Field(None, description="Put before every key.")
    kms_key: Text | None = Field(None, description="ARN of the key that encrypts it; S3's own key otherwise.")


class Proxy(Model):
    """The way out of a closed network; reaches every child process and the nodes' user data."""

    http: Address | None = Field(None, description="For http.")
    https: Address | None = Field(None, description="For https.")
    no_proxy: tuple[Text, ...] = Field((), strict=False, description="Hosts and networks that are reached directly.")
    ca_bundle: PurePosixPath | None = Field(None, strict=False, description="File of certificate authorities to trust.")


class Mirror(Model):
    """Where everything from outside is fetched instead."""

    charts: Text | None = Field(None, description="Chart repository or OCI registry that replaces every chart's own.")
    images: Text | None = Field(None, description="Registry that replaces every image's own.")
    providers: PurePosixPath | None = Field(
        None, strict=False, description="Directory that holds registry.terraform.io/... for Terraform."
    )
