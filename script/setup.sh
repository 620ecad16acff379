# Sourced by the other scripts: makes .venv (idempotent) and installs what this machine lacks. Never run by itself.
# Says what it does, and stops with a reason when something cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "== $*" >&2; }
stop() { printf '%s\n' "error: $1" "hint: $2" >&2; exit 4; }

python_command() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  stop "no Python 3.11, 3.12 or 3.13 on PATH" "install one, for example with your package manager or pyenv"
}

# Debian and Ubuntu, as root only: packages that the sandbox's hosts need. Elsewhere the sandbox says what is missing.
apt_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "apt-get install ${missing[*]}"
  # The sandbox starts sshd inside its own namespaces; the machine's own ssh service shall not start because of us.
  if [ -d /run/systemd/system ] && [[ " ${missing[*]} " == *" openssh-server "* ]]; then
    systemctl mask ssh.service ssh.socket >/dev/null 2>&1 || true
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt_packages git openssh-client openssh-server iproute2 python3-venv util-linux
fi
command -v terraform >/dev/null || command -v tofu >/dev/null ||
  stop "neither terraform nor tofu is on PATH" "install Terraform 1.10 or newer, or OpenTofu 1.10 or newer"

wanted=$(cat requirements/uv.txt requirements/dev.txt pyproject.toml | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/.made-from 2>/dev/null || true)" != "$wanted" ]; then
  say "making .venv"
  rm -rf .venv
  "$(python_command)" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/uv.txt
  UV_LINK_MODE=${UV_LINK_MODE:-hardlink} .venv/bin/uv pip install --quiet --python .venv/bin/python \
    --require-hashes --compile-bytecode -r requirements/dev.txt
  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
  printf '%s\n' "$wanted" > .venv/.made-from
fi
# Byte code for our own package too: PYTHONDONTWRITEBYTECODE would otherwise compile it again at every start.
.venv/bin/python -m compileall -q platformctl
export PATH="$PWD/.venv/bin:$PATH"
