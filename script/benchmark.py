"""Measures platformctl beside its peers, alternating, and prints medians and ratios. Called by ``script/bench``.

Nothing here passes or fails: the targets are printed beside the figures, and the machine's noise beside both.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STACKS = 30
LARGE = 500
WORKERS = 2
PLATFORMCTL = Path(sys.executable).parent / "platformctl"
TERRAFORM = shutil.which("terraform") or shutil.which("tofu") or "terraform"
# A preset file that does not exist would add a warning to every call of the peer.
QUIET = {key: value for key, value in os.environ.items() if key != "TF_CLI_CONFIG_FILE"} | {"TF_IN_AUTOMATION": "1"}

STACK = """\
variable "name" {
  type        = string
  description = "What the stack is called."
}

module "this" {
  source = "../../modules/sample"
  name   = var.name
}

output "name" {
  description = "The name, as stored."
  value       = module.this.name
}
"""
MODULE = """\
variable "name" {
  type        = string
  description = "What to store."
}

resource "terraform_data" "this" {
  input = var.name
}

output "name" {
  description = "The name, as stored."
  value       = terraform_data.this.output
}
"""


def main() -> None:
    """Runs the subjects named on the command line, all by default."""
    subjects: dict[str, Callable[[], None]] = {
        "start": start,
        "large": large,
        "outputs": outputs,
        "stacks": stacks,
    }
    unknown = [name for name in sys.argv[1:] if name not in subjects]
    if unknown:
        sys.exit(f"error: unknown subject {unknown[0]!r}; there are {', '.join(subjects)}")
    print(f"machine: {os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    for name in sys.argv[1:] or subjects:
        subjects[name]()


def start() -> None:
    """Start-up of the commands that a person or a script calls all the time, beside bare Python."""
    with root(1) as folder:
        compare(
            "start",
            {
                "python -c pass": [sys.executable, "-c", "pass"],
                "platformctl --version   (target under 150 ms)": [PLATFORMCTL, "--version"],
                "platformctl --help      (target under 150 ms)": [PLATFORMCTL, "--help"],
                "platformctl env validate (target under 400 ms)": validate(folder),
            },
            rounds=11,
        )


def large() -> None:
    """Load, validate and order a generated environment of 500 stacks."""
    with root(LARGE) as folder:
        compare(
            f"an environment of {LARGE} stacks",
            {
                "platformctl env validate (target under 1 s)": validate(folder),
                "platformctl stacks graph (target under 1 s)": [
                    PLATFORMCTL, "-C", folder, "stacks", "graph", "--env", "bench", "--output", "json",
                ],
            },
            rounds=5,
        )  # fmt: skip


def outputs() -> None:
    """Outputs of one applied stack: read from its state, and by starting Terraform."""
    from platformctl.tools.terraform.state import read_state

    with root(1) as folder:
        applied(folder)
        working, environment = place(folder, "s000")
        state, rounds = folder / ".platform" / "state" / "bench" / "s000.tfstate", 200
        read_state(state.read_bytes(), str(state))
        begun = time.perf_counter()
        for _ in range(rounds):
            found = read_state(state.read_bytes(), str(state)).outputs
        ours = (time.perf_counter() - begun) / rounds
        assert found, "the state has outputs"
        theirs = statistics.median(
            timed([TERRAFORM, "output", "-json", "-no-color"], cwd=working, env=environment) for _ in range(5)
        )
        print(f"\noutputs of a stack\n  from state        {ours * 1000:9.3f} ms")
        print(f"  terraform output  {theirs * 1000:9.3f} ms")
        print(f"  ratio             {theirs / ours:9.0f} times faster   (target 20 or more)")


def stacks() -> None:
    """30 unchanged stacks: ``stacks plan``, the same Terraform commands by a shell loop two at a time, bare plans."""
    with root(STACKS) as folder:
        applied(folder)
        places = [place(folder, f"s{number:03}") for number in range(STACKS)]
        plan = f"{TERRAFORM} plan -input=false -no-color -out=bench.tfplan >/dev/null"
        # sh takes a place's two words: the working directory and TF_DATA_DIR.
        loop = f'cd "$0" && export TF_DATA_DIR="$1" && {plan}'
        show = f"{loop} && {TERRAFORM} show -json bench.tfplan >/dev/null"
        listing = "\n".join(f"{working} {environment['TF_DATA_DIR']}" for working, environment in places)
        parallel: list[str | Path] = ["xargs", "-P", str(WORKERS), "-n", "2", "sh", "-c"]
        compare(
            f"{STACKS} unchanged stacks, {WORKERS} at a time",
            {
                "terraform plan": [*parallel, loop],
                "terraform plan + show -json": [*parallel, show],
                "platformctl stacks plan": [
                    PLATFORMCTL, "-C", folder, "stacks", "plan", "--env", "bench", "--output", "json",
                ],
            },
            rounds=5,
            stdin=listing,
        )  # fmt: skip
        print("  (target: at most 1.3 times the same commands)")


def validate(folder: Path) -> list[str | Path]:
    """``env validate`` of the root's environment."""
    return [PLATFORMCTL, "-C", folder, "env", "validate", "bench"]


