"""Recorded runs to render: succeeded, failed, waiting and resumed, sixty steps, and one whose every text is hostile."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from platformctl.core.events import Event, EventKind

START = datetime(2026, 9, 26, 10, 15, tzinfo=UTC)
RUN = "20260926T101500Z-provision-7f3a"
DIGEST = "sha256:" + "ab12" * 16

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}\"'&\x1b[31m\x00"


class Recording:
    """Events with their times, and the files of the run's directory."""

    def __init__(self, run: str = RUN) -> None:
        self.run = run
        self.events: list[Event] = []
        self.files: dict[str, str] = {}

    def add(self, second: float, kind: EventKind, stage: str = "", step: str = "", /, **detail: Any) -> Recording:
        """Appends an event ``second`` seconds after the start."""
        self.events.append(Event(START + timedelta(seconds=second), kind, self.run, stage, step, detail))
        return self

    def start(self, second: float = 0, **detail: Any) -> Recording:
        """The run's first event."""
        facts = {
            "pipeline": "provision",
            "environment": "dev",
            "parameters": {"verify": "full"},
            "stages": ["plan", "apply", "verify"],
            "revision": "3f2a1bc94d5e6f708192a3b4c5d6e7f801234567",
            "tree": "sha256:" + "5c" * 32,
            "actor": "Kim Minji",
            "url": "https://ci.example.org/job/platform/42/",
            "version": "0.1.0",
            "timezone": "Asia/Seoul",
        }
        return self.add(second, EventKind.RUN_STARTED, **{**facts, **detail})

    def stage(self, second: float, name: str, *steps: tuple[str, str, list[str]]) -> Recording:
        """A stage starts with these steps: name, kind, needs."""
        planned = [{"name": step, "kind": kind, "needs": needs} for step, kind, needs in steps]
        return self.add(second, EventKind.STAGE_STARTED, name, steps=planned)

    def step(self, begin: float, end: float, name: str, status: str = "SUCCEEDED", **detail: Any) -> Recording:
        """A step from start to end."""
        stage, kind = name.partition("/")[0], detail.pop("kind", "stack-plan")
        self.add(begin, EventKind.STEP_STARTED, stage, name, kind=kind, attempt=1)
        facts = {"changed": False, "outputs": {}, "artifacts": [], "summary": "", **detail}
        return self.add(end, EventKind.STEP_FINISHED, stage, name, status=status, seconds=end - begin, **facts)

    def write(self, directory: Path) -> Path:
        """Writes the run's directory and returns it."""
        run = directory / self.run
        run.mkdir(parents=True)
        lines = [json.dumps(event.to_json(), ensure_ascii=False) + "\n" for event in self.events]
        (run / "events.jsonl").write_text("".join(lines), encoding="utf-8")
        for name, text in self.files.items():
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text(text, encoding="utf-8")
        return run


UNKNOWN = {"$unknown": True}


def secret(digit: str) -> dict[str, str]:
    """A masked value."""
    return {"$sensitive": digit * 64}


def plan(changes: dict[str, Any], outputs: dict[str, Any] | None = None) -> str:
    """A proposal as the artifact holds it: address -> change, output name -> change."""
    document = {"schemaVersion": 1, "terraform": "1.11.4", "providers": {}, "changes": changes}
    return json.dumps({**document, "outputs": outputs or {}})


NETWORK_PLAN = plan(
    {
        'module.this.aws_subnet.private["a"]': {
            "actions": ["create"],
            "after": {
                "arn": UNKNOWN, "availability_zone": "ap-northeast-2a", "cidr_block": "10.0.1.0/24", "id": UNKNOWN,
                "tags": {"Name": "dev-a"},
            },
        },
        "module.this.aws_security_group.nodes": {
            "actions": ["update"],
            "before": {"ingress": [{"from_port": 443, "to_port": 443}], "tags": {"Name": "nodes"}},
            "after": {"ingress": [{"from_port": 8443, "to_port": 8443}], "tags": {"Name": "nodes"}},
        },
    },
    {"subnet_ids": {"actions": ["create"], "after": UNKNOWN}},
)  # fmt: skip
CLUSTER_PLAN = plan(
    {
        "module.this.aws_eks_cluster.this": {
            "actions": ["delete", "create"],
            "before": {"name": "dev", "version": "1.33", "role_arn": "arn:aws:iam::123456789012:role/old-cluster-role"},
            "after": {"name": "dev", "version": "1.34", "endpoint": UNKNOWN, "role_arn": UNKNOWN},
            "replace_paths": [["role_arn"]],
            "reason": "replace_because_cannot_update",
        },
        "module.this.aws_eks_addon.legacy": {
            "actions": ["delete"],
            "before": {"addon_name": "legacy", "addon_version": "v1"},
        },
        "module.this.aws_secretsmanager_secret_version.token": {
            "actions": ["update"],
            "before": {"secret_string": secret("9")},
            "after": {"secret_string": secret("7")},
        },
    }
)


