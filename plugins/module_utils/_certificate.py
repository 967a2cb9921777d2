# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""When a certificate ends. Standard library only: a host need have no program that reads certificates."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime

_FIRST = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18


def not_after(pem: str) -> datetime:
    """The end of the first certificate in the text ``pem``. Raises ValueError when there is none."""
    found = _FIRST.search(pem)
    if not found:
        raise ValueError("it has no certificate")
    try:
        _tag, certificate, _rest = _element(ssl.PEM_cert_to_DER_cert(found[0]))
        _tag, fields, _rest = _element(certificate)
        # Version (optional), serial number, algorithm and issuer stand before the validity: not before, not after.
        tag, _value, rest = _element(fields)
        for _each in range(3 if tag == _VERSION else 2):
            tag, _value, rest = _element(rest)
        tag, validity, _rest = _element(rest)
        _tag, _value, rest = _element(validity)
        tag, end, _rest = _element(rest)
    except IndexError:
        raise ValueError("its certificate is cut off") from None
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError("its certificate has no end")
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(end.decode("ascii"), form).replace(tzinfo=UTC)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows of the first element of DER-encoded ``data``. Raises IndexError."""
    tag, length, begin = data[0], data[1], 2
    if length & 0x80:
        begin = 2 + (length & 0x7F)
        length = int.from_bytes(data[2:begin], "big")
    if len(data) < begin + length:
        raise IndexError
    return tag, data[begin : begin + length], data[begin + length :]
