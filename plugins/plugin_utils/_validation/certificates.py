"""Checks of a certificate that the user brings."""

from __future__ import annotations

import datetime

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