def _planned(recording: Recording) -> Recording:
    recording.stage(0.2, "plan", ("plan/network", "stack-plan", []), ("plan/cluster", "stack-plan", ["plan/network"]))
    artifact = {"name": "stacks/network.json", "kind": "proposal"}
    recording.step(
        0.3, 3.5, "plan/network", changed=True, summary="1 to add, 1 to change", artifacts=[artifact],
        outputs={"adds": 1, "changes": 1, "destroys": 0},
    )  # fmt: skip
    artifact = {"name": "stacks/cluster.json", "kind": "proposal"}
    recording.step(
        3.6, 9.1, "plan/cluster", changed=True, summary="1 to replace, 1 to change, 1 to destroy", artifacts=[artifact]
    )
    recording.files["artifacts/stacks/network.json"] = NETWORK_PLAN
    recording.files["artifacts/stacks/cluster.json"] = CLUSTER_PLAN
    return recording.add(9.2, EventKind.STAGE_FINISHED, "plan", status="SUCCEEDED", seconds=9.0)


def _asked(recording: Recording) -> Recording:
    return recording.add(
        9.3, EventKind.GATE_ASKED, "apply", digest=DIGEST, question="Apply these changes to dev?",
        approvers={"groups": ["platform-leads"]}, quorum=1, expires="2026-09-27T10:15:09Z",
    )  # fmt: skip


def succeeded() -> Recording:
    """Planned, approved after twenty minutes by a resume elsewhere, applied with one retry, verified."""
    run = _asked(_planned(Recording().start()))
    run.add(9.4, EventKind.RUN_FINISHED, status="WAITING", changed=False, seconds=9.4)
    run.add(1200, EventKind.GATE_ANSWERED, "apply", digest=DIGEST, answer="approved", by="Lee Jun", comment="go")
    run.add(1210, EventKind.RUN_RESUMED, actor="Lee Jun", pid=77, host="agent-2")
    run.add(1210.1, EventKind.LEASE_ACQUIRED, "apply", number=4)
    run.stage(
        1210.2, "apply", ("apply/network", "stack-apply", []), ("apply/cluster", "stack-apply", ["apply/network"])
    )
    run.step(
        1210.3, 1222, "apply/network", kind="stack-apply", changed=True, summary="1 added, 1 changed",
        outputs={"vpc_id": "vpc-0a1b2c", "private_subnet_ids": ["subnet-1", "subnet-2"]},
    )  # fmt: skip
    run.add(1222.1, EventKind.STEP_STARTED, "apply", "apply/cluster", kind="stack-apply", attempt=1)
    run.add(
        1226, EventKind.STEP_RETRYING, "apply", "apply/cluster", attempt=1, seconds=4,
        error={"type": "TransientError", "message": "the registry answered 503", "hint": ""},
    )  # fmt: skip
    run.add(1230, EventKind.STEP_STARTED, "apply", "apply/cluster", kind="stack-apply", attempt=2)
    run.add(
        1240, EventKind.WARNING, "apply", "apply/cluster", message="version 1.33 leaves support soon", hint="upgrade"
    )
    run.add(
        1260, EventKind.STEP_FINISHED, "apply", "apply/cluster", status="SUCCEEDED", changed=True, seconds=30,
        outputs={"name": "dev", "endpoint": "https://ABCDEF.gr7.ap-northeast-2.eks.amazonaws.com"}, artifacts=[],
        summary="1 replaced, 1 changed, 1 destroyed",
    )  # fmt: skip
    run.add(1260.1, EventKind.STAGE_FINISHED, "apply", status="SUCCEEDED", seconds=50)
    run.add(1260.2, EventKind.LEASE_RELEASED, "apply", number=4)
    run.stage(1260.3, "verify", ("verify/drift", "stack-drift", []), ("verify/nodes", "nodes-ready", []))
    run.step(1260.4, 1266, "verify/drift", kind="stack-drift", summary="no drift")
    run.step(1266.1, 1266.2, "verify/nodes", "SKIPPED", kind="nodes-ready", summary="no cluster in this environment")
    run.add(1266.3, EventKind.STAGE_FINISHED, "verify", status="SUCCEEDED", seconds=6)
    return run.add(1266.4, EventKind.RUN_FINISHED, status="SUCCEEDED", changed=True, seconds=66)


