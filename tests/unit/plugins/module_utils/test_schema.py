"""Migrations between two schemas, from the text of their files."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils._metadata import between, migrations

FILE = '''"""
{title}.

Revision ID: {revision}
"""
import sqlalchemy as sa

revision{typed} = "{revision}"
down_revision{typed} = {follows}
{kind}_version = "{version}"
'''


def write(folder, *steps):
    place = folder / "migrations/versions"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("")
    for number, (revision, follows, version) in enumerate(steps):
        values = {"revision": revision, "follows": follows, "version": version, "title": f"Step to {revision}"}
        kind, typed = ("fab", ": str | None") if number % 2 else ("airflow", "")
        (place / f"{9 - number}_{revision}.py").write_text(FILE.format(**values, kind=kind, typed=typed))
    return migrations(str(folder))


@pytest.fixture
def chain(tmp_path):
    return write(
        tmp_path, ("a1", "None", "2.6.2"), ("b2", '"a1"', "2.10.3"), ("c3", "'b2'", "3.0.0"), ("d4", '"c3"', "3.3.0")
    )


def test_they_are_read_with_version_and_title(chain):
    assert chain["c3"].version == "3.0.0"
    assert chain["c3"].title == "Step to c3"
    assert chain["a1"].follows == ""


@pytest.mark.parametrize(
    ("present", "head", "steps"),
    [
        ("b2", "d4", ["c3", "d4"]),
        ("d4", "d4", []),
        ("", "b2", ["a1", "b2"]),
        # A newer schema than the release knows, one of another branch, a head without a file.
        ("e5", "d4", None),
        ("d4", "b2", None),
        ("a1", "z9", None),
    ],
)
def test_what_lies_between_two_schemas(chain, present, head, steps):
    found = between(chain, present, head)
    assert (found if found is None else [step.revision for step in found]) == steps


def test_a_circle_ends(tmp_path):
    assert between(write(tmp_path, ("a1", '"b2"', "1"), ("b2", '"a1"', "1")), "x", "a1") is None
