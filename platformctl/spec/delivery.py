"""What runs on the platform and how it gets there: cluster, add-ons, hosts, services, manifests, Argo CD, signing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from platformctl.core.clock import Duration
from platformctl.spec.values import (
    Address,
    DurationField,
    Folder,
    MachinePath,
    Model,
    Name,
    NameOrOutput,
    ObjectName,
    OutputRef,
    SecretField,
    Shape,
    Text,
)

GitAddress = Annotated[
    str,
    # Git would run a program for ext:: and take a leading dash for an option.
    Shape(
        r"https?://(?![^/\s]*@)\S+|ssh://[^\s-]\S*|[A-Za-z0-9_.]+@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s-]\S*",
        "an https or ssh address of a git repository, without a password in it",
    ),
]


class Cluster(Model):
    """How to reach a Kubernetes cluster."""

    kind: Literal["eks", "kubeconfig"] = Field("eks", description="`eks` by AWS' API, `kubeconfig` by a file.")
    name: NameOrOutput | None = Field(None, description="For eks: the cluster's name, or the output that has it.")
    account: Name | None = Field(None, description="For eks: one of cloud.accounts; the environment's own otherwise.")
    kubeconfig: MachinePath | None = Field(None, description="For kubeconfig: the file.")
    context: Text | None = Field(None, description="For kubeconfig: the context in it; its current one otherwise.")


class Addon(Model):
    """A chart of helm/addons in this environment; the file there says which chart, where it goes and what it needs."""

    name: Name = Field(description="The file's name without .yaml.")
    values: dict[str, Any] = Field(default_factory=dict, description="Merged over the file's own values.")
    needs: dict[Text, OutputRef] = Field(
        default_factory=dict, description="Values that come from a stack: `path.of.value: stack.output`."
    )


class _NameAlone:
    """Lets a model with a ``name`` be written as the name alone."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: {"name": value} if isinstance(value, str) else value, handler(source)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


AddonItem = Annotated[Addon, _NameAlone()]
"""``metrics-server``, or a mapping where more than the name is said."""


class Hosts(Model):
    """Machines that Ansible configures. The inventory is the only list of them."""

    inventory: Folder = Field(description="Inventory directory, below the root.")
    playbooks: tuple[Name, ...] = Field(
        ("configure-hosts",), strict=False, description="Names of files in ansible/playbooks, in order."
    )
    private_key: SecretField | None = Field(None, description="SSH key; what the machine's SSH has otherwise.")
    vault_password: SecretField | None = Field(None, description="Password of Ansible's vault.")


class Build(Model):
    """How a service's image is built."""

    dockerfile: Folder = Field("Dockerfile", description="Below the service's folder.")
    target: Text | None = Field(None, description="The stage of the Dockerfile; the last one otherwise.")
    arguments: dict[Text, str] = Field(default_factory=dict, description="Build arguments, the base image among them.")
    secrets: dict[Text, SecretField] = Field(
        default_factory=dict, description="Mounted while it builds, by id; never in a layer."
    )
    platforms: tuple[Annotated[str, Shape(r"linux/[a-z0-9]+(/v\d)?", "a platform such as linux/amd64")], ...] = Field(
        ("linux/amd64",), strict=False, description="More than one makes an index."
    )
    builder: Literal["buildah", "docker"] = Field("buildah", description="`docker` means buildx.")


class Service(Model):
    """An application."""

    source: Folder = Field(description="Its folder, below the root.")
    repository: Text = Field(
        description="Its image repository, or the output that has it (`registry.repository_urls.orders`)."
    )
    build: Build = Field(Build(), description="How its image is built.")
    test: tuple[Text, ...] = Field((), strict=False, description="Program and arguments that test it, in its folder.")
    overlay: Folder = Field(description="Its overlay, below the manifest repository.")
    image: Text | None = Field(None, description="Name under `images` of the overlay; the service's name otherwise.")
    application: ObjectName | None = Field(None, description="Its Argo CD Application.")
    application_set: ObjectName | None = Field(None, description="Or the ApplicationSet whose Applications run it.")
    needs: tuple[Name, ...] = Field((), strict=False, description="Services that must be delivered before.")


class PullRequests(Model):
    """Changes of manifests as pull requests instead of commits."""

    forge: Literal["github", "gitlab", "gitea"] = Field(description="Whose API.")
    api: Address | None = Field(None, description="The API's address, when it is not the forge's public one.")
    credentials: SecretField | None = Field(None, description="The API's token; git's credentials otherwise.")
    automerge: bool = Field(False, description="Ask the forge to merge when its checks pass.")


class Gitops(Model):
    """The manifest repository that Argo CD syncs."""

    repository: GitAddress = Field(description="Its address: https or ssh, without credentials in it.")
    branch: Annotated[str, Shape(r"(?!-)[A-Za-z0-9._/-]+", "a branch's name")] = Field(
        "main", description="The branch that Argo CD follows."
    )
    username: Text = Field("git", description="The user that goes with a token.")
    credentials: SecretField | None = Field(None, description="Token for https, private key for ssh.")
    author: Annotated[str, Shape(r"[^<>\n]+ <[^<>\s]+@[^<>\s]+>", "an author: Name <address@example.org>")] = Field(
        "platformctl <platformctl@localhost>", description="Whom our commits name: `Name <address>`."
    )
    signing_key: SecretField | None = Field(None, description="Key to sign our commits with.")
    pull_requests: PullRequests | None = Field(None, description="Open pull requests instead of pushing.")


class ArgoServer(Model):
    """Argo CD's own API, where the Kubernetes API does not show its Applications."""

    address: Address = Field(description="Its address.")
    token: SecretField = Field(description="A token that may read Applications.")


class ArgoCD(Model):
    """Where the Applications are, and when a delivery counts."""

    namespace: ObjectName = Field("argocd", description="The namespace of the Applications.")
    cluster: Cluster | None = Field(None, description="The cluster of the Applications; the environment's otherwise.")
    server: ArgoServer | None = Field(None, description="Ask Argo CD's API instead of Kubernetes'.")
    settle: DurationField = Field(Duration(10.0), description="How long it must stay healthy.")


class Signing(Model):
    """Who vouches for images: cosign's key pair."""

    key: SecretField = Field(description="The private key.")
    password: SecretField | None = Field(None, description="The private key's password.")
    public_key: Folder = Field(description="The public key, a file below the root.")
