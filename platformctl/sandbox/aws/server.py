"""The process: puts the pieces together, listens, and ends fast when told to. One per Python process: moto's state is
global."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self
from uuid import uuid4

from platformctl.core.clock import Clock, SystemClock
from platformctl.core.errors import PlatformError, PreconditionError
from platformctl.sandbox.aws import corrections
from platformctl.sandbox.aws.configuration import Configuration
from platformctl.sandbox.aws.control import Control
from platformctl.sandbox.aws.eks.lifecycle import Delays
from platformctl.sandbox.aws.faults import FaultBook
from platformctl.sandbox.aws.gateway import Application, Gateway, Unroutable
from platformctl.sandbox.aws.identity import Identities
from platformctl.sandbox.aws.passes import Passes
from platformctl.sandbox.aws.registry import Front
from platformctl.sandbox.aws.tokens import TokenReviewer
from platformctl.sandbox.aws.upstream import Upstream

log = logging.getLogger(__name__)

_BACKLOG = 128


class SimulatedAws:
    """The two listeners and everything behind them. ``start`` returns when both answer; ``stop`` frees the ports."""

    def __init__(self, configuration: Configuration, clock: Clock | None = None) -> None:
        self.incarnation = str(uuid4())
        self._configuration = configuration
        self._clock = clock or SystemClock()
        self._servers: list[Any] = []
        self._link: Any = None
        self.delays = Delays()
        self.delays.change(configuration.delays)
        self.faults = FaultBook(configuration.faults)
        self.identities = Identities(self._clock)

    @property
    def endpoint(self) -> str:
        """URL of the AWS API."""
        return f"http://{self._configuration.host}:{self._servers[0].port}"

    @property
    def registry(self) -> str:
        """``host:port`` of the registry front."""
        return f"{self._configuration.host}:{self._servers[1].port}"

    def start(self) -> None:
        """Raises PreconditionError when a port is taken or a file cannot be read or written."""
        corrections.prepare_environment()
        listeners = [self._listen(port) for port in (self._configuration.port, self._configuration.registry_port)]
        registry = f"{self._configuration.host}:{listeners[1].getsockname()[1]}"
        applications = self._assemble(registry)
        self._seed()
        for application, listener in zip(applications, listeners, strict=True):
            self._serve(application, listener)
        if self._link is not None:
            self._link.start()
        log.info("ready: AWS %s, registry %s, incarnation %s", self.endpoint, self.registry, self.incarnation)

    def stop(self) -> None:
        """Frees the ports and ends the link's thread; moto's state stays until the process ends."""
        if self._link is not None:
            self._link.stop()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._configuration.host, port))
        except OSError as error:
            listener.close()
            raise PreconditionError(
                f"port {port} on {self._configuration.host} cannot be used: {error.strerror}",
                hint="something else took it; `platformctl sandbox down` and `up` choose again",
            ) from error
        listener.listen(_BACKLOG)
        return listener

    def _assemble(self, registry: str) -> tuple[Application, Application]:
        # moto reads its settings when it is imported, hence here and not above.
        from platformctl.sandbox.aws import ecr
        from platformctl.sandbox.aws.eks import responses

        configuration = self._configuration
        upstream = Upstream(configuration.registry_upstream)
        passes = Passes(secrets.token_bytes(32), self._clock)
        corrections.install()
        ecr.install(registry, upstream, passes)
        simulation, clusters = self._simulate_eks()
        responses.install(simulation)
        reviewer = TokenReviewer(self.identities, clusters, self._clock)
        control = Control(
            faults=self.faults,
            delays=self.delays,
            identities=self.identities,
            reviewer=reviewer,
            health=self._health,
        )
        gateway = Gateway(
            _moto(),
            control,
            self.identities,
            self.faults,
            clock=self._clock,
            log_requests=configuration.log_requests,
        )
        front = Front(
            registry,
            upstream,
            passes,
            self.faults,
            lambda: _ecr_backend(configuration.account, configuration.region),
            account=configuration.account,
            clock=self._clock,
        )
        return gateway, front

    def _simulate_eks(self) -> tuple[Any, Any]:
        from platformctl.sandbox.aws.eks.models import Simulation
        from platformctl.sandbox.aws.link.controller import Controller
        from platformctl.sandbox.aws.link.desired import OwningCluster

        kubernetes = self._configuration.kubernetes
        clusters = OwningCluster()
        simulation = Simulation(clock=self._clock, delays=self.delays)
        if kubernetes is None:
            simulation.certificate_authority = _certificate_authority()
        else:
            simulation.endpoint = kubernetes.endpoint
            simulation.certificate_authority = _read(kubernetes.ca_file)
            if kubernetes.nodes:
                self._link = Controller(kubernetes.kubeconfig, clusters, self._clock)
                simulation.changed = self._link.wake
        return simulation, clusters

    def _serve(self, application: Application, listener: socket.socket) -> None:
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class Handler(MotoRequestHandler):
            def log_request(self, *_: object) -> None:
                """The gateway does, when asked."""

        host, port = listener.getsockname()
        server = make_server(
            host, port, application, threaded=True, request_handler=Handler, fd=os.dup(listener.fileno())
        )
        listener.close()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        self._servers.append(server)

    def _seed(self) -> None:
        from platformctl.sandbox.aws.seed import seed

        configuration = self._configuration
        key = seed(configuration.account, configuration.other_account, configuration.region)
        document = {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "incarnation": self.incarnation,
        }
        _write_private(configuration.state_directory / "credentials.json", json.dumps(document))

    def _health(self) -> Mapping[str, Any]:
        link = self._link.status() if self._link is not None else None
        return {"ready": True, "incarnation": self.incarnation, "link": link}


def serve(path: Path) -> int:
    """Runs until SIGTERM or SIGINT. Returns the exit code; a configuration that cannot be used is 4."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    ended = threading.Event()

    def end(_signum: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        SimulatedAws(Configuration.read(path)).start()
    except PlatformError as error:
        log.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")  # noqa: TRY400 - not a bug of ours
        return error.exit_code
    ended.wait()
    # Everything is in memory and every thread is a daemon: nothing is worth waiting for.
    logging.shutdown()
    os._exit(0)


def _moto() -> Application:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.exceptions import NotFound

    def unroutable(error: NotFound) -> NoReturn:
        raise Unroutable(error.description)

    def create_app(service: Any) -> Any:
        application = create_backend_app(service)
        application.register_error_handler(NotFound, unroutable)
        return application

    application: Callable[..., Any] = DomainDispatcherApplication(create_app)
    return application


def _ecr_backend(account: str, region: str) -> Any:
    from moto.ecr.models import ecr_backends

    return ecr_backends[account][region]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise PreconditionError(f"the API server's CA {path} cannot be read: {error}") from error


def _write_private(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise PreconditionError(f"{path} cannot be written: {error.strerror}") from error


def _certificate_authority() -> str:
    """PEM of a CA that has signed nothing: what clients parse must be a certificate, also where no server is."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox without an API server")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
