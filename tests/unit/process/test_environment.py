"""What a program inherits of our environment."""

from __future__ import annotations

from platformctl.core.command import Command
from platformctl.core.secret import Secret
from platformctl.process.environment import allowed
from platformctl.process.spawn import environment


def test_what_decides_which_cloud_is_changed_is_not_inherited() -> None:
    ours = {
        "AWS_PROFILE": "prod",
        "AWS_SECRET_ACCESS_KEY": "x",
        "TF_VAR_region": "x",
        "TF_CLI_CONFIG_FILE": "/gone",
        "KUBECONFIG": "x",
        "ANSIBLE_CONFIG": "x",
        "LD_PRELOAD": "x",
        "PYTHONPATH": "x",
        "BUILD_ID": "7",
    }
    assert allowed(ours) == {}


def test_paths_locale_proxies_and_certificate_authorities_are() -> None:
    ours = {"PATH": "/bin", "LC_ALL": "C", "https_proxy": "http://proxy", "SSL_CERT_FILE": "/ca", "TZ": "Asia/Seoul"}
    assert allowed(ours) == ours


def test_a_command_adds_its_own_and_wins() -> None:
    command = Command(("x",), env={"PATH": "/own", "AWS_SECRET_ACCESS_KEY": Secret("value")})
    assert environment(command, {"PATH": "/bin", "HOME": "/h"}) == {
        "PATH": "/own",
        "HOME": "/h",
        "AWS_SECRET_ACCESS_KEY": "value",
    }
