"""Guards, declared drift, credentials and keys: what steps on stacks decide without asking anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from platformctl.core.errors import PlatformError, SpecError, StepFailed, UsageError
from platformctl.core.secret import Secret
from platformctl.spec.environment import DriftNoise, Environment, Proxy
from platformctl.steps.credentials import caller_credentials, proxy_variables
from platformctl.steps.stack_drift import without_noise
from platformctl.steps.stack_guards import check_guards
from platformctl.steps.stack_site import Role, Site, account_of, state_key
from platformctl.tools.terraform.generated import LocalBackend, S3Backend
from platformctl.tools.terraform.normalise import NormalisedPlan

DOCUMENT: dict[str, Any] = {
    "apiVersion": "platform/v1",
    "kind": "Environment",
    "name": "dev",
    "cloud": {
        "provider": "aws",
        "region": "ap-northeast-2",
        "account": "123456789012",
        "plan_role": "plan",
        "apply_role": "arn:aws:iam::123456789012:role/x/apply",
        "accounts": {"dns": {"account": "999999999999", "apply_role": "dns"}},
    },
    "state": {"bucket": "acme", "prefix": "platform"},
    "tags": {"owner": "platform"},
    "stacks": {"network": {"source": "network"}, "zone": {"source": "zone", "account": "dns"}},
}

ROOT = Path("/root")


def environment(**changed: Any) -> Environment:
    return Environment.model_validate({**DOCUMENT, **changed})


def destroying(*addresses: str) -> NormalisedPlan:
    return NormalisedPlan(changes={address: {"actions": ["delete"], "before": {}} for address in addresses})


@pytest.mark.parametrize(
    ("changed", "teardown", "said"),
    [
        ({"guards": {"max_destroys": 1}}, False, "guards.max_destroys allows 1: a.b, module.db.c"),
        ({"guards": {"max_destroys": 2}}, False, ""),
        ({"guards": {"max_destroys": 0}}, True, ""),
        ({"guards": {"never_destroy": ["module.db.*"]}}, False, "protects: module.db.c"),
        ({"guards": {"never_destroy": ["module.db.*"]}}, True, "protects: module.db.c"),
        ({"guards": {"never_destroy": ["db"]}}, False, ""),
        (
            {"stacks": {"network": {"source": "network", "protected": True}}},
            True,
            "which is protected, would destroy a.b",
        ),
    ],
)
def test_guards(changed: dict[str, Any], teardown: bool, said: str) -> None:
    plan = destroying("module.db.c", "a.b")
    if not said:
        check_guards(environment(**changed), "network", plan, teardown=teardown)
        return
    with pytest.raises(StepFailed) as caught:
        check_guards(environment(**changed), "network", plan, teardown=teardown)
    assert said in caught.value.message
    assert caught.value.hint


def test_brackets_in_an_address_are_only_brackets() -> None:
    guarded = environment(guards={"never_destroy": ['aws_subnet.a["x"]']})
    with pytest.raises(StepFailed):
        check_guards(guarded, "network", destroying('aws_subnet.a["x"]'), teardown=False)
    check_guards(guarded, "network", destroying("aws_subnet.ax"), teardown=False)


def test_declared_drift_is_no_news_and_everything_else_is() -> None:
    plan = NormalisedPlan(
        changes={
            "a.tags": {"actions": ["update"], "before": {"tags": {"x": "1"}}, "after": {"tags": {"x": "2"}}},
            "a.size": {"actions": ["update"], "before": {"size": 1, "tags": {}}, "after": {"size": 2, "tags": {}}},
            "a.gone": {"actions": ["delete"], "before": {}},
        },
        outputs={"o": {"actions": ["update"], "after": 1}},
    )
    declared = [DriftNoise(address="a.*", attributes=("tags",), reason="a controller tags them")]
    assert without_noise(plan, declared) == (["a.gone", "a.size", "output.o"], ["a.tags"])
    everything = [DriftNoise(address="*", reason="all of it")]
    assert without_noise(plan, everything) == (["a.gone", "output.o"], ["a.size", "a.tags"])


def test_who_we_are_comes_from_the_caller_and_where_does_not() -> None:
    found = caller_credentials(
        {
            "AWS_PROFILE": "acme",
            "AWS_SECRET_ACCESS_KEY": "hunter2",
            "TF_TOKEN_app_terraform_io": "t",
            "AWS_ENDPOINT_URL": "http://elsewhere",
            "AWS_REGION": "us-east-1",
            "TF_CLI_ARGS_apply": "-auto-approve",
            "AWS_SESSION_TOKEN": "",
        }
    )
    assert set(found) == {"AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "TF_TOKEN_app_terraform_io"}
    assert isinstance(found["AWS_SECRET_ACCESS_KEY"], Secret)
    assert isinstance(found["TF_TOKEN_app_terraform_io"], Secret)


def test_the_way_out_is_the_environments() -> None:
    proxy = Proxy(http="http://proxy:3128", https="http://proxy:3128", no_proxy=("10.0.0.0/8", ".local"))
    assert proxy_variables(proxy)["NO_PROXY"] == "10.0.0.0/8,.local"
    assert proxy_variables(None) == {}


def test_states_lie_below_the_prefix_by_environment() -> None:
    assert state_key(environment(), "network") == "platform/dev/network.tfstate"


@pytest.mark.parametrize("name", ["runs", "leases"])
def test_no_environments_states_lie_among_records(name: str) -> None:
    with pytest.raises(SpecError, match=f"can't be named {name}"):
        state_key(environment(name=name), "network")


def test_a_stack_has_the_roles_of_its_account_and_its_state_those_of_the_environment() -> None:
    zone = Site(environment(), "zone", root=ROOT, connection={})
    provider, backend = zone.provider(Role.APPLY), zone.backend(Role.APPLY)
    assert provider is not None
    assert isinstance(backend, S3Backend)
    assert provider.assume is not None
    assert backend.assume is not None
    assert (provider.account, provider.assume.arn) == ("999999999999", "arn:aws:iam::999999999999:role/dns")
    assert backend.assume.arn == "arn:aws:iam::123456789012:role/x/apply"
    assert provider.tags == {"owner": "platform", "platformctl/environment": "dev", "platformctl/stack": "zone"}


def test_without_a_cloud_there_is_no_provider_and_the_state_is_a_file() -> None:
    site = Site(environment(cloud={"provider": "none"}, state=None, stacks={"a": {"source": "a"}}), "a", ROOT, {})
    assert site.provider(Role.PLAN) is None
    assert site.backend(Role.PLAN) == LocalBackend(ROOT / ".platform/state/dev/a.tfstate")


def named(name: str) -> Site:
    return Site(environment(), name, ROOT, {})


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: named("netwrok"), "did you mean 'network'?"),
        (lambda: account_of(environment(), "nobody", None), "there are: dns"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(ask: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        ask()
    assert isinstance(caught.value, PlatformError)
    assert said in caught.value.hint
