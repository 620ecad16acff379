"""References between the parts of an environment, and to what the root must hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.spec.references import read_interface
from tests.unit.spec.sample_roots import AWS, HEAD, faults, read

SAMPLE = "source: sample"


@pytest.mark.parametrize(
    ("stacks", "expected"),
    [
        (f"a: {{{SAMPLE}, needs: {{x: b.vpc_id}}}}", "there is no stack 'b'"),
        (f"network: {{{SAMPLE}}}, a: {{{SAMPLE}, needs: {{x: netwrk.vpc_id}}}}", "did you mean 'network'?"),
        ("a: {source: sampel}", "there is no terraform/stacks/sampel; did you mean 'sample'?"),
        (
            f"a: {{{SAMPLE}, needs: {{x: net.vpcid}}}}, net: {{{SAMPLE}}}",
            "net.vpcid: the stack net has no output 'vpcid'; did you mean 'vpc_id'?",
        ),
        (
            f"a: {{{SAMPLE}, needs: {{x: net.zzz}}}}, net: {{{SAMPLE}}}",
            "net.zzz: the stack net has no output 'zzz'; it has names, vpc_id",
        ),
        (f"a: {{{SAMPLE}, inputs: {{cidr: 1}}}}", "terraform/stacks/sample has no variable 'cidr'; it has x, y"),
        (
            f"a: {{{SAMPLE}, inputs: {{x: 1}}, needs: {{x: b.vpc_id}}}}, b: {{{SAMPLE}}}",
            "x stands in both inputs and needs of a",
        ),
        (f"a: {{{SAMPLE}, inputs: {{x: 1}}, secrets: {{x: {{env: X}}}}}}", "x stands in both inputs and secrets of a"),
        (f"a: {{{SAMPLE}, account: dns}}", "cloud.accounts has no 'dns'"),
        (f"a: {{{SAMPLE}, secrets: {{x: {{ssm: /x, account: dns}}}}}}", "cloud.accounts has no 'dns'"),
        (
            f"a: {{{SAMPLE}, inputs: {{x: {{kubernetes_version: 1.30}}}}}}",
            "stacks.a.inputs.x.kubernetes_version: 1.30 is read as the number 1.3; quote it: '1.30'",
        ),
        (
            f"a: {{{SAMPLE}, inputs: {{x: {{versions: [1.34]}}}}}}",
            "stacks.a.inputs.x.versions.0: 1.34 is read as the number 1.34; quote it: '1.34'",
        ),
        (
            f"a: {{{SAMPLE}, inputs: {{x: {{owner: 012345678901}}}}}}",
            "stacks.a.inputs.x.owner: 012345678901 is read as the number 12345678901; quote it: '012345678901'",
        ),
    ],
)
def test_what_leads_nowhere_is_named(root: Path, stacks: str, expected: str) -> None:
    found = faults(root, f"{AWS}stacks: {{{stacks}}}\n")
    assert len(found) == 1
    assert found[0].startswith("5: ")
    assert found[0].endswith(expected)


def test_numbers_that_are_no_versions_may_be_written_as_numbers(root: Path) -> None:
    text = f"{AWS}stacks: {{a: {{{SAMPLE}, inputs: {{x: {{ratio: 0.50, port: 0, mode: 0o644}}}}}}}}\n"
    assert read(root, text).environment.stacks["a"].inputs["x"] == {"ratio": 0.5, "port": 0, "mode": 420}


def test_every_circle_is_shown_as_a_path(root: Path) -> None:
    text = """\
stacks:
  a: {source: sample, needs: {x: b.vpc_id}}
  b: {source: sample, needs: {x: c.vpc_id}}
  c: {source: sample, needs: {x: a.vpc_id, y: d.vpc_id}}
  d: {source: sample, needs: {x: d.vpc_id}}
