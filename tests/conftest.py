"""What holds for every test: nothing but ``platformctl.process`` starts a process, no canary secret stands in an argv,
unit tests reach neither network nor processes, and tests that need root say so when there is none."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.audit import process_audit

TESTS = Path(__file__).resolve().parent
AUDIT = process_audit.install(Path(tempfile.mkdtemp(prefix="platformctl-audit-")))

Canary = Callable[[str], str]


def pytest_configure(config: pytest.Config) -> None:
    """Child processes that inherit our environment load the hook as well, and hear every signal."""
    # A shell's background job ignores SIGINT, nohup SIGHUP, and what is ignored is inherited: not a test's subject.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # pytest-xdist's controller runs no test; its workers are no platformctl and bring the hook themselves
    os.environ[process_audit.DIRECTORY] = str(AUDIT.folder)
    paths = [str(TESTS / "audit"), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def pytest_unconfigure() -> None:
    """Takes the shared folder away."""
    for file in AUDIT.folder.iterdir():
        file.unlink()
    AUDIT.folder.rmdir()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what cannot run here; ``-ra`` prints the reason, so nobody takes it for tested."""
    if sys.platform == "linux" and os.geteuid() == 0:
        return
    reason = "NOT TESTED: needs root on Linux (network namespaces, mounts); run script/test as root"
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def only_process_starts_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test when a rule was broken, also by a platformctl it started, also when the error was swallowed."""
    unit = request.path.is_relative_to(TESTS / "unit")
    with process_audit.forbidding(AUDIT, process_audit.STARTS | process_audit.NETWORK if unit else set()):
        yield
    broken = AUDIT.take()
    if broken:
        pytest.fail("\n".join(broken), pytrace=False)


@pytest.fixture
def audit() -> process_audit.Audit:
    """The hook's state, for the tests of the hook."""
    return AUDIT


@pytest.fixture
def canary() -> Iterator[Canary]:
    """Makes secret values, each unlike anything else, whose appearance in any argv fails the test."""
    file = AUDIT.folder / "canaries"

    def make(name: str) -> str:
        value = f"canary-{name}-{secrets.token_hex(12)}"
        with file.open("a", encoding="utf-8") as known:
            known.write(value + "\n")
        return value

    yield make
    file.unlink(missing_ok=True)
