"""What runs on the platform and how it gets there: cluster, hosts, services, the manifest repository."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from platformctl.spec.stacks import OutputRef
from platformctl.spec.values import Address, Model, Name, SecretField, Text


class Cluster(Model):
    """How everything after Terraform reaches Kubernetes."""

    kind: Literal["eks", "kubeconfig"] = Field("eks", description="`eks` by AWS' API, `kubeconfig` by a file.")
    name: OutputRef | Name | None = Field(None, description="The EKS cluster's name, or the output that has it.")
    kubeconfig: PurePosixPath | None = Field(None, strict=False, description="The file, for kind kubeconfig.")
    context: Text | None = Field(None, description="The context in that file; its current one otherwise.")


class Hosts(Model):
    """Machines that Ansible configures. The inventory is the only list of them."""

    inventory: Text = Field(description="Inventory directory, below the root.")


class Service(Model):
    """An application."""

    source: Text = Field(description="Its folder, below the root.")
    repository: Text = Field(description="Its image repository, or the output that has it.")
    overlay: Text = Field(description="Its overlay, below the manifest repository.")
    application: Name = Field(description="Its Argo CD application.")
    needs: tuple[Name, ...] = Field((), strict=False, description="Services that must be delivered before.")


class PullRequests(Model):
    """Changes of manifests as pull requests instead of commits."""

    forge: Literal["github", "gitlab", "gitea", "bitbucket"] = Field(description="Whose API.")
    api: Address | None = Field(None, description="The API's address, when it is not the forge's public one.")
    credentials: SecretField | None = Field(None, description="The API's token; git's credentials otherwise.")
    automerge: bool = Field(False, description="Ask the forge to merge when its checks pass.")


class Gitops(Model):
    """The manifest repository that Argo CD syncs."""

    repository: Text = Field(description="Its address: https or ssh, without credentials in it.")
    branch: Text = Field("main", description="The branch that Argo CD follows.")
    username: Text = Field("git", description="The user that goes with a token.")
    credentials: SecretField | None = Field(None, description="Token for https, private key for ssh.")
    signing_key: SecretField | None = Field(None, description="Key to sign our commits with.")
    pull_requests: PullRequests | None = Field(None, description="Open pull requests instead of pushing.")