"""
    assert faults(root, AWS + text) == [
        "6: needs go in a circle: a -> b -> c -> a",
        "9: needs go in a circle: d -> d",
    ]


def test_one_value_of_an_output_that_is_a_map_can_be_needed(root: Path) -> None:
    text = f"{HEAD}stacks: {{a: {{{SAMPLE}}}, b: {{{SAMPLE}, needs: {{x: a.names.orders}}}}}}\n"
    assert read(root, text).environment.graph("stacks") == {"a": (), "b": ("a",)}


def test_a_stack_from_elsewhere_is_terraforms_to_fetch(root: Path) -> None:
    source = "git::https://git.example.org/x.git?ref=v1"
    text = f"{HEAD}stacks: {{a: {{source: '{source}', inputs: {{z: 1}}}}, b: {{{SAMPLE}, needs: {{x: a.anything}}}}}}\n"
    assert list(read(root, text).environment.graph("stacks")) == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cluster: {name: a.name}\naddons: [metrics]", "6: there is no helm/addons/metrics.yaml"),
        ("cluster: {name: x}\naddons: [known, known]", "6: the add-on known stands here a second time"),
        ("cluster: {name: x}\naddons: [knwon]", "6: there is no helm/addons/knwon.yaml; did you mean 'known'?"),
        ("cluster: {name: x}\naddons: [{name: known, needs: {v: b.id}}]", "6: b.id: there is no stack 'b'"),
        (
            "cluster: {name: x}\naddons: [{name: known, values: {image: {version: 2.10}}}]",
            "6: addons.0.values.image.version: 2.10 is read as the number 2.1; quote it: '2.10'",
        ),
        ("cluster: {name: a.cluster}", "5: a.cluster: there is no stack 'a'"),
        ("cluster: {name: x, account: dns}", "5: cloud.accounts has no 'dns'"),
        ("argocd: {cluster: {name: a.cluster}}", "5: a.cluster: there is no stack 'a'"),
        ("hosts: {inventory: ansible/none}", "5: there is no inventory ansible/none"),
        ("signing: {key: {env: K}, public_key: keys/none}", "5: there is no file keys/none"),
        ("services: {a: {source: none, repository: x.y}}", "5: there is no folder none"),
        ("services: {a: {source: none, repository: x.y}}", "5: x.y: there is no stack 'x'"),
        ("services: {a: {needs: [b]}}", "5: there is no service 'b'"),
        ("services: {a: {needs: [b]}, b: {needs: [a]}}", "5: needs go in a circle: a -> b -> a"),
    ],
)
def test_what_the_root_must_hold_is_looked_for(root: Path, line: str, expected: str) -> None:
    (root / "helm/addons").mkdir(parents=True)
    (root / "helm/addons/known.yaml").write_text("chart: known\n")
    assert expected in faults(root, f"{AWS}{line}\n")


def test_a_fault_in_an_add_ons_own_file_is_told_with_its_place(root: Path) -> None:
    (root / "helm/addons").mkdir(parents=True)
    (root / "helm/addons/broken.yaml").write_text("chart: x\nneeds: [\n")
    found = faults(root, f"{AWS}cluster: {{name: x}}\naddons: [broken]\n")
    assert found == ["helm/addons/broken.yaml:3: not YAML: expected the node content, but found '<stream end>'"]


def test_add_ons_are_ordered_by_what_their_files_need(root: Path) -> None:
    (root / "helm/addons").mkdir(parents=True)
    (root / "helm/addons/first.yaml").write_text("needs: []\n")
    (root / "helm/addons/second.yaml").write_text("needs: [first, absent]\n")
    loaded = read(root, f"{AWS}cluster: {{name: x}}\naddons: [second, first]\n")
    assert loaded.environment.graph("addons") == {"first": (), "second": ("first",)}


def test_a_modules_interface_is_read_from_both_of_terraforms_syntaxes(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'variable "a" {}\n  output "b" {\n  value = 1\n}\n# output "no" {}\noutput c{}\nresource "x" "y" {}\n'
    )
    (tmp_path / "more.tf.json").write_text('{"output": {"d": {"value": 1}}, "variable": {"e": {}}}')
    (tmp_path / "broken.tf.json").write_text("{")
    assert read_interface(tmp_path) == (frozenset("ae"), frozenset("bcd"))