def place(folder: Path, stack: str) -> tuple[Path, dict[str, str]]:
    """Where platformctl runs Terraform for a stack, and the environment that Terraform needs there."""
    directory = folder / ".platform" / "terraform" / "bench" / stack
    data = max(directory.glob("data-*"), key=lambda path: path.stat().st_mtime)
    return directory / "stacks" / "sample", QUIET | {"TF_DATA_DIR": str(data)}


def applied(folder: Path) -> None:
    """Applies every stack of the root once, through platformctl."""
    command = [PLATFORMCTL, "-C", folder, "run", "provision", "--env", "bench", "--auto-approve"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")


@contextmanager
def root(count: int) -> Iterator[Path]:
    """A root with one environment of ``count`` stacks in chains of five, without providers, state on disk."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "platform.yaml", "schemaVersion: 1\n")
        write(folder / "terraform" / "stacks" / "sample" / "main.tf", STACK)
        write(folder / "terraform" / "modules" / "sample" / "main.tf", MODULE)
        lines = ["apiVersion: platform/v1", "kind: Environment", "name: bench", "cloud: {provider: none}", "stacks:"]
        for number in range(count):
            lines += [f"  s{number:03}:", "    source: sample"]
            if number % 5:
                lines.append(f"    needs: {{name: s{number - 1:03}.name}}")
            else:
                lines.append(f"    inputs: {{name: chain-{number}}}")
        write(folder / "pipelines" / "environments" / "bench.yaml", "\n".join(lines) + "\n")
        yield folder


def write(path: Path, text: str) -> None:
    """Writes a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def compare(title: str, commands: dict[str, list[str | Path]], *, rounds: int, stdin: str = "") -> None:
    """Runs the commands in turn, A B C A B C, after one warm-up each; prints median, spread and ratio to the first."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            seconds = timed(command, env=QUIET, stdin=stdin)
            if number:
                times[name].append(seconds)
    print(f"\n{title}")
    width = max(map(len, commands))
    first = statistics.median(next(iter(times.values())))
    for name, seen in times.items():
        median = statistics.median(seen)
        spread = f"{min(seen) * 1000:.0f} to {max(seen) * 1000:.0f}"
        print(f"  {name:<{width}}  {median * 1000:7.0f} ms   ({spread:>14})   {median / first:5.2f}x")


def timed(
    command: list[str | Path] | list[str], *, env: dict[str, str], cwd: Path | None = None, stdin: str = ""
) -> float:
    """Seconds that a command took; a command that fails ends the benchmark, its figure would mean nothing."""
    begun = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env, cwd=cwd, input=stdin)
    seconds = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return seconds


if __name__ == "__main__":
    main()
