"""A root's sandbox as a whole: brought up, taken down, looked at. ``cli`` calls this and nothing below.

Here the parts meet: ports are chosen, settings written, the starter called, the connection written.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.errors import PreconditionError
from platformctl.sandbox import account, hosts, kubernetes, ports, readiness, registry, remains
from platformctl.sandbox import state as states
from platformctl.sandbox.account import Cluster
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import Part, ProgramFinder
from platformctl.sandbox.processes import Processes, usage
from platformctl.sandbox.repair import Repair
from platformctl.sandbox.starter import PartEvent, PartFailed, Starter

_NEEDED_LIBRARIES = ("cryptography", "moto", "flask", "flask_cors", "kubernetes")
_PATIENCE = 600.0
_SOCKETS_CLOSE_WITHIN = 3.0


@dataclass(frozen=True)
class Started:
    """What ``up`` did. ``started``: part to reason (empty: it was not there), ``remarks``: what people should know."""

    parts: Mapping[str, Part]
    started: Mapping[str, str]
    stopped: tuple[str, ...]
    remarks: tuple[str, ...]
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything was started or stopped."""
        return bool(self.started or self.stopped)


@dataclass(frozen=True)
class PartStatus:
    """How a part is. ``health``: ``healthy``, ``dead`` (its process is gone), or what was seen instead of readiness.

    ``memory`` in bytes with its children, ``seconds`` since its start; None when dead.
    """

    name: str
    health: str
    endpoint: str
    pid: int
    ports: tuple[int, ...]
    memory: int | None
    seconds: float | None
    log: Path

    @property
    def healthy(self) -> bool:
        """Whether it runs and answers."""
        return self.health == "healthy"


