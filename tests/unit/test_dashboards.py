"""The dashboards are what their source says, and ask for metrics under the names that alerts use, too."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_the_dashboards_are_what_their_source_says():
    source = runpy.run_path(str(ROOT / ".config/render_dashboards.py"))
    written = {path.stem: path.read_text() for path in source["TARGET"].glob("*.json")}
    assert written == {name: source["render"](name) for name in source["DASHBOARDS"]}, "run make docs"


def test_the_pages_of_prometheus_are_what_their_source_says_and_the_role_has_them():
    source = runpy.run_path(str(ROOT / ".config/render_dashboards.py"))
    written = {path.name: path.read_text() for path in source["CONSOLES"].iterdir()}
    assert written == source["consoles"](), "run make docs"
    role = yaml.safe_load((ROOT / "roles/monitoring/vars/main.yml").read_text())
    assert {file["src"] for file in role["__monitoring_page_files"]} == {f"consoles/{name}" for name in written}


def test_a_page_has_the_panels_of_its_dashboard():
    source = runpy.run_path(str(ROOT / ".config/render_dashboards.py"))
    for name, rows in source["DASHBOARDS"].items():
        text = source["console"](name)
        data = re.search(r'id="panels">\n(.*?)\n</script>', text, re.DOTALL)
        queries = [query for panel in json.loads(data.group(1)) for query in panel["queries"].values()]
        assert queries == [query for graphs in rows.values() for each in graphs for query in each.queries.values()]
        # Actions of templates: head and tail alone.
        assert len(re.findall(r"{{.*?}}", text)) == 2


def test_every_panel_has_a_query_and_asks_the_chosen_source():
    for path in (ROOT / "roles/monitoring/files/dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            if panel["type"] != "row":
                assert panel["targets"]
                assert panel["datasource"]["uid"] == "${datasource}"
