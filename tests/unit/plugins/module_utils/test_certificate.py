from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding


def certificate(end: datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a long name " * 4)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=9))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


# Until 2049 a certificate has two digits of the year, and four after it.
@pytest.mark.parametrize("year", [2031, 2049, 2050, 2099])
def test_the_end_of_a_certificate(year: int) -> None:
    end = datetime(year, 2, 3, 4, 5, 6, tzinfo=UTC)
    others = certificate(datetime(2030, 1, 1, tzinfo=UTC))
    assert _certificate.not_after(f"a comment\n{certificate(end)}{others}") == end


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate(text: str) -> None:
    with pytest.raises(ValueError, match="certificate"):
        _certificate.not_after(text)
