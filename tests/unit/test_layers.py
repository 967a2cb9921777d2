"""A layer of the plugins imports only what stands to its left, so that every line has one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
BASE = "ansible_collections.flightdeck.airflow.plugins."
# Docs: docs/architecture.md.
LAYERS = ("_catalog", "_model", "_validation", "_render", "_controller", "_api")
FILES = sorted(
    path.relative_to(PLUGINS) for layer in LAYERS for path in (PLUGINS / "plugin_utils" / layer).glob("*.py")
)


def imported(path):
    """Packages of the plugins that a file imports, such as ``plugin_utils._model``."""
    for node in ast.walk(ast.parse((PLUGINS / path).read_text(encoding="utf-8"))):
        names = (
            [node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in getattr(node, "names", ())]
        )
        yield from (
            ".".join(name.removeprefix(BASE).split(".")[:2]) for name in names if name and name.startswith(BASE)
        )


def test_every_file_is_in_a_layer():
    assert sorted(path.relative_to(PLUGINS) for path in (PLUGINS / "plugin_utils").rglob("*.py")) == FILES


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_layer_imports_what_stands_to_its_left(path):
    allowed = {f"plugin_utils.{layer}" for layer in LAYERS[: LAYERS.index(path.parts[1]) + 1]}
    assert {name for name in imported(path) if name.startswith("plugin_utils")} <= allowed


def test_the_catalogue_imports_nothing_of_ours_but_itself():
    assert {name for path in FILES if path.parts[1] == "_catalog" for name in imported(path)} <= {
        "plugin_utils._catalog"
    }


def test_a_home_that_is_not_there_is_no_exception():
    """pathlib raises RuntimeError for the home of an account that is not there, os.path leaves it as it is."""
    assert [path for path in PLUGINS.rglob("*.py") if ").expanduser()" in path.read_text(encoding="utf-8")] == []
