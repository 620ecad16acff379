"""The hosts' SSH keys: one pair for whoever logs in, one for the hosts themselves, made once per sandbox."""

from __future__ import annotations

from pathlib import Path

from platformctl.sandbox.state import write_private

USER, HOST = "id_ed25519", "host_key"


def ensure(folder: Path) -> None:
    """Makes what is missing: private keys of mode 0600, public keys beside them."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    folder.mkdir(mode=0o700, exist_ok=True)
    for name in (USER, HOST):
        path = folder / name
        if path.is_file() and path.with_suffix(".pub").is_file():
            continue
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        write_private(path, private.decode("ascii"))
        write_private(path.with_suffix(".pub"), public.decode("ascii") + "\n")
