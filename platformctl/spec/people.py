"""Who decides and who is told: approvers of gates, chat channels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from platformctl.core.clock import Duration
from platformctl.spec.values import DurationField, Model, SecretField, Text


class Approvers(Model):
    """Who may answer a gate. With neither users nor groups, whoever can write the record."""

    users: tuple[Text, ...] = Field((), strict=False, description="Names, as the identity provider has them.")
    groups: tuple[Text, ...] = Field((), strict=False, description="Groups, as the identity provider has them.")
    quorum: Annotated[int, Field(ge=1, le=10)] = Field(1, description="So many different people must approve.")
    expires: DurationField = Field(Duration(24 * 3600.0), description="How long a question waits for its answer.")


class Slack(Model):
    """A Slack channel."""

    channel: Annotated[str, Field(pattern=r"^[#CG]\S+$")] = Field(description="`#name` or the channel's id.")
    token: SecretField = Field(description="Bot token.")


class Kakao(Model):
    """KakaoTalk: to oneself, to friends, or as a business message (Alimtalk) through a dealer."""

    kind: Literal["memo", "friends", "alimtalk"] = Field("memo", description="Which of Kakao's three ways.")
    token: SecretField = Field(description="Refresh token, or the dealer's API key.")
    receivers: tuple[Text, ...] = Field((), strict=False, description="Friends' ids or telephone numbers.")
    template: Text | None = Field(None, description="The approved template's code, for Alimtalk.")


class Webhook(Model):
    """Any other receiver: each message as a JSON POST, signed with the secret."""

    url: SecretField = Field(description="Its address, which is a secret itself.")
    secret: SecretField | None = Field(None, description="Key of the HMAC-SHA256 signature.")


class Notify(Model):
    """Who is told what happened."""

    slack: Slack | None = Field(None, description="A Slack channel.")
    kakao: Kakao | None = Field(None, description="KakaoTalk.")
    webhook: Webhook | None = Field(None, description="Any other receiver.")
    events: tuple[Literal["started", "waiting", "succeeded", "changed", "failed"], ...] = Field(
        ("waiting", "changed", "failed"), strict=False, description="What is told."
    )
