"""The working copy: links, generated files, and when ``init`` has to run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.errors import PreconditionError, SpecError
from platformctl.tools.terraform.cli_config import cli_config, user_config
from platformctl.tools.terraform.configuration import read_text
from platformctl.tools.terraform.generated import AssumeRole, LocalBackend, Provider, S3Backend, generate
from platformctl.tools.terraform.workspace import WorkingCopy, init_digest, provider_versions

STACK = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {}
provider "aws" {
  alias  = "us"   # a comment with a "quote
  region = "us-east-1"
}
variable "vpc_id" { type = string }
variable "subnet_ids" {
  type = list(string)
}
module "this" {
  source     = "../../modules/network"
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  note       = <<-EOT
    vpc_id = "not an argument" }
  EOT
  name       = "net-${lower("${var.vpc_id}-}")}"
}
output "vpc_id" { value = module.this.vpc_id }
"""


@pytest.fixture
def copy(tmp_path: Path) -> WorkingCopy:
    source, module = tmp_path / "terraform/stacks/network", tmp_path / "terraform/modules/network"
    for folder in (source, module):
        folder.mkdir(parents=True)
    (source / "main.tf").write_text(STACK, encoding="utf-8")
    (module / "main.tf").write_text('variable "vpc_id" {}', encoding="utf-8")
    return WorkingCopy(source=source, directory=tmp_path / ".platform/terraform/dev/network")


def generated(text: str = STACK, **settings: Any) -> dict[str, Any]:
    files = generate(
        read_text(text),
        backend=settings.get("backend", LocalBackend(Path("/s/network.tfstate"))),
        provider=settings.get("provider"),
        inputs=settings.get("inputs", {}),
        unknown=settings.get("unknown", ()),
    )
    return {name: json.loads(content) for name, content in files.items()}


def test_an_outline_is_read_through_comments_templates_and_heredocs() -> None:
    outline = read_text(STACK)
    module = next(outline.each("module"))
    assert [block.labels for block in outline.each("variable")] == [("vpc_id",), ("subnet_ids",)]
    assert module.attributes["vpc_id"] == "var.vpc_id"
    assert sorted(module.attributes) == ["name", "note", "source", "subnet_ids", "vpc_id"]
    assert [block.labels for block in outline.each("output")] == [("vpc_id",)]
    assert module.line == 16


@pytest.mark.parametrize("text", ["", "}", 'resource "x" {', 'a = "${', "<<EOT\n", '"', "variable", "/* open"])
def test_what_terraform_will_refuse_is_read_as_far_as_it_goes(text: str) -> None:
    read_text(text)


def test_the_copy_links_the_stack_and_its_modules(copy: WorkingCopy) -> None:
    copy.write({"platformctl.auto.tfvars.json": "{}\n"})
    place = copy.working_directory
    assert (place / "main.tf").resolve() == copy.source / "main.tf"
    assert (place / "../../modules/network/main.tf").read_text(encoding="utf-8") == 'variable "vpc_id" {}'


def test_the_copy_follows_the_stack(copy: WorkingCopy) -> None:
    copy.write({"upstream.tf.json": "{}"})
    (copy.source / "main.tf").rename(copy.source / "network.tf")
    copy.write({})
    assert [path.name for path in copy.working_directory.iterdir()] == ["network.tf"]


def test_values_and_states_in_the_stacks_folder_stay_out(copy: WorkingCopy) -> None:
    for name in ("terraform.tfstate", "prod.auto.tfvars", "x.tfvars.json", "terraform.tfstate.backup"):
        (copy.source / name).write_text("{}", encoding="utf-8")
    (copy.source / ".terraform").mkdir()
    copy.write({})
    assert [path.name for path in copy.working_directory.iterdir()] == ["main.tf"]


def test_writing_again_touches_nothing(copy: WorkingCopy) -> None:
    copy.write({"platformctl.auto.tfvars.json": "{}"})
    place = copy.working_directory
    before = {path.name: path.lstat().st_ctime_ns for path in place.iterdir()}
    copy.write({"platformctl.auto.tfvars.json": "{}"})
    assert {path.name: path.lstat().st_ctime_ns for path in place.iterdir()} == before


def test_a_stack_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="there is no stack"):
        WorkingCopy(source=tmp_path / "nowhere", directory=tmp_path).outline()


@pytest.mark.parametrize(
    "path", ["stacks/network/main.tf", "stacks/network/.terraform.lock.hcl", "modules/network/main.tf"]
)
def test_init_is_due_when_what_it_reads_changes(copy: WorkingCopy, path: str) -> None:
    before = init_digest(copy, {}, ("terraform",))
    copy.mark_initialised(before)
    assert copy.initialised(before)
    file = copy.source.parent.parent / path
    file.write_text(STACK + "# changed\n", encoding="utf-8")
    assert not copy.initialised(init_digest(copy, {}, ("terraform",)))


