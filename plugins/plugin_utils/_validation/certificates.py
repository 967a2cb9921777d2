# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a certificate that the user brings."""

from __future__ import annotations

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def names(certificate: str) -> list[str]:
    """The DNS names and addresses of ``certificate`` (PEM, the first of a chain). Raises ValueError for no PEM."""
    loaded = x509.load_pem_x509_certificates(certificate.encode())[0]
    try:
        found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        # A common name counts no more.
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def covers(valid: list[str], host: str) -> bool:
    """Whether ``host``, a name or address, is one of the ``valid`` names of a certificate; "*" stands for one label."""
    try:
        return str(ipaddress.ip_address(host)) in valid
    except ValueError:
        host = host.lower().rstrip(".")
    return any(name.lower() in (host, f"*.{host.partition('.')[2]}") for name in valid)


def pair_problem(certificate: str, key: str, now: datetime.datetime) -> str | None:
    """Why a server could not use ``certificate`` (the first one of a chain) with ``key`` at the time ``now``; None
    when it could."""
    try:
        loaded = x509.load_pem_x509_certificates(certificate.encode())[0]
    except ValueError:
        return "the certificate is not PEM"
    try:
        public = serialization.load_pem_private_key(key.encode(), password=None).public_key()
    except (ValueError, TypeError):
        return "the key is not PEM, or has a passphrase"
    if public != loaded.public_key():
        return "the key belongs to another certificate"
    if not loaded.not_valid_before_utc <= now <= loaded.not_valid_after_utc:
        return (
            f"the certificate is valid from {loaded.not_valid_before_utc:%Y-%m-%d} to "
            f"{loaded.not_valid_after_utc:%Y-%m-%d}"
        )
    return None
