"""What of the caller's own environment reaches the programs that talk to a cloud: who we are, and the way out. Pure.

Which cloud is changed (region, endpoint, account) never comes from here: that is the environment file's to say.
"""

from __future__ import annotations

from collections.abc import Mapping

from platformctl.core.secret import Secret
from platformctl.spec.environment import Proxy

_PLAIN = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_SECRET = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SECRET_PREFIXES = ("TF_TOKEN_",)
"""Tokens of private module and provider registries."""


def caller_credentials(environ: Mapping[str, str]) -> dict[str, str | Secret]:
    """The variables by which the AWS SDKs find the caller's credentials, and Terraform its registries' tokens."""
    found: dict[str, str | Secret] = {name: environ[name] for name in _PLAIN if environ.get(name)}
    for name, value in environ.items():
        if value and (name in _SECRET or name.startswith(_SECRET_PREFIXES)):
            found[name] = Secret(value, f"env:{name}")
    return found


def proxy_variables(proxy: Proxy | None) -> dict[str, str]:
    """The environment's way out of a closed network, as programs read it; empty when it names none."""
    if proxy is None:
        return {}
    values = {"HTTP_PROXY": proxy.http, "HTTPS_PROXY": proxy.https, "NO_PROXY": ",".join(proxy.no_proxy)}
    bundle = f"{proxy.ca_bundle}" if proxy.ca_bundle else ""
    values |= {"SSL_CERT_FILE": bundle, "AWS_CA_BUNDLE": bundle}
    return {name: f"{value}" for name, value in values.items() if value}
