"""``sandbox connect``: standard input and output as a connection to a host's SSH port, for ssh's ProxyCommand.

Enters the hub's network and nothing else of it. ssh starts it for every connection: only the standard library here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
from pathlib import Path

from platformctl.core.errors import PreconditionError, TransientError

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of setns(2); os.setns came with Python 3.12
_PORT = 22
_TIMEOUT = 10.0
_CHUNK = 256 * 1024


def relay(hub: int, address: str) -> None:
    """Runs until both sides are done.

    ``hub``: the pid whose network is entered. Raises PreconditionError: not root, hub gone; TransientError: no answer.
    """
    enter_network(hub)
    try:
        connection = socket.create_connection((address, _PORT), timeout=_TIMEOUT)
    except OSError as error:
        raise TransientError(f"{address} does not answer on port {_PORT}: {error.strerror or error}") from None
    connection.settimeout(None)
    with connection:
        threading.Thread(target=_send, args=(connection,), daemon=True).start()
        while chunk := connection.recv(_CHUNK):
            view = memoryview(chunk)
            while view:
                view = view[os.write(1, view) :]


def enter_network(pid: int) -> None:
    """Moves this thread, and the sockets it makes from now on, into the network of a process."""
    try:
        descriptor = os.open(Path(f"/proc/{pid}/ns/net"), os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        raise PreconditionError("only root may enter the hosts' network", hint="run ssh as root") from None
    except OSError:
        raise PreconditionError("the sandbox's hosts are not up", hint="platformctl sandbox up") from None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _NEW_NETWORK) != 0:
            cause = os.strerror(ctypes.get_errno())
            raise PreconditionError(f"the hosts' network cannot be entered: {cause}", hint="run ssh as root")
    finally:
        os.close(descriptor)


def _send(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side has gone; the main thread sees it too
        while chunk := os.read(0, _CHUNK):
            connection.sendall(chunk)
        connection.shutdown(socket.SHUT_WR)
