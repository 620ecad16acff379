"""Terraform's CLI configuration as we need it: provider mirrors first, the registry for the rest, no phoning home.

The user's own file, when there is one, keeps every setting it makes; we add only what it leaves open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from platformctl.tools.terraform.configuration import read_text


def cli_config(mirrors: Iterable[Path], plugin_cache: Path, user_text: str = "") -> str:
    """The file's content.

    ``mirrors``: folders that hold ``<registry host>/<namespace>/<type>``. ``plugin_cache``: where downloaded providers
    are kept, made by the caller. ``user_text``: the user's own configuration, empty when there is none.
    """
    theirs = read_text(user_text)
    set_by_them = {*theirs.attributes, *(block.kind for block in theirs.blocks)}
    parts = [user_text.rstrip()] if user_text.strip() else []
    if "plugin_cache_dir" not in set_by_them:
        parts.append(f"plugin_cache_dir = {json.dumps(f'{plugin_cache}')}")
    if "disable_checkpoint" not in set_by_them:
        parts.append("disable_checkpoint = true")
    held = {mirror: _providers(mirror) for mirror in mirrors}
    if "provider_installation" not in set_by_them and any(held.values()):
        parts.append(_installation(held))
    return "\n".join(parts) + "\n"


def user_config(environ: Mapping[str, str], home: Path) -> str:
    """The user's own configuration: TF_CLI_CONFIG_FILE or ``~/.terraformrc``; a file that is not there is no error."""
    named = environ.get("TF_CLI_CONFIG_FILE") or environ.get("TERRAFORM_CONFIG")
    try:
        return (Path(named) if named else home / ".terraformrc").read_text(encoding="utf-8")
    except OSError:
        return ""


def _providers(mirror: Path) -> list[str]:
    return sorted(f"{path.relative_to(mirror)}" for path in mirror.glob("*.*/*/*") if path.is_dir())


def _installation(held: Mapping[Path, list[str]]) -> str:
    """A provider that a mirror holds is never asked for elsewhere: without internet the question alone would fail."""
    lines = ["provider_installation {"]
    for mirror, names in held.items():
        if names:
            lines += ["  filesystem_mirror {", f"    path    = {json.dumps(f'{mirror}')}"]
            lines += [f"    include = {json.dumps(names)}", "  }"]
    everything = sorted({name for names in held.values() for name in names})
    return "\n".join([*lines, "  direct {", f"    exclude = {json.dumps(everything)}", "  }", "}"])
