"""The dashboards are what their source says, and ask for metrics under the names that alerts use, too."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_dashboards_are_what_their_source_says():
    source = runpy.run_path(str(ROOT / ".config/render_dashboards.py"))
    written = {path.stem: path.read_text() for path in source["TARGET"].glob("*.json")}
    assert written == {name: source["render"](name) for name in source["DASHBOARDS"]}, "run make docs"


def test_every_panel_has_a_query_and_asks_the_chosen_source():
    for path in (ROOT / "roles/monitoring/files/dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            if panel["type"] != "row":
                assert panel["targets"]
                assert panel["datasource"]["uid"] == "${datasource}"
