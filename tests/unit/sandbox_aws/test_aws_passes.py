"""ECR's passwords: whose they are, how long they hold, and what does not pass for one."""

from __future__ import annotations

import base64
from datetime import timedelta

from platformctl.sandbox.aws.passes import LIFETIME, Passes
from platformctl.testing.clock import FakeClock


def basic(password: str, user: str = "AWS") -> str:
    """The header a docker client sends."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_password_speaks_for_its_account_until_it_ends() -> None:
    clock = FakeClock()
    passes = Passes(b"key", clock)
    password, expires = passes.issue("123456789012")
    assert expires == clock.now() + timedelta(hours=12)
    assert passes.account(basic(password)) == "123456789012"
    clock.advance(LIFETIME.total_seconds())
    assert passes.account(basic(password)) is None


def test_another_process_another_user_and_tampering_do_not_pass() -> None:
    clock = FakeClock()
    passes = Passes(b"key", clock)
    password, _ = passes.issue("123456789012")
    other = base64.urlsafe_b64encode(base64.urlsafe_b64decode(password).replace(b"1234", b"9999")).decode()
    assert Passes(b"another", clock).account(basic(password)) is None
    assert passes.account(basic(password, user="root")) is None
    assert passes.account(basic(other)) is None
    assert passes.account("Bearer " + password) is None
    assert passes.account("Basic !!") is None
    assert passes.account("") is None
