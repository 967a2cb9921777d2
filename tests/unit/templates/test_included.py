"""Templates that others include."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROLES = Path(__file__).parents[3] / "roles"


@pytest.mark.parametrize(
    "path", sorted((ROLES / "haproxy/templates/etc/haproxy").glob("*p.cfg.j2")), ids=lambda path: path.name
)
def test_an_included_template_ends_with_a_tag(path):
    """Jinja takes the end of an included template's last line, and what follows would become part of that line."""
    assert re.search(r"[%#]}\n$", path.read_text(encoding="utf-8"))
