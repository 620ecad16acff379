"""The registry front says what ECR says, and what is pushed through it is in ECR's API. With the real registry."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.sandbox import registry
from platformctl.sandbox.aws.faults import Kind, Rule
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.ports import LOOPBACK, choose
from platformctl.toolchain import Toolchain
from tests.simulated_aws import ACCOUNT, SimulatedAws, running, started

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, str]:
        """The first error of the registry protocol."""
        found: dict[str, str] = json.loads(self.body)["errors"][0]
        return found


@dataclass(frozen=True)
class Client:
    """A docker client reduced to HTTP."""

    aws: SimulatedAws
    password: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request with the password, underscores in header names being dashes. A list is sent in chunks."""
        token = base64.b64encode(f"AWS:{self.password}".encode()).decode()
        sent = {"Authorization": f"Basic {token}"} if self.password else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(LOOPBACK, self.aws.registry_port, timeout=30)
        try:
            connection.request(method, path, body, sent, encode_chunked=isinstance(body, list))
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, received, answer.read())
        finally:
            connection.close()

    def push_blob(self, repository: str, content: bytes) -> dict[str, Any]:
        """Uploads in two chunks, following the Locations; its descriptor."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self.call("POST", f"/v2/{repository}/blobs/uploads/")
        assert begun.status == 202, begun
        halves = [content[: len(content) // 2], content[len(content) // 2 :]]
        patched = self.call(
            "PATCH", self.local(begun), halves, Content_Type="application/octet-stream", Transfer_Encoding="chunked"
        )
        assert patched.status == 202, patched
        location = self.local(patched)
        done = self.call("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}")
        assert done.status == 201, done
        assert done.headers["location"].startswith(f"http://{LOOPBACK}:{self.aws.registry_port}/v2/")
        return {"mediaType": "application/octet-stream", "digest": digest, "size": len(content)}

    def local(self, answer: Answer) -> str:
        """The path of a Location, which must name the front."""
        front = f"http://{LOOPBACK}:{self.aws.registry_port}"
        assert answer.headers["location"].startswith(f"{front}/")
        return answer.headers["location"].removeprefix(front)

    def push(self, repository: str, reference: str, content: bytes, **members: Any) -> tuple[Answer, str]:
        """An image with one layer; the answer to its manifest, and its digest."""
        config, layer = self.push_blob(repository, b"{}"), self.push_blob(repository, content)
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], **members}
        manifest = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        target = f"/v2/{repository}/manifests/{reference or digest}"
        return self.call("PUT", target, manifest, Content_Type=MANIFEST), digest


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Somebody who has asked for a password."""
    host = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
    toolchain = Toolchain(None, None, host.bind(cancel=Cancel(), on_line=None, on_child=None))
    toolchain.sync([registry.REGISTRY])
    directory = tmp_path_factory.mktemp("registry")
    layout = Layout.of(directory)
    layout.make()
    ports = choose(registry.PORTS, kept={}, movable=True, directory=directory)
    registry.write_settings(layout, ports)
    part = registry.part(layout, ports, toolchain.find)
    command = Command(part.argv, env=part.environment)
    with (
        started(command, directory / "registry.log", part.readiness),
        running(directory, registry_upstream=registry.endpoint(ports)) as aws,
    ):
        yield Client(aws, password(aws))


def password(aws: SimulatedAws) -> str:
    """As ``aws ecr get-login-password`` prints it."""
    entry = aws.client("ecr").get_authorization_token()["authorizationData"][0]
    assert entry["proxyEndpoint"] == f"http://{LOOPBACK}:{aws.registry_port}"
    return base64.b64decode(entry["authorizationToken"]).decode().removeprefix("AWS:")


def repository(client: Client, name: str, mutability: str = "IMMUTABLE") -> str:
    """Makes one; its name."""
    made = client.aws.client("ecr").create_repository(repositoryName=name, imageTagMutability=mutability)
    assert made["repository"]["repositoryUri"] == f"{LOOPBACK}:{client.aws.registry_port}/{name}"
    return name


def test_nobody_comes_in_without_a_password_of_this_account(client: Client) -> None:
    for wrong in (Client(client.aws, ""), Client(client.aws, "guessed")):
        answer = wrong.call("GET", "/v2/")
        assert (answer.status, answer.body) == (401, b"Not Authorized\n")
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert client.call("GET", "/v2/").status == 200


def test_a_repository_must_exist_before_anything_is_pushed_to_it(client: Client) -> None:
    answer = client.call("POST", "/v2/unknown/thing/blobs/uploads/")
    assert answer.status == 404
    assert answer.error == {
        "code": "NAME_UNKNOWN",
        "message": f"The repository with name 'unknown/thing' does not exist in the registry with id '{ACCOUNT}'",
    }


def test_what_is_pushed_can_be_pulled_and_stands_in_the_api(client: Client) -> None:
    name = repository(client, "team/orders")
    layer = b"layer" * 200_000
    answer, digest = client.push(name, "v1", layer)
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, digest)
    pulled = client.call("GET", f"/v2/{name}/manifests/v1")
    assert pulled.headers["docker-content-digest"] == digest
    assert f"sha256:{hashlib.sha256(pulled.body).hexdigest()}" == digest
    blob = json.loads(pulled.body)["layers"][0]["digest"]
    assert client.call("GET", f"/v2/{name}/blobs/{blob}").body == layer
    head = client.call("HEAD", f"/v2/{name}/manifests/{digest}")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(pulled.body)), b"")
    detail = client.aws.client("ecr").describe_images(repositoryName=name)["imageDetails"]
    assert [(item["imageDigest"], item["imageTags"], item["imageSizeInBytes"]) for item in detail] == [
        (digest, ["v1"], len(layer) + 2)
    ]
    assert json.loads(client.call("GET", f"/v2/{name}/tags/list").body) == {"name": name, "tags": ["v1"]}


