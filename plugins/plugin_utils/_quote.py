"""Text as the configuration files of the backing services want it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


def haproxy_quote(value: str) -> str:
    """``value`` as one word of haproxy.cfg, whatever it holds. Raises ValueError for a line break or NUL: no quoting saves those."""
    if re.search(r"[\n\r\0]", value):
        raise ValueError("a value of haproxy.cfg must not contain line breaks")
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def haproxy_path_regex(paths: Iterable[str]) -> str:
    """Quoted regular expression for a decoded URL path that is one of ``paths`` or lies below it.

    Repeated slashes count as one, so that no spelling of a denied path gets through.
    """
    alternatives = ["/+".join(re.escape(part) for part in path.strip("/").split("/")) for path in paths]
    return haproxy_quote(f"^/+({'|'.join(alternatives)})(/|$)")


def _setting(value: Any) -> str:
    """``value`` as PostgreSQL is to read it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)


def postgresql_value(value: Any) -> str:
    """``value`` as it stands in postgresql.conf: on/off for booleans, the rest quoted."""
    text = _setting(value)
    return text if isinstance(value, bool) else "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def postgresql_arguments(settings: Mapping[str, Any]) -> list[str]:
    """``settings`` as arguments of the server's own command."""
    return [part for name, value in sorted(settings.items()) for part in ("-c", f"{name}={_setting(value)}")]


def postgresql_name(value: str) -> str:
    """``value`` as a name in pg_hba.conf: quoted, so that no keyword is meant."""
    return '"' + value.replace('"', '""') + '"'


def postgresql_peer(value: str) -> str:
    """A client address in pg_hba.conf: networks and host names as they are, a single address with its full prefix length."""
    if "/" in value or not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*", value):
        return value
    return f"{value}/{128 if ':' in value else 32}"
