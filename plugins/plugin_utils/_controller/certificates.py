# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a cluster: a CA made once, and one certificate per host, renewed before it expires.

Pure functions over PEM texts and a given time; nothing here reads or writes files.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# The CA outlives many host certificates; to replace it, two CAs have to be trusted for a while.
CA_DAYS = 3650
# Clocks of hosts may be behind the controller's.
_BACKDATED = datetime.timedelta(days=1)


class Pair(TypedDict):
    """A certificate and its private key, both as PEM."""

    certificate: str
    key: str


class Keystore(TypedDict):
    """What the controller keeps."""

    ca: Pair
    hosts: dict[str, Pair]


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def _builder(
    subject: str, issuer: x509.Name | None, key: Any, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer or name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def make_ca(cluster: str, now: datetime.datetime) -> Pair:
    """A CA for one cluster, which may sign host certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(f"Flightdeck cluster {cluster}", None, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return {"certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(), "key": _key_pem(key)}


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def issue(ca: Pair, host: str, names: Iterable[str], now: datetime.datetime, days: int) -> Pair:
    """A certificate for ``host``, valid for ``days``, for all ``names`` (host names and addresses), signed by
    ``ca``."""
    signer = x509.load_pem_x509_certificate(ca["certificate"].encode())
    signing_key = serialization.load_pem_private_key(ca["key"].encode(), password=None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the CA is no elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(host, signer.subject, key, now, days)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in sorted(set(names))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        # RabbitMQ's nodes are each other's clients.
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(signing_key, hashes.SHA256())
    )
    return {"certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(), "key": _key_pem(key)}


def names_of(certificate: str) -> set[str]:
    """The host names and addresses that a certificate is valid for."""
    loaded = x509.load_pem_x509_certificate(certificate.encode())
    try:
        found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {
        *found.get_values_for_type(x509.DNSName),
        *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
    }


def reason_to_renew(
    pair: Pair | None, ca: Pair, names: Iterable[str], now: datetime.datetime, renew_days: int
) -> str | None:
    """Why a host needs another certificate than ``pair``, in words; None when it does not.

    ``names`` are those that it has to prove; ``renew_days`` are the days before its end when it is replaced.
    """
    if not pair:
        return "it has none"
    certificate = x509.load_pem_x509_certificate(pair["certificate"].encode())
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca["certificate"].encode()))
    except (ValueError, TypeError, InvalidSignature):
        return "another CA signed it"
    # One that it proves and need not, such as of a load balancer that left, is no reason to restart services.
    if not {_plain(name) for name in names} <= names_of(pair["certificate"]):
        return "the host's names or addresses changed"
    left = (certificate.not_valid_after_utc - now).days
    return f"it ends in {left} days" if left < renew_days else None


def is_due(
    keystore: Keystore | None, wanted: Mapping[str, Iterable[str]], now: datetime.datetime, renew_days: int
) -> bool:
    """Whether ``renew`` with the same arguments would make or drop a certificate."""
    if not keystore or keystore["hosts"].keys() != wanted.keys():
        return True
    return any(
        reason_to_renew(keystore["hosts"][host], keystore["ca"], names, now, renew_days)
        for host, names in wanted.items()
    )


def _plain(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def renew(
    keystore: Mapping[str, Any],
    cluster: str,
    wanted: Mapping[str, Iterable[str]],
    now: datetime.datetime,
    days: int,
    renew_days: int,
) -> tuple[Keystore, dict[str, str]]:
    """What to keep from now on, and per name what was made and why.

    ``wanted`` maps hosts to the names that their certificates prove. A host that is not wanted any more loses its key.
    """
    made: dict[str, str] = {}
    ca = keystore.get("ca")
    if not ca:
        ca = make_ca(cluster, now)
        made["ca"] = "there is none"
    hosts: dict[str, Pair] = {}
    for host, names in wanted.items():
        have = keystore.get("hosts", {}).get(host)
        reason = reason_to_renew(have, ca, names, now, renew_days)
        if reason:
            made[host] = reason
        hosts[host] = issue(ca, host, names, now, days) if reason else have
    return {"ca": ca, "hosts": hosts}, made
