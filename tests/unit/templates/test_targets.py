"""A search for a file's path finds what deploys it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROLES = Path(__file__).parents[3] / "roles"
TEMPLATES = sorted(path.relative_to(ROLES) for path in ROLES.glob("*/templates/**/*.j2"))
# haproxy.cfg includes the one for the mode of a listener.
INCLUDED = {"etc/haproxy/http.cfg.j2", "etc/haproxy/tcp.cfg.j2"}


def described(role):
    """Tasks and variables of a role."""
    return "\n".join(
        path.read_text() for kind in ("tasks", "vars") for path in sorted((ROLES / role / kind).glob("*.yml"))
    )


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_a_role_names_every_template_by_its_path_or_that_of_its_target(path):
    role, _templates, *parts = path.parts
    name = "/".join(parts)
    assert name in INCLUDED or name.removesuffix(".j2") in described(role)


@pytest.mark.parametrize("role", sorted(path.parent.name for path in ROLES.glob("*/templates")))
def test_every_source_that_a_role_names_is_there(role):
    sources = re.findall(r"src: ([\w./@-]+)", described(role))
    missing = [
        name
        for name in sources
        if not (ROLES / role / ("templates" if name.endswith(".j2") else "files") / name).exists()
    ]
    assert [name for name in missing if not name.startswith("/usr/")] == []
