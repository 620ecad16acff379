"""``platformctl init``: a new root that a user can build on at once. Writes only what is missing, never over a file."""

from __future__ import annotations

from pathlib import Path

import click

from platformctl import __version__
from platformctl.cli.command import Output, PlatformCommand
from platformctl.core.errors import PreconditionError

ROOT = """\
# Marks the root: platformctl looks for this file here and in the folders above.
schemaVersion: 1
platformctl: ">={version}"
# What every environment of this root shares goes below `defaults`, in the words of an environment file.
defaults: {{}}
"""

ENVIRONMENT = """\
# What shall exist in {name}. Every key: `platformctl env show {name} --explain`, docs/reference/environment.md.
apiVersion: platform/v1
kind: Environment
name: {name}
cloud: {{provider: aws, region: {region}, account: "{account}"}}
# Holds Terraform's states, leases and run records; `platformctl env bootstrap --env {name}` creates it.
state: {{bucket: {bucket}}}
stacks:
  registry:
    source: registry                  # terraform/stacks/registry, yours or the one platformctl brings
    inputs: {{repositories: [example]}}
"""

IGNORE = "# Runs, working copies and the sandbox; never committed.\n.platform/\n"


@click.command(
    "init", cls=PlatformCommand, example="platformctl init platform --account 123456789012 --region ap-northeast-2"
)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="dev", show_default=True, help="The first environment's name.")
@click.option("--account", required=True, metavar="ID", help="The AWS account it lives in, 12 digits.")
@click.option("--region", required=True, help="The AWS region it lives in.")
@click.option("--bucket", default="", help="The state bucket's name; ACCOUNT-platform-state when not given.")
def command(output: Output, directory: Path, name: str, account: str, region: str, bucket: str) -> None:
    """Start a new root in DIRECTORY: platform.yaml and a first environment."""
    values = {
        "version": __version__,
        "name": name,
        "account": account,
        "region": region,
        "bucket": bucket or f"{account}-platform-state",
    }
    files = {
        directory / "platform.yaml": ROOT.format_map(values),
        directory / "pipelines" / "environments" / f"{name}.yaml": ENVIRONMENT.format_map(values),
        directory / ".gitignore": IGNORE,
    }
    existing = [path for path in files if path.exists() and path.name != ".gitignore"]
    if existing:
        raise PreconditionError(f"{existing[0]} exists already", hint="nothing was written; choose another directory")
    _check(files[directory / "pipelines" / "environments" / f"{name}.yaml"], name)
    written = [path for path in files if not path.exists()]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    document = {"root": str(directory), "written": [str(path) for path in written], "environment": name}
    output.emit(document, text=lambda console: console.print(_text(directory, written, name), markup=False))


def _check(text: str, name: str) -> None:
    """Refuses options that would make a faulty environment, before anything is written."""
    import tempfile

    from platformctl.spec.loader import load_environment

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        load_environment(path, Path(folder))


def _text(directory: Path, written: list[Path], name: str) -> str:
    lines = [f"wrote {path}" for path in written]
    return "\n".join([*lines, "", "next:", f"  cd {directory}", f"  platformctl env validate {name}"])