@dataclass(frozen=True)
class Sandbox:
    """The sandbox of one root.

    ``environ``: our own variables. ``watch`` sees each part's progress, ``say`` a line for people while work goes on.
    ``cancel`` ends waiting; what has been started goes on.
    """

    layout: Layout
    processes: Processes
    clock: Clock
    program: ProgramFinder
    environ: Mapping[str, str]
    watch: Callable[[PartEvent], None] = field(default=lambda _: None)
    say: Callable[[str], None] = field(default=lambda _: None)
    cancel: Cancel = field(default_factory=Cancel)

    def programs(self, kubeconfig: Path | None = None) -> tuple[str, ...]:
        """The external programs that ``up`` needs, by their names in the toolchain.

        Raises PreconditionError when it lacks libraries: said now, not after programs have been built for minutes.
        """
        check_libraries()
        stands_in = kubeconfig is not None or bool(states.load(self.layout.state).kubeconfig)
        return (registry.REGISTRY, *(() if stands_in else (kubernetes.CONTROL_PLANE, kubernetes.KWOK)))

    def up(self, kubeconfig: Path | None = None) -> Started:
        """Brings up what is missing, repairs what died; with everything up it changes nothing.

        ``kubeconfig``: an existing cluster in the place of our control plane; remembered until ``down``.
        Raises PreconditionError, PartFailed, TransientError (somebody else has been changing it for 10 minutes).
        """
        begun = self.clock.monotonic()
        check_libraries()
        with self._exclusively("sandbox up"):
            starter = self._starter()
            known = frozenset(starter.state.records)
            stand_in = kubeconfig.resolve() if kubeconfig else _path(starter.state.kubeconfig)
            parts, cluster = self._arrange(starter, stand_in)
            if "aws" not in starter.alive():
                self.layout.connection.unlink(missing_ok=True)  # its access key is about to mean nothing
            repair = starter.up(parts)
            account.write_connection(self.layout, starter.state.ports, cluster, parts, self.environ)
        return Started(
            parts,
            repair.reasons,
            tuple(sorted(repair.stop - repair.start)),
            tuple(_remarks(repair, known, stand_in)),
            self.clock.monotonic() - begun,
        )

    def down(self) -> tuple[str, ...]:
        """Ends everything and proves it; returns the parts that were ended. What they kept is deleted, logs stay.

        Raises PartFailed, naming what is left.
        """
        if not self.layout.directory.exists():
            return ()
        with self._exclusively("sandbox down"):
            starter = self._starter()
            records = starter.state.records
            alive = starter.alive()
            served = {f"{name} ({port})": port for name in alive for port in records[name].part.ports}
            starter.down()
            left = remains.find(self.layout, served, self.processes, free=self._is_free_soon)
        if left:
            raise PartFailed(f"the sandbox left behind: {', '.join(left)}", hint="platformctl sandbox down")
        return tuple(sorted(alive))

    def status(self) -> list[PartStatus]:
        """Each part that was started and not taken down; none when the sandbox is down. Needs no lock, no program."""
        from concurrent.futures import ThreadPoolExecutor

        records = [record for _, record in sorted(states.load(self.layout.state).records.items())]
        if not records:
            return []
        with ThreadPoolExecutor(max_workers=len(records)) as pool:
            return list(pool.map(self._look, records))

    def hub(self) -> int:
        """The pid whose network the hosts are in. Raises PreconditionError when they are not up."""
        record = states.load(self.layout.state).records.get(hosts.NAME)
        return hosts.hub_pid(record.child.pid if record and self.processes.alive(record.child) else 0)

    def log(self, part: str, *, earlier: bool = False) -> Path:
        """The log of a part's last start, or of the one before. Raises PreconditionError when there is none."""
        path = self.layout.earlier_log(part) if earlier else self.layout.log(part)
        if path.exists():
            return path
        logs = (file.name.removesuffix(".log") for file in path.parent.glob("*.log"))
        names = sorted(name for name in logs if not name.endswith(".earlier"))
        which = "earlier log" if earlier else "log"
        hint = f"there are: {', '.join(names)}" if names else "platformctl sandbox up"
        raise PreconditionError(f"there is no {which} of a part {part!r}", hint=hint)

    def _look(self, record: states.Record) -> PartStatus:
        part, log = record.part, self.layout.log(record.part.name)
        alive = self.processes.alive(record.child)
        taken = usage(record.child) if alive else None
        return PartStatus(
            name=part.name,
            health=(readiness.look(part.readiness, log) or "healthy") if alive else "dead",
            endpoint=part.endpoint,
            pid=record.child.pid,
            ports=part.ports,
            memory=taken.memory if taken else None,
            seconds=taken.seconds if taken else None,
            log=log,
        )

    def _arrange(self, starter: Starter, stand_in: Path | None) -> tuple[dict[str, Part], Cluster]:
        """Chooses ports, writes every file the parts read, and returns the parts."""
        layout, alive = self.layout, starter.alive()
        starter.end_unrecorded(alive)  # they may hold ports
        names = (*account.PORTS, *registry.PORTS, *(() if stand_in else kubernetes.PORTS))
        serving = frozenset(port for name in alive for port in starter.state.records[name].part.ports)
        chosen = ports.choose(
            names,
            kept=starter.state.ports,
            movable=not alive,
            directory=layout.directory,
            serving=serving,
            free_soon=self._is_free_soon,
        )
        starter.settle({**starter.state.ports, **chosen}, str(stand_in or ""))
        everything = [registry.part(layout, chosen, self.program)]
        if stand_in is None:
            from platformctl.sandbox import certificates

            pki = certificates.ensure(layout.certificates, self.clock.now())
            authentication = f"{account.endpoint(chosen)}/_sandbox/authenticate"
            kubernetes.write_settings(layout, chosen, pki, authentication=authentication)
            everything += kubernetes.parts(layout, chosen, pki, self.program)
            cluster = Cluster(kubernetes.endpoint(chosen), pki.authority, layout.kubeconfig, own=True)
        else:
            from platformctl.sandbox import standin

            cluster = standin.adopt(layout, stand_in)
        if not hosts.why_not():
            hosts.write_settings(layout)
            everything.append(hosts.part(layout))
        registry.write_settings(layout, chosen)
        account.write_settings(layout, chosen, cluster)
        everything.append(account.part(layout, chosen, cluster))
        return {part.name: part for part in everything}, cluster

    def _is_free_soon(self, port: int) -> bool:
        limit = self.clock.monotonic() + _SOCKETS_CLOSE_WITHIN
        while not ports.is_free(port):
            if self.clock.monotonic() >= limit:
                return False
            self.clock.wait(0.05, self.cancel.event)
            self.cancel.check()
        return True

    def _starter(self) -> Starter:
        return Starter(self.layout, self.processes, clock=self.clock, watch=self.watch, cancel=self.cancel)

    def _exclusively(self, action: str) -> AbstractContextManager[None]:
        return states.exclusively(
            self.layout,
            action,
            clock=self.clock,
            cancel=self.cancel,
            patience=_PATIENCE,
            on_wait=lambda holder: self.say(f"waiting for {holder}"),
        )


def _remarks(repair: Repair, known: frozenset[str], stand_in: Path | None) -> list[str]:
    remarks = []
    if "aws" in repair.start and "aws" in known:
        remarks.append(
            "AWS lives in memory and was started anew: its resources, the cluster's objects and the images are gone"
            if stand_in is None
            else f"AWS lives in memory and was started anew; what it made in {stand_in} is still there"
        )
    if reason := hosts.why_not():
        remarks.append(f"without hosts: {reason}; everything else works")
    if stand_in is not None:
        remarks.append(
            f"Kubernetes is the cluster of {stand_in} until `sandbox down`: it does not check EKS tokens, and no nodes "
            "are simulated there"
        )
    return remarks


def check_libraries() -> None:
    """Raises PreconditionError when this Python lacks a library that the sandbox needs."""
    missing = [name for name in _NEEDED_LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise PreconditionError(
            f"the sandbox needs libraries that are not installed: {', '.join(missing)}",
            hint="pip install 'platformctl[sandbox]'",
        )


def _path(text: str) -> Path | None:
    return Path(text) if text else None
