"""A root whose environment lives in the simulated AWS, and platformctl as a process of its own that works on it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Child, Command, Completed, Stream
from platformctl.core.errors import Interrupted
from platformctl.core.secret import Secret
from platformctl.process.children import alive
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from tests.simulated_aws import ACCOUNT, REGION, SimulatedAws

HERE = Path(__file__).resolve().parents[3]
PATIENCE = 90.0

ENVIRONMENT = """
apiVersion: platform/v1
kind: Environment
name: dev
cloud: {{provider: aws, sandbox: true, region: {region}, account: "{account}", plan_role: platform-plan,
        apply_role: platform-apply}}
state: {{bucket: {bucket}}}
tags: {{owner: tests}}
stacks:
{stacks}
"""


class Process:
    """One platformctl. ``until`` follows what it prints."""

    def __init__(self, host: ProcessHost, arguments: tuple[str, ...], variables: Mapping[str, str | Secret]) -> None:
        self.lines: list[str] = []
        self.pid = 0
        self.completed: Completed | None = None
        self._changed = threading.Condition()
        self._cancel = Cancel()
        self._thread = threading.Thread(target=self._run, args=(host, arguments, variables))
        self._thread.start()

    def until(self, text: str) -> None:
        with self._changed:
            seen = self._changed.wait_for(
                lambda: any(text in line for line in self.lines) or self.completed is not None, PATIENCE
            )
        assert seen, self.lines
        assert any(text in line for line in self.lines), self.lines

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Completed:
        self._thread.join(PATIENCE)
        assert self.completed is not None, self.lines
        return self.completed

    def close(self) -> None:
        self._cancel.stop(Interrupted(signal.SIGTERM))
        self._thread.join(PATIENCE)

    def _run(self, host: ProcessHost, arguments: tuple[str, ...], variables: Mapping[str, str | Secret]) -> None:
        runner = host.bind(cancel=self._cancel, on_line=self._on_line, on_child=self._on_child)
        argv = (sys.executable, "-m", *arguments)
        command = Command(argv, cwd=HERE, env=variables, timeout=PATIENCE, grace=5.0, ok_codes=tuple(range(-31, 256)))
        with contextlib.suppress(Interrupted):
            self.completed = runner.run(command)
        with self._changed:
            self._changed.notify_all()

    def _on_line(self, _stream: Stream, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def _on_child(self, child: Child) -> None:
        self.pid = child.pid


@dataclass
class Machine:
    """A machine with one root. ``aws`` is shared with other tests, the bucket is not.

    ``variables`` stand in the environment of every platformctl that is started from then on.
    """

    root: Path
    aws: SimulatedAws
    bucket: str
    host: ProcessHost = field(default_factory=lambda: ProcessHost(KnownSecrets(), SystemClock(), os.environ))
    processes: list[Process] = field(default_factory=list)
    variables: dict[str, str | Secret] = field(default_factory=dict)

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def prepare(self, stacks: str, **changed: str) -> None:
        """Writes the root. ``changed`` replaces texts of the environment file: ``account="999999999999"``."""
        values = {"region": REGION, "account": ACCOUNT, "bucket": self.bucket, "stacks": stacks, **changed}
        self.write("platform.yaml", "schemaVersion: 1\n")
        self.write("pipelines/environments/dev.yaml", ENVIRONMENT.format(**values))
        self.connect(self.aws.environment)

    def connect(self, variables: Mapping[str, str]) -> None:
        """Writes by which variables the sandbox is reached."""
        connection = {"schemaVersion": 1, "environment": dict(variables), "endpoints": {}}
        self.write(".platform/sandbox/connection.json", json.dumps(connection))

    def start(self, *arguments: str) -> Process:
        return self._start("platformctl", "-C", f"{self.root}", *arguments)

    def provision(self, run: str = "") -> Process:
        """Starts ``run provision``, or goes on with a run, with leases that expire soon."""
        return self._start("tests.integration.terraform.drive", f"{self.root}", *filter(None, [run]))

    def _start(self, *arguments: str) -> Process:
        process = Process(self.host, arguments, dict(self.variables))
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> Completed:
        return self.start(*arguments).wait()

    def ok(self, *arguments: str) -> dict[str, Any]:
        completed = self.run(*arguments, "--output", "json")
        assert completed.returncode == 0, completed.stdout + completed.stderr
        document: dict[str, Any] = json.loads(completed.stdout)
        return document

    def events(self) -> list[dict[str, Any]]:
        """The latest run's events."""
        runs = sorted((self.root / ".platform/runs").iterdir())
        text = (runs[-1] / "events.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def run_id(self) -> str:
        return str(self.events()[0]["run"])

    def children(self, program: str) -> list[Child]:
        """The journaled processes of a program, oldest first."""
        details = [event["detail"] for event in self.events() if event["kind"] == "step-child"]
        return [Child(**detail) for detail in details if detail.get("program") == program]

    def gone(self, program: str) -> bool:
        return not any(alive(child) for child in self.children(program))

    def locked(self, stack: str) -> bool:
        listed = self.aws.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"dev/{stack}.tfstate.tflock")
        return bool(listed.get("Contents"))

    def stored(self) -> list[str]:
        """Everything in the bucket."""
        pages = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        content: bytes = self.aws.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def leases(self) -> dict[str, dict[str, Any]]:
        """Every lease in the bucket by its key, also the released ones."""
        return {key: json.loads(self.read(key)) for key in self.stored() if key.startswith("leases/")}

    def held(self) -> list[str]:
        """The leases that somebody holds, by their keys."""
        return [key for key, lease in self.leases().items() if not lease["released"]]

    def state(self, stack: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.read(f"dev/{stack}.tfstate"))
        return document

    def close(self) -> None:
        for process in self.processes:
            process.close()
        self.host.close()


def eventually(what: Callable[[], bool]) -> bool:
    """Whether it becomes true while a person would still wait."""
    clock = SystemClock()
    limit = clock.monotonic() + PATIENCE
    while not what():
        if clock.monotonic() > limit:
            return False
        clock.wait(0.05)
    return True
