"""What keys of one environment demand of each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.spec.sample_roots import AWS, HEAD, faults, read

GITOPS = "gitops: {repository: 'https://h/x'}\n"
SERVICE = "source: app, overlay: o"
CLOUD = 'cloud: {region: ap-northeast-2, account: "123456789012", '


@pytest.fixture
def app(root: Path) -> Path:
    """A root with a service's folder."""
    (root / "app").mkdir()
    return root


@pytest.mark.parametrize(
    ("cloud", "expected"),
    [
        (
            "cloud: {provider: aws}",
            [
                "4: cloud.account is missing: provider aws needs it",
                "4: cloud.region is missing: provider aws needs it",
            ],
        ),
        (
            "cloud: {provider: none, region: ap-northeast-2, sandbox: true}",
            [
                "4: cloud.region has no meaning for provider none",
                "4: cloud.sandbox has no meaning for provider none",
            ],
        ),
        (f"{CLOUD}plan_role: plan}}", ["4: cloud.plan_role stands alone: apply_role must be given too"]),
        (
            f"{CLOUD}external_id: x}}",
            ["4: cloud.external_id goes with plan_role and apply_role, and there are none"],
        ),
        (
            f"{CLOUD}accounts: {{dns: {{account: '210987654321', apply_role: x}}}}}}",
            ["4: cloud.accounts.dns.apply_role stands alone: plan_role must be given too"],
        ),
    ],
)
def test_a_cloud_says_all_or_nothing_of_how_we_come_in(root: Path, cloud: str, expected: list[str]) -> None:
    assert faults(root, HEAD.replace("cloud: {provider: none}", cloud)) == expected


def test_what_the_root_gives_every_environment_may_stand_unused_in_one(root: Path) -> None:
    (root / "platform.yaml").write_text(
        "schemaVersion: 1\ndefaults: {cloud: {region: ap-northeast-2}, state: {bucket: shared-state}}\n"
    )
    assert read(root, HEAD).environment.cloud.provider == "none"
    assert faults(root, f"{HEAD}state: {{bucket: own-state}}\n") == [
        "5: state is a bucket in the environment's account: provider none has neither"
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("required_tags: [owner]\n", "1: the tag 'owner' is required and not set"),
        ("tags: {owner: ''}\nrequired_tags: [owner]\n", "5: the tag 'owner' is required and not set"),
        ("protected: true\n", "5: a protected environment says who approves: approvers needs users or groups"),
        (
            "approvers: {users: [a], quorum: 2}\n",
            "5: approvers.quorum is 2, and there are only 1 users and no groups",
        ),
        ("cluster: {kind: eks}\n", "5: cluster.name is missing: kind eks needs it"),
        ("cluster: {kind: kubeconfig}\n", "5: cluster.kubeconfig is missing: kind kubeconfig needs it"),
        ("cluster: {name: a, context: b}\n", "5: cluster.context has no meaning for kind eks"),
        ("argocd: {cluster: {kind: eks}}\n", "5: argocd.cluster.name is missing: kind eks needs it"),
        ("addons: [x]\n", "5: addons go into a cluster: cluster is missing"),
        (
            "notify: {kakao: {client_id: {env: A}}}\n",
            "5: notify.kakao keeps a token beside the run records: notify.encryption_key must be given too",
        ),
        (
            f"services: {{a: {{{SERVICE}, repository: h/x, application: a}}}}\n",
            "5: services are delivered through the manifest repository: gitops is missing",
        ),
        (
            f"{GITOPS}services: {{a: {{{SERVICE}, repository: h/x}}}}\n",
            "6: services.a is run by one of application and application_set, and none is given",
        ),
        (
            f"{GITOPS}services: {{a: {{{SERVICE}, repository: h/x, application: a, application_set: b}}}}\n",
            "6: services.a is run by one of application and application_set, not both",
        ),
        (
            f"{GITOPS}services: {{a: {{{SERVICE}, repository: orders, application: a}}}}\n",
            "6: services.a.repository must be an address such as registry.example.org/orders, or `stack.output`",
        ),
    ],
)
def test_keys_that_belong_together_are_asked_for(app: Path, lines: str, expected: str) -> None:
    assert expected in faults(app, HEAD + lines)


def test_an_environment_that_keeps_every_rule_is_valid(app: Path) -> None:
    text = f"{AWS}{GITOPS}services: {{a: {{{SERVICE}, repository: h/x, application_set: a}}}}\nprotected: true\napprovers: {{groups: [leads], quorum: 2}}\n"  # fmt: skip  # noqa: E501
    assert read(app, text).environment.services["a"].application_set == "a"
