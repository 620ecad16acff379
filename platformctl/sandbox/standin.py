"""An existing cluster in the place of our own control plane: what is needed of its kubeconfig."""

from __future__ import annotations

import ssl
from pathlib import Path

from platformctl.core.errors import PreconditionError
from platformctl.sandbox.account import Cluster
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.state import write_private


def adopt(layout: Layout, kubeconfig: Path) -> Cluster:
    """Reads the current context and asks the cluster for its version; keeps a copy of its authority's certificate.

    Raises PreconditionError when the file is missing or no kubeconfig, or when the cluster does not answer.
    """
    # The client library and not our own reading: kubeconfigs have exec plugins, inline and file certificates, merging.
    from kubernetes import client, config

    if not kubeconfig.is_file():
        raise PreconditionError(
            f"the kubeconfig {kubeconfig} of the cluster that stands in is gone",
            hint="platformctl sandbox down forgets it",
        )
    settings = client.Configuration()
    try:
        config.load_kube_config(str(kubeconfig), client_configuration=settings)  # type: ignore[no-untyped-call]
    except Exception as error:
        # It lets YAML's, the file system's and its own errors through, and stumbles over unexpected shapes.
        raise PreconditionError(f"{kubeconfig} is not a usable kubeconfig: {_first_line(error)}") from error
    settings.retries = False
    try:
        client.VersionApi(client.ApiClient(settings)).get_code(_request_timeout=10)
    except Exception as error:
        # Likewise with urllib3's, ssl's and its own: all mean the same here.
        raise PreconditionError(
            f"the cluster of {kubeconfig} at {settings.host} does not answer: {_first_line(error)}",
            hint=f"kubectl --kubeconfig {kubeconfig} version",
        ) from error
    authority = layout.settings / "stand-in-ca.crt"
    write_private(authority, _authority(settings.ssl_ca_cert))
    return Cluster(settings.host, authority, kubeconfig.resolve(), own=False)


def _authority(path: str | None) -> str:
    """The cluster's authority; without one in the kubeconfig, those that this machine trusts."""
    if path:
        return Path(path).read_text(encoding="utf-8")
    trusted = ssl.get_default_verify_paths().cafile
    return Path(trusted).read_text(encoding="utf-8") if trusted else ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
