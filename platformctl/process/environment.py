"""Which of our own variables a program inherits. Everything else it needs, its command hands it."""

from __future__ import annotations

from collections.abc import Mapping

ALLOWED = frozenset(
    {
        # Where programs, homes, caches and temporary files are: nothing runs without them.
        "PATH", "HOME", "USER", "LOGNAME", "TMPDIR",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
        # How text and time are written.
        "LANG", "LANGUAGE", "TZ",
        # The way out of this network, in both spellings that programs read.
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
        # The certificate authorities of this network: OpenSSL and Go, requests, curl, git, Node, and AWS's SDKs. The
        # last is no exception to what is said below: it says whom to trust, not whom to call.
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
        "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE",
        # Where this network keeps Go modules, and who may vouch for them.
        "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE",
        # Keys that never leave their agent: git and Ansible over SSH.
        "SSH_AUTH_SOCK",
    }
)  # fmt: skip
"""On purpose not here: AWS_*, TF_*, KUBECONFIG, ANSIBLE_*, HELM_*. What decides which cloud or cluster is changed comes
from the environment file, through ``Command.env``, never by accident from a shell. Nor Jenkins' variables: its process
killer goes by BUILD_ID and would hit Terraform at the same moment as us, who want to interrupt it gently. Nor
LD_PRELOAD, PYTHONPATH and the like, which change what a program is."""

PREFIXES = ("LC_", "PLATFORMCTL_")
"""Locale categories, and our own settings for a platformctl inside a platformctl."""


def allowed(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of ``environ`` that every program may see."""
    return {name: value for name, value in environ.items() if name in ALLOWED or name.startswith(PREFIXES)}
