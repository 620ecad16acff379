"""Keys and certificates: what is in them, who may read them, when they are renewed."""

from __future__ import annotations

import base64
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from platformctl.sandbox.certificates import Certificates, ensure

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_server_is_known_by_loopback_and_by_its_names_in_the_cluster(tmp_path: Path) -> None:
    certificate = read(ensure(tmp_path, NOW).server[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "127.0.0.1" in [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert {"localhost", "kubernetes.default.svc"} <= set(names.get_values_for_type(x509.DNSName))


def test_every_certificate_is_signed_by_the_authority(tmp_path: Path) -> None:
    certificates = ensure(tmp_path, NOW)
    authority = read(certificates.authority)
    for path in tmp_path.glob("*.crt"):
        read(path).verify_directly_issued_by(authority)


def test_the_scheduler_is_the_user_that_kubernetes_gives_its_rights(tmp_path: Path) -> None:
    subject = read(ensure(tmp_path, NOW).pair("kube-scheduler")[0]).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:kube-scheduler"


def test_keys_are_readable_for_their_owner_only(tmp_path: Path) -> None:
    ensure(tmp_path, NOW)
    keys = list(tmp_path.glob("*.key"))
    assert len(keys) == 8
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    ensure(tmp_path, NOW)
    before = content(tmp_path)
    ensure(tmp_path, NOW + timedelta(days=300))
    assert content(tmp_path) == before


def test_what_ends_within_a_month_is_renewed_by_the_same_authority(tmp_path: Path) -> None:
    ensure(tmp_path, NOW)
    before = content(tmp_path)
    ensure(tmp_path, NOW + timedelta(days=340))
    after = content(tmp_path)
    kept = {name for name in after if after[name] == before[name]}
    assert kept == {"ca.crt", "ca.key", "service-accounts.key"}


def test_a_damaged_pair_is_made_anew_and_the_others_are_kept(tmp_path: Path) -> None:
    certificates = ensure(tmp_path, NOW)
    before = content(tmp_path)
    certificates.pair("kwok")[1].write_text("")
    ensure(tmp_path, NOW)
    after = content(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {"kwok.crt", "kwok.key"}


def test_a_certificate_that_does_not_belong_to_its_key_is_made_anew(tmp_path: Path) -> None:
    certificates = ensure(tmp_path, NOW)
    other = certificates.pair("admin")[0].read_bytes()
    certificates.pair("kwok")[0].write_bytes(other)
    ensure(tmp_path, NOW)
    assert certificates.pair("kwok")[0].read_bytes() != other


def test_a_kubeconfig_holds_everything_it_needs(tmp_path: Path) -> None:
    certificates: Certificates = ensure(tmp_path, NOW)
    document = json.loads(certificates.kubeconfig("admin", "https://127.0.0.1:6443"))
    cluster = document["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == certificates.authority.read_bytes()
    assert document["current-context"] == document["contexts"][0]["name"]
