"""Keys and certificates of the sandbox's Kubernetes, and the kubeconfigs made of them. Made once, renewed in time.

The names in the certificates are Kubernetes' own (https://kubernetes.io/docs/setup/best-practices/certificates/): the
common name is the user, the organisation its group.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from platformctl.core.errors import PreconditionError
from platformctl.sandbox.state import write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_AUTHORITY_LIFE = timedelta(days=3650)
_LIFE = timedelta(days=365)
_RENEWED_BEFORE = timedelta(days=30)
_SERVER = "server"
_SERVICE_ACCOUNTS = "service-accounts"
# The name of the file, then user and group.
_CLIENTS: Mapping[str, tuple[str, str]] = {
    "admin": ("kubernetes-admin", "system:masters"),
    "etcd-client": ("kube-apiserver", ""),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", "system:masters"),
}
_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
# The first address of the service range: pods on a real node reach the API server under it.
_SERVER_ADDRESSES = ("127.0.0.1", "10.96.0.1")


@dataclass(frozen=True)
class Certificates:
    """Where the keys (0600) and certificates of one sandbox are."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signed all others."""
        return self.directory / "ca.crt"

    @property
    def service_account_key(self) -> Path:
        """Signs the tokens of service accounts, and verifies them."""
        return self.directory / f"{_SERVICE_ACCOUNTS}.key"

    @property
    def server(self) -> tuple[Path, Path]:
        """Certificate and key of every server on loopback."""
        return self.pair(_SERVER)

    def pair(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of a client: admin, etcd-client, kube-controller-manager, kube-scheduler, kwok."""
        return self.directory / f"{name}.crt", self.directory / f"{name}.key"

    def kubeconfig(self, client: str, endpoint: str) -> str:
        """A kubeconfig as JSON, which is YAML too, with everything inside: it can be copied elsewhere."""
        certificate, key = self.pair(client)
        cluster = {"server": endpoint, "certificate-authority-data": _base64(self.authority)}
        user = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "sandbox", "cluster": cluster}],
                "users": [{"name": client, "user": user}],
                "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": client}}],
                "current-context": "sandbox",
            },
            indent=1,
        )


def ensure(directory: Path, now: datetime) -> Certificates:
    """Makes what is missing, damaged, or ends within 30 days of ``now``; leaves the rest untouched.

    Raises PreconditionError when the ``cryptography`` library is not installed.
    """
    try:
        import cryptography  # noqa: F401 - asked for here so that its absence is told once, with what to do
    except ImportError as error:
        raise PreconditionError(
            "the sandbox needs libraries that are not installed", hint="pip install 'platformctl[sandbox]'"
        ) from error
    authority = directory / "ca.crt", directory / "ca.key"
    renewed = not _is_valid(authority, now)
    if renewed:
        _write(authority, *_issue("platformctl sandbox", "", now=now, life=_AUTHORITY_LIFE, signer=None))
    signer = _read_certificate(authority[0]), _read_key(authority[1])
    certificates = Certificates(directory)
    for name in (_SERVER, *_CLIENTS):
        pair = certificates.pair(name)
        if renewed or not _is_valid(pair, now):
            user, group = _CLIENTS.get(name, ("kube-apiserver", ""))
            _write(pair, *_issue(user, group, now=now, life=_LIFE, signer=signer, serving=name == _SERVER))
    if not certificates.service_account_key.is_file():
        write_private(certificates.service_account_key, _key_text(_new_key()))
    return certificates


def _issue(
    user: str,
    group: str,
    *,
    now: datetime,
    life: timedelta,
    signer: tuple[x509.Certificate, EllipticCurvePrivateKey] | None,
    serving: bool = False,
) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    """A certificate and its key; signed by itself, and an authority, when there is no signer."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    names = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    subject, key = x509.Name(names), _new_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer is None else signer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of containers and hosts differ a little
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(_usages(authority=signer is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if signer is not None:
        # etcd's server is its own peer's client, so the serving certificate serves for both.
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if serving else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer[1].public_key()), critical=False
        )
    if serving:
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in _SERVER_NAMES]
        alternatives += [x509.IPAddress(IPv4Address(address)) for address in _SERVER_ADDRESSES]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key if signer is None else signer[1], hashes.SHA256()), key


def _usages(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _new_key() -> EllipticCurvePrivateKey:
    # P-256: every program here accepts it, and making one takes no time, unlike RSA.
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _key_text(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    # The traditional form ("EC PRIVATE KEY") is the one that kube-controller-manager reads for service accounts.
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _write(pair: tuple[Path, Path], certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    # The key first: killed in between, the pair does not match, and the next call sees that.
    write_private(pair[1], _key_text(key))
    write_private(pair[0], certificate.public_bytes(Encoding.PEM).decode())


def _is_valid(pair: tuple[Path, Path], now: datetime) -> bool:
    try:
        certificate, key = _read_certificate(pair[0]), _read_key(pair[1])
    except (OSError, ValueError, TypeError):
        return False
    return certificate.public_key() == key.public_key() and certificate.not_valid_after_utc - now > _RENEWED_BEFORE


def _read_certificate(path: Path) -> x509.Certificate:
    from cryptography import x509

    return x509.load_pem_x509_certificate(path.read_bytes())


def _read_key(path: Path) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds another kind of key")
    return key


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
