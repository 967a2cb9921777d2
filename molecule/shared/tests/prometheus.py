"""Ask the Prometheus of a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

DASHBOARDS = Path(__file__).parents[3] / "roles/monitoring/files/dashboards"


class Prometheus:
    """Prometheus and Alertmanager on the host ``name`` of a ``cluster`` (what cluster_access.access returns)."""

    def __init__(self, cluster: Any, name: str) -> None:
        node = cluster.model["nodes"][name]
        self.url, self.alertmanager_url = (
            f"https://{node['address']}:{node['monitoring'][port]}" for port in ("port", "alertmanager_port")
        )
        self.login: tuple[str, str] = (node["monitoring"]["user"], cluster.secrets["monitoring_password"])

    def query(self, text: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of the series that ``text`` finds now."""
        where = f"{self.url}/api/v1/query"
        answer = requests.get(where, params={"query": text}, auth=self.login, timeout=30).json()
        assert answer["status"] == "success", answer
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def firing(self) -> set[tuple[str, str]]:
        """Name and instance of each alert that fires; an empty instance for those of a cluster."""
        found = [metric for metric, _value in self.query('ALERTS{alertstate="firing"}')]
        return {(metric["alertname"], metric.get("instance", "")) for metric in found}

    def targets(self) -> dict[tuple[str, str], float]:
        """By job and instance: 1.0 when the last scrape succeeded."""
        return {(metric["job"], metric["instance"]): value for metric, value in self.query("up")}


def panels() -> Iterator[tuple[str, str]]:
    """A name and the query of each line of each panel of the dashboards."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem}-{panel['title']}-{target['refId']}", target["expr"]
