"""``env bootstrap``: the state bucket of an environment, and the policies of those who use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.command import SCHEMA_VERSION, Output, PlatformCommand

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.tools.aws.bucket import Setting


@click.command(
    "bootstrap",
    cls=PlatformCommand,
    example="platformctl env bootstrap --env dev\nplatformctl env bootstrap --env dev --output json | jq .policies",
)
@click.option("--env", "name", required=True, metavar="NAME", help="Name or file of the environment.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def bootstrap_command(output: Output, name: str, dry_run: bool) -> None:
    """Create the state bucket, or put it right: versioned, encrypted, private, TLS only.

    Again, it changes nothing and says so. The policies that it prints are for the roles that plan and apply, and for
    those who read run records; the last can read no state.
    """
    from platformctl.cli.wiring import Site
    from platformctl.core.errors import PreconditionError
    from platformctl.tools.aws import check_account
    from platformctl.tools.aws.bucket import StateBucket
    from platformctl.tools.aws.policies import Layout, role_policies

    site = Site.open(name)
    state = site.environment.state
    if state is None:
        raise PreconditionError(
            f"the environment {site.environment.name} has no state bucket: its states are on this machine",
            hint="add `state: {bucket: NAME}` to its file",
        )
    session = site.session()
    check_account(session)
    account = session.account
    layout = Layout(bucket=state.bucket, prefix=state.prefix or "", partition=account.partition)
    bucket = StateBucket(
        session.client("s3", state.region or ""),
        layout,
        account,
        region=state.region or "",
        kms_key=state.kms_key or "",
        tls=not site.environment.cloud.sandbox,
    )
    settings = bucket.ensure(dry_run=dry_run)
    policies = role_policies(layout, site.environment.name)
    output.emit(
        _document(state.bucket, settings, policies, dry_run=dry_run),
        text=lambda console: _show(console, state.bucket, settings, policies, dry_run=dry_run),
    )


def _document(bucket: str, settings: tuple[Setting, ...], policies: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    return {
        "schemaVersion": SCHEMA_VERSION,
        "bucket": bucket,
        "changed": any(setting.changed for setting in settings) and not dry_run,
        "settings": [{"name": setting.name, "changed": setting.changed} for setting in settings],
        "policies": policies,
    }


def _show(
    console: Console, bucket: str, settings: tuple[Setting, ...], policies: dict[str, Any], *, dry_run: bool
) -> None:
    for setting in settings:
        done = ("would be set" if dry_run else "set") if setting.changed else "as it should be"
        console.print(f"{setting.name:<20} {done}", markup=False)
    changed = sum(setting.changed for setting in settings)
    if dry_run:
        console.print(f"bucket {bucket}: {changed} of {len(settings)} settings would change", markup=False)
    else:
        console.print(
            f"bucket {bucket}: " + (f"{changed} settings changed" if changed else "nothing changed"), markup=False
        )
    console.print(f"policies ({', '.join(policies)}): --output json prints them", markup=False)
