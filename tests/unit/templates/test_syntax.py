"""Every template of the roles is one: unit tests render only some of them."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("roles/*/templates/**/*.j2")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_template_has_no_syntax_error(path):
    jinja2.Environment().parse(path.read_text(encoding="utf-8"))