def waiting() -> Recording:
    """Planned and parked at the gate."""
    run = _asked(_planned(Recording().start()))
    return run.add(9.4, EventKind.RUN_FINISHED, status="WAITING", changed=False, seconds=9.4)


def failed() -> Recording:
    """Terraform refuses in the second stack; a later stage never starts."""
    run = Recording().start()
    run.stage(0.2, "plan", ("plan/network", "stack-plan", []), ("plan/cluster", "stack-plan", ["plan/network"]))
    run.step(0.3, 3.5, "plan/network", summary="no changes")
    error = {
        "type": "CommandFailed",
        "message": "`terraform plan -out=tfplan` ended with code 1",
        "hint": "check the quota of elastic addresses: platformctl doctor --env dev",
        "tail": [
            "Error: creating EC2 EIP: AddressLimitExceeded",
            "  with module.this.aws_eip.nat[0],",
            '  on main.tf line 12, in resource "aws_eip" "nat":',
        ],
    }
    run.add(3.6, EventKind.STEP_STARTED, "plan", "plan/cluster", kind="stack-plan", attempt=1)
    run.files["logs/plan.cluster.log"] = "".join(f"line {number} of the log\n" for number in range(1, 41))
    run.add(
        9.1, EventKind.STEP_FINISHED, "plan", "plan/cluster", status="ERRORED", changed=False, seconds=5.5, outputs={},
        artifacts=[], summary="", error=error,
    )  # fmt: skip
    run.add(9.2, EventKind.STAGE_FINISHED, "plan", status="ERRORED", seconds=9.0)
    return run.add(9.3, EventKind.RUN_FINISHED, status="ERRORED", changed=False, seconds=9.3, error=error)


def sixty_steps() -> Recording:
    """Sixty stacks planned four at a time, three of them changed."""
    run = Recording("20260926T101500Z-provision-60aa").start(stages=["plan"], environment="fleet-eu-central-production")
    names = [f"plan/team-{number:02}-service-with-a-long-name" for number in range(60)]
    run.stage(0.1, "plan", *((name, "stack-plan", []) for name in names))
    moments: list[tuple[float, EventKind, str, dict[str, Any]]] = []
    for number, name in enumerate(names):
        begin = 0.2 + (number // 4) * 3.3 + (number % 4) * 0.2
        changed = number % 23 == 7
        moments.append((begin, EventKind.STEP_STARTED, name, {"kind": "stack-plan", "attempt": 1}))
        summary = "2 to add" if changed else "no changes"
        ended = {"status": "SUCCEEDED", "changed": changed, "seconds": 3.0, "summary": summary}
        moments.append((begin + 3.0, EventKind.STEP_FINISHED, name, {**ended, "outputs": {}, "artifacts": []}))
    for second, kind, name, detail in sorted(moments, key=lambda moment: moment[0]):
        run.add(second, kind, "plan", name, **detail)
    run.add(50.5, EventKind.STAGE_FINISHED, "plan", status="SUCCEEDED", seconds=50.4)
    return run.add(50.6, EventKind.RUN_FINISHED, status="SUCCEEDED", changed=True, seconds=50.6)


def hostile() -> Recording:
    """Every text that foreign programs or people can choose tries to break out."""
    run = Recording().start(
        actor=EVIL, revision=EVIL, url="javascript:alert(3)", parameters={EVIL: EVIL}, stages=[EVIL], environment=EVIL
    )
    run.stage(0.1, EVIL, (EVIL, EVIL, []))
    run.add(0.2, EventKind.STEP_STARTED, EVIL, EVIL, kind=EVIL, attempt=1)
    run.add(0.3, EventKind.WARNING, EVIL, EVIL, message=EVIL, hint=EVIL)
    run.add(
        1, EventKind.STEP_FINISHED, EVIL, EVIL, status="FAILED", changed=True, seconds=0.8, summary=EVIL,
        outputs={EVIL: EVIL}, artifacts=[{"name": "stacks/evil.json", "kind": "proposal"}],
        error={"type": EVIL, "message": EVIL, "hint": EVIL, "tail": [EVIL]},
    )  # fmt: skip
    run.add(
        2, EventKind.GATE_ASKED, EVIL, digest=EVIL, question=EVIL, approvers={"users": [EVIL]}, quorum=1, expires=EVIL
    )
    run.add(3, EventKind.GATE_ANSWERED, EVIL, digest=EVIL, answer="rejected", by=EVIL, comment=EVIL)
    run.files["artifacts/stacks/evil.json"] = plan(
        {EVIL: {"actions": ["update"], "before": {EVIL: "old"}, "after": {EVIL: EVIL}, "reason": EVIL}}
    )
    return run.add(4, EventKind.RUN_FINISHED, status="FAILED", changed=True, seconds=4, error={"message": EVIL})
