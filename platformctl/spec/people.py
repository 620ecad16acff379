"""Who decides and who is told: approvers of gates, chat channels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from platformctl.core.clock import Duration
from platformctl.spec.values import Address, DurationField, Model, Name, SecretField, Shape, Text

Moment = Literal["started", "waiting", "succeeded", "failed", "recovered", "drift"]


class IdentityProvider(Model):
    """Whose tokens prove who answers, where neither AWS nor Jenkins does (OpenID Connect)."""

    issuer: Address = Field(description="The issuer, exactly as its tokens say it.")
    audience: Text = Field("platformctl", description="For whom the tokens are made.")
    groups_claim: Text = Field("groups", description="The claim that lists the groups.")


class Approvers(Model):
    """Who may answer a gate. With neither users nor groups, whoever can write the record."""

    users: tuple[Text, ...] = Field((), strict=False, description="Names, as the identity provider has them.")
    groups: tuple[Text, ...] = Field((), strict=False, description="Groups, as the identity provider has them.")
    quorum: Annotated[int, Field(ge=1, le=10)] = Field(1, description="So many different people must approve.")
    expires: DurationField = Field(Duration(24 * 3600.0), description="How long a question waits for its answer.")
    identity: IdentityProvider | None = Field(None, description="Whose tokens prove who answers.")


class Slack(Model):
    """A Slack channel."""

    channel: Annotated[str, Shape(r"#[^\s#]+|[CG][A-Z0-9]+", "`#name` or a channel's id", 80)] = Field(
        description="`#name` or the channel's id."
    )
    token: SecretField = Field(description="Bot token.")


class Kakao(Model):
    """KakaoTalk's memo to oneself. `platformctl notify login kakao` fetches the first refresh token."""

    client_id: SecretField = Field(description="The app's REST API key.")
    client_secret: SecretField | None = Field(None, description="Its client secret, when the app has one.")
    redirect_uri: Address = Field("http://localhost", description="As the app has it registered.")


class Webhook(Model):
    """Any other receiver: each message as a JSON POST, signed with the secret."""

    url: SecretField = Field(description="Its address, which is a secret itself.")
    secret: SecretField | None = Field(None, description="Key of the HMAC-SHA256 signature.")


class Notify(Model):
    """Who is told what happened."""

    language: Literal["en", "ko"] = Field("en", description="The language of the messages.")
    events: tuple[Moment, ...] = Field(
        ("waiting", "failed", "recovered", "drift"), strict=False, description="What is told."
    )
    pipelines: dict[Name, Annotated[tuple[Moment, ...], Field(strict=False)]] = Field(
        default_factory=dict, description="What is told of single pipelines, instead of `events`."
    )
    slack: Slack | None = Field(None, description="A Slack channel.")
    kakao: Kakao | None = Field(None, description="KakaoTalk.")
    webhook: Webhook | None = Field(None, description="Any other receiver.")
    encryption_key: SecretField | None = Field(
        None, description="Encrypts what channels keep beside the run records; must be given for kakao."
    )