def test_an_immutable_tag_does_not_move_and_the_same_image_again_is_fine(client: Client) -> None:
    name = repository(client, "immutable")
    first, digest = client.push(name, "v1", b"one")
    again, same = client.push(name, "v1", b"one")
    other, _ = client.push(name, "v1", b"two")
    assert (first.status, again.status, same) == (201, 201, digest)
    assert (other.status, other.error["code"]) == (400, "TAG_INVALID")
    assert other.error["message"] == (
        "The image tag 'v1' already exists in the 'immutable' repository and cannot be overwritten because the tag is "
        "immutable."
    )
    assert client.call("HEAD", f"/v2/{name}/manifests/v1").headers["docker-content-digest"] == digest


def test_a_mutable_tag_moves_and_the_image_it_left_stays_untagged(client: Client) -> None:
    name = repository(client, "mutable", "MUTABLE")
    _, first = client.push(name, "latest", b"one")
    _, second = client.push(name, "latest", b"two")
    assert client.call("HEAD", f"/v2/{name}/manifests/latest").headers["docker-content-digest"] == second
    images = {
        item["imageDigest"]: item
        for item in client.aws.client("ecr").describe_images(repositoryName=name)["imageDetails"]
    }
    assert set(images) == {first, second}
    assert "imageTags" not in images[first]


def test_deleting_through_the_api_deletes_for_docker_too(client: Client) -> None:
    name, ecr = repository(client, "deleted"), client.aws.client("ecr")
    _, digest = client.push(name, "v1", b"one")
    with pytest.raises(ClientError, match="RepositoryNotEmptyException"):
        ecr.delete_repository(repositoryName=name)
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": digest}])
    for reference in ("v1", digest):
        assert client.call("GET", f"/v2/{name}/manifests/{reference}").error["code"] == "MANIFEST_UNKNOWN"
    ecr.delete_repository(repositoryName=name)
    assert client.call("GET", f"/v2/{name}/manifests/v1").error["code"] == "NAME_UNKNOWN"


def test_a_tag_given_through_the_api_can_be_pulled_and_may_not_move_either(client: Client) -> None:
    name, ecr = repository(client, "promoted"), client.aws.client("ecr")
    _, digest = client.push(name, "build-7", b"one")
    _, other = client.push(name, "build-8", b"two")
    image = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "build-7"}])["images"][0]
    ecr.put_image(repositoryName=name, imageManifest=image["imageManifest"], imageTag="prod")
    assert client.call("HEAD", f"/v2/{name}/manifests/prod").headers["docker-content-digest"] == digest
    with pytest.raises(ClientError, match="ImageAlreadyExistsException"):
        ecr.put_image(repositoryName=name, imageManifest=image["imageManifest"], imageTag="prod")
    newer = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": other}])["images"][0]
    with pytest.raises(ClientError, match="ImageTagAlreadyExistsException"):
        ecr.put_image(repositoryName=name, imageManifest=newer["imageManifest"], imageTag="prod")


def test_a_manifest_whose_layers_were_not_pushed_is_refused(client: Client) -> None:
    name = repository(client, "without-layers")
    missing = {"mediaType": "application/octet-stream", "digest": f"sha256:{'0' * 64}", "size": 1}
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": missing, "layers": []}
    answer = client.call("PUT", f"/v2/{name}/manifests/v1", json.dumps(document).encode(), Content_Type=MANIFEST)
    assert (answer.status, answer.error["code"]) == (400, "MANIFEST_BLOB_UNKNOWN")
    garbage = client.call("PUT", f"/v2/{name}/manifests/v1", b"[]", Content_Type=MANIFEST)
    assert (garbage.status, garbage.error["code"]) == (400, "MANIFEST_INVALID")
    wrong = client.call("PUT", f"/v2/{name}/manifests/sha256:{'1' * 64}", b"{}", Content_Type=MANIFEST)
    assert wrong.error["code"] == "DIGEST_INVALID"


def test_signatures_and_bills_of_material_are_found_by_what_they_are_about(client: Client) -> None:
    name = repository(client, "signed")
    _, digest = client.push(name, "v1", b"one")
    subject = {"mediaType": MANIFEST, "digest": digest, "size": 1}
    answer, signature = client.push(name, "", b"signature", subject=subject, artifactType="application/x-signature")
    assert (answer.status, answer.headers["oci-subject"]) == (201, digest)
    found = json.loads(client.call("GET", f"/v2/{name}/referrers/{digest}").body)["manifests"]
    assert [(item["digest"], item["artifactType"]) for item in found] == [(signature, "application/x-signature")]
    filtered = client.call("GET", f"/v2/{name}/referrers/{digest}?artifactType=application/other")
    assert (json.loads(filtered.body)["manifests"], filtered.headers["oci-filters-applied"]) == ([], "artifactType")


def test_the_registry_fails_on_purpose_too(client: Client) -> None:
    name = repository(client, "faulty")
    with client.aws.faults as faults:
        faults.put(Rule("registry", "PUT manifests", status=503, code="UNAVAILABLE"), Rule("registry", kind=Kind.RESET))
        with pytest.raises(ConnectionError):
            client.call("POST", f"/v2/{name}/blobs/uploads/")
        answer, _ = client.push(name, "v1", b"one")
        assert answer.status == 503
        assert faults.hits() == [1, 1]


def test_the_registry_knows_its_own_addresses_only(client: Client) -> None:
    for path in ("/v2/_catalog", "/", "/v2/immutable/other/thing"):
        assert client.call("GET", path).status == 404
    assert client.call("DELETE", "/v2/immutable/manifests/v1").error["code"] == "UNSUPPORTED"
