"""A host's first process: builds its root over the machine's own, then becomes sshd.

A script of its own in the host's namespaces, standard library only: ``python -I -S host.py SETTINGS NAME``. The
machine's ``/`` is the lower layer, seen but never written; what the host writes lies in a tmpfs that ends with it.
Homes and whatever runs on the machine are covered. Mount flags are those of mount(2).
"""

import ctypes
import json
import os
import platform
import socket
import stat
import sys
from pathlib import Path

NOSUID, NODEV, NOEXEC, BIND, READ_ONLY, DETACH = 2, 4, 8, 4096, 1, 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SEAM = Path("/mnt")  # any existing folder: everything is mounted below it, in this mount namespace only
SIZE = "2g"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
COVERED = {"run": "755", "tmp": "1777", "root": "700", "home": "755", "dev/shm": "1777"}
SSHD_OPTIONS = (
    "PidFile=none", "UsePAM=no", "UseDNS=no", "PasswordAuthentication=no", "KbdInteractiveAuthentication=no",
    "PermitRootLogin=prohibit-password", "AuthorizedKeysFile=.ssh/authorized_keys", "MaxStartups=100",
    "Subsystem=sftp internal-sftp", "HostKey=/run/sshd/host_key", "ListenAddress=0.0.0.0",
)  # fmt: skip
LIBC = ctypes.CDLL(None, use_errno=True)


def main(settings_file: str, name: str) -> None:
    """Never returns: it becomes sshd, or raises OSError and so ends the host."""
    settings = json.loads(Path(settings_file).read_text(encoding="utf-8"))
    host_key = Path(settings["host_key"]).read_text(encoding="ascii")
    socket.sethostname(name)
    root = make_root()
    write_identity(root, name, settings["hosts"], settings["authorized_key"], host_key)
    enter(root)
    options = [word for option in SSHD_OPTIONS for word in ("-o", option)]
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    # -f /dev/null: what the machine's own ssh service is told is not for us.
    os.execve(  # noqa: S606 - the one place where a program is not started but become
        settings["programs"]["sshd"],
        [settings["programs"]["sshd"], "-D", "-e", "-f", "/dev/null", *options],
        environment,
    )


def make_root() -> Path:
    """The host's root, below SEAM."""
    mount("upper", SEAM, "tmpfs", 0, f"mode=755,size={SIZE}")
    upper, work, root = (SEAM / part for part in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir()
    # redirect_dir: else renaming a folder of the lower layer fails; volatile: nothing here outlives a crash anyway.
    layers = f"lowerdir=/,upperdir={upper},workdir={work},redirect_dir=on,volatile"
    mount("overlay", root, "overlay", 0, layers)
    mount("proc", root / "proc", "proc", NOSUID | NODEV | NOEXEC)
    mount("sys", root / "sys", "sysfs", NOSUID | NODEV | NOEXEC | READ_ONLY)
    make_devices(root / "dev")
    for place, mode in COVERED.items():
        (root / place).mkdir(exist_ok=True)
        mount("tmpfs", root / place, "tmpfs", NOSUID | NODEV, f"mode={mode}")
    return root


def make_devices(folder: Path) -> None:
    """A small /dev: the devices every program expects, and terminals."""
    mount("dev", folder, "tmpfs", NOSUID, "mode=755")
    for name in DEVICES:
        (folder / name).touch()
        mount(f"/dev/{name}", folder / name, "", BIND)
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        (folder / name).symlink_to(target)
    (folder / "pts").mkdir()
    mount("devpts", folder / "pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
    (folder / "ptmx").symlink_to("pts/ptmx")


def write_identity(root: Path, name: str, hosts: "dict[str, str]", authorized_key: str, host_key: str) -> None:
    """Who the host is and who may log in."""
    known = "".join(f"{address.partition('/')[0]} {host}\n" for host, address in hosts.items())
    for path, text in {
        "etc/hostname": f"{name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{known}",
        "etc/resolv.conf": "# no names beyond /etc/hosts: the network leads nowhere\n",
    }.items():
        (root / path).unlink(missing_ok=True)  # often a link into /run
        (root / path).write_text(text, encoding="ascii")
    for folder in ("run/sshd", "run/lock", "root/.ssh"):
        (root / folder).mkdir(mode=0o700 if folder != "run/lock" else 0o777)
    for path, text in {"run/sshd/host_key": host_key, "root/.ssh/authorized_keys": f"{authorized_key}\n"}.items():
        (root / path).touch(mode=0o600)
        (root / path).write_text(text, encoding="ascii")
    unlock_root(root / "etc" / "shadow")


def unlock_root(shadow: Path) -> None:
    """sshd without PAM refuses an account whose password field begins with ``!``, also by key (sshd_config(5))."""
    lines = shadow.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = [line.replace("root:!", "root:*", 1) if line.startswith("root:!") else line for line in lines]
    if changed != lines:
        mode = stat.S_IMODE(shadow.stat().st_mode)
        shadow.write_text("".join(changed), encoding="utf-8")
        shadow.chmod(mode)


def enter(root: Path) -> None:
    """Makes ``root`` the root, and lets go of the machine's."""
    old = root / ".machine"
    old.mkdir()
    os.chdir(root)  # noqa: TID251 - pivot_root(2) wants it
    check(LIBC.syscall(PIVOT_ROOT[platform.machine()], b".", b".machine"), "pivot_root")
    os.chdir("/")  # noqa: TID251
    check(LIBC.umount2(b"/.machine", DETACH), "umount2")
    Path("/.machine").rmdir()


def mount(source: str, target: Path, kind: str, flags: int, options: str = "") -> None:
    """mount(2). Raises OSError naming the target."""
    words = [word.encode() for word in (source, str(target), kind)]
    check(LIBC.mount(*words, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def check(result: int, doing: str) -> None:
    """Raises OSError when a call of the C library failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