def test_init_is_due_for_another_backend_or_tool_and_not_for_other_inputs(copy: WorkingCopy) -> None:
    before = init_digest(copy, {}, ("terraform",))
    assert init_digest(copy, {"platformctl.auto.tfvars.json": "{}"}, ("terraform",)) == before
    assert init_digest(copy, {"platformctl_backend_override.tf.json": "{}"}, ("terraform",)) != before
    assert init_digest(copy, {}, ("tofu",)) != before


def test_the_backend_is_s3_with_native_locking() -> None:
    backend = S3Backend("acme", "dev/network.tfstate", "eu-west-1", AssumeRole("arn:aws:iam::1:role/plan"))
    settings = generated(backend=backend)["platformctl_backend_override.tf.json"]["terraform"]["backend"]["s3"]
    assert settings == {
        "bucket": "acme",
        "key": "dev/network.tfstate",
        "region": "eu-west-1",
        "encrypt": True,
        "use_lockfile": True,
        "assume_role": {"role_arn": "arn:aws:iam::1:role/plan", "session_name": "platformctl"},
    }


PROVIDER = Provider(
    "eu-west-1", "123456789012", {"owner": "platform"}, AssumeRole("arn:aws:iam::1:role/plan"), sandbox=True
)


def test_every_aws_provider_is_guarded_and_only_the_main_one_is_moved() -> None:
    main, other = generated(provider=PROVIDER)["platformctl_provider_override.tf.json"]["provider"]["aws"]
    assert main["region"] == "eu-west-1"
    assert (other["alias"], "region" in other) == ("us", False)
    for provider in (main, other):
        assert provider["allowed_account_ids"] == ["123456789012"]
        assert provider["default_tags"] == [{"tags": {"owner": "platform"}}]
        assert provider["max_retries"] == 2


def test_a_stack_that_only_requires_the_provider_gets_one() -> None:
    text = 'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'
    assert "aws" in generated(text, provider=PROVIDER)["platformctl_provider.tf.json"]["provider"]
    assert set(generated('output "x" {}', provider=PROVIDER)) == {
        "platformctl_backend_override.tf.json",
        "platformctl.auto.tfvars.json",
    }


def test_unknown_inputs_become_real_unknowns() -> None:
    files = generated(unknown=("vpc_id", "subnet_ids"))
    assert files["upstream.tf.json"]["resource"]["terraform_data"]["upstream"]["input"] == {
        "vpc_id": "${var.vpc_id}",
        "subnet_ids": "${var.subnet_ids}",
    }
    override = files["upstream_override.tf.json"]
    assert override["module"]["this"]["vpc_id"] == "${terraform_data.upstream.output.vpc_id}"
    assert override["variable"]["vpc_id"] == {"default": None, "nullable": True}


def test_an_unknown_input_must_be_handed_straight_to_a_module() -> None:
    text = 'variable "id" {}\nmodule "this" {\n  id = lower(var.id)\n}\n'
    with pytest.raises(PreconditionError, match="no module takes it as it is") as caught:
        generated(text, unknown=("id",))
    assert "id = var.id" in caught.value.hint


def test_an_input_that_the_stack_does_not_declare_is_named() -> None:
    with pytest.raises(SpecError, match="declares no variable 'vpc'") as caught:
        generated(inputs={"vpc": 1})
    assert "subnet_ids, vpc_id" in caught.value.hint


def test_provider_versions_come_from_the_lock_file(tmp_path: Path) -> None:
    (tmp_path / ".terraform.lock.hcl").write_text(
        'provider "registry.terraform.io/hashicorp/aws" {\n  version = "5.100.0"\n  hashes = [\n    "h1:x",\n  ]\n}\n',
        encoding="utf-8",
    )
    assert provider_versions(tmp_path) == {"registry.terraform.io/hashicorp/aws": "5.100.0"}


def test_a_mirrors_providers_are_asked_for_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "registry.terraform.io/hashicorp/aws/5.100.0").mkdir(parents=True)
    outline = read_text(cli_config([tmp_path], Path("/cache")))
    installation = next(outline.each("provider_installation"))
    assert (
        next(installation.each("filesystem_mirror")).attributes["include"] == '["registry.terraform.io/hashicorp/aws"]'
    )
    assert next(installation.each("direct")).attributes["exclude"] == '["registry.terraform.io/hashicorp/aws"]'
    assert outline.attributes["disable_checkpoint"] == "true"


def test_the_users_own_settings_stay(tmp_path: Path) -> None:
    (tmp_path / "registry.terraform.io/hashicorp/aws").mkdir(parents=True)
    theirs = 'plugin_cache_dir = "/mine"\nprovider_installation {\n  network_mirror {}\n}\n'
    text = cli_config([tmp_path], Path("/cache"), theirs)
    assert "/cache" not in text
    assert text.count("provider_installation") == 1


def test_a_preset_configuration_file_that_is_missing_is_no_error(tmp_path: Path) -> None:
    assert user_config({"TF_CLI_CONFIG_FILE": f"{tmp_path}/nowhere"}, tmp_path) == ""
