"""Checks of a certificate that the user brings."""

from __future__ import annotations

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def mismatch(certificate: str, key: str, now: datetime.datetime) -> str | None:
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


def other_names(certificate: str, host: str) -> str | None:
    """The names in the ``certificate`` (the first one of a chain) when ``host`` is none of them; None when it is.

    ``host`` is a name in lower case or an IP address. A wildcard stands for one label. Browsers ignore the common
    name.
    """
    loaded = x509.load_pem_x509_certificates(certificate.encode())[0]
    try:
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "no name (subjectAltName)"
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    domains = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    try:
        found = str(ipaddress.ip_address(host)) in addresses
    except ValueError:
        found = host in domains or f"*.{host.partition('.')[2]}" in domains
    return None if found else ", ".join([*domains, *addresses]) or "no name (subjectAltName)"
