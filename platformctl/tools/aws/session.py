"""A session: credentials, region and endpoint, from which clients come. Also how a role is assumed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformctl.core.errors import PreconditionError
from platformctl.core.secret import Secret
from platformctl.tools.aws.account import Account
from platformctl.tools.aws.failures import translated

CONNECT_TIMEOUT, READ_TIMEOUT = 5, 30  # seconds; boto3's own are 60 and 60, which hides a dead network for minutes
ATTEMPTS = 4


class Session:
    """Makes clients, one per service; safe to share between threads."""

    def __init__(self, boto: Any, account: Account, endpoint: str = "") -> None:
        self._boto = boto
        self._endpoint = endpoint
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self.account = account

    def client(self, service: str, region: str = "") -> Any:
        """The boto3 client of a service (``s3``, ``sts``), in the account's region unless another is named.

        Raises PreconditionError when it can't be made.
        """
        from botocore.config import Config

        with self._lock:  # boto3 clients may be shared between threads, making them may not
            if (service, region) not in self._clients:
                config = Config(
                    connect_timeout=CONNECT_TIMEOUT,
                    read_timeout=READ_TIMEOUT,
                    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                    user_agent_extra="platformctl",
                    # Which cloud is changed comes from the environment file, never from a variable left in a shell.
                    ignore_configured_endpoint_urls=True,
                    # A bucket is not a host name below an endpoint of ours.
                    s3={"addressing_style": "path"} if self._endpoint else None,
                )
                with translated(f"reach AWS {service}"):
                    self._clients[service, region] = self._boto.client(
                        service, config=config, endpoint_url=self._endpoint or None, region_name=region or None
                    )
            return self._clients[service, region]


def session(account: Account, connection: Mapping[str, str | Secret] | None = None) -> Session:
    """A session for ``account``, through ``connection`` where there is one (the sandbox's AWS).

    ``connection`` holds AWS' own variable names: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    AWS_SESSION_TOKEN; without it boto3's usual sources are asked. ``account.role`` is assumed when there is one; its
    credentials renew themselves. No call is made yet. Raises PreconditionError for a profile that does not exist.
    """
    import boto3
    import botocore.session

    values = {name: _plain(value) for name, value in (connection or {}).items()}
    endpoint = values.get("AWS_ENDPOINT_URL", "")
    with translated("open an AWS session"):
        # With a connection the user's own profile does not matter, not even whether it exists.
        unprofiled = {"profile": (None, None, None, None)} if endpoint else None
        caller = boto3.Session(
            botocore_session=botocore.session.Session(session_vars=unprofiled),
            aws_access_key_id=values.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=values.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=values.get("AWS_SESSION_TOKEN"),
            region_name=account.region,
            profile_name=None if endpoint else account.profile or None,
        )
        if not account.role:
            return Session(caller, account, endpoint)
        assuming = botocore.session.Session(session_vars=unprofiled)
        assuming.register_component("credential_provider", _resolver(caller, account, endpoint))
        return Session(boto3.Session(botocore_session=assuming, region_name=account.region), account, endpoint)


def _resolver(caller: Any, account: Account, endpoint: str) -> Any:
    from botocore.credentials import CredentialResolver

    return CredentialResolver([_AssumedRole(caller, account, endpoint)])


class _AssumedRole:
    """A credential provider of botocore's: the role's credentials, fetched at first use and renewed before they end."""

    METHOD = CANONICAL_NAME = "assume-role"

    def __init__(self, caller: Any, account: Account, endpoint: str) -> None:
        self._caller = Session(caller, account, endpoint)
        self._account = account

    def load(self) -> Any:
        from botocore.credentials import DeferredRefreshableCredentials

        return DeferredRefreshableCredentials(refresh_using=self._fetch, method=self.METHOD)

    def _fetch(self) -> dict[str, str]:
        arn, sts = self._account.role_arn, self._caller.client("sts")
        request = {"RoleArn": arn, "RoleSessionName": "platformctl"}
        with translated(f"assume the role {arn}"):
            if self._account.web_identity:
                answer = sts.assume_role_with_web_identity(**request, WebIdentityToken=self._token())
            else:
                external = {"ExternalId": self._account.external_id} if self._account.external_id else {}
                answer = sts.assume_role(**request, **external)
        credentials = answer["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }

    def _token(self) -> str:
        """Read each time: whoever gives the token renews the file."""
        try:
            return Path(self._account.web_identity).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise PreconditionError(
                f"the web identity token {self._account.web_identity} can't be read: {error.strerror}",
                hint="cloud.web_identity_token names the file that CI writes the token to",
            ) from error


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
