"""The canary DAG as it is rendered: valid Python, and the same on a queue's first and tenth worker."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import jinja2
from ansible.plugins.filter.core import FilterModule

TEMPLATE = Path(__file__).parents[3] / "roles" / "dags" / "templates" / "flightdeck_canary.py.j2"


def render(queues: dict[str, list[str]]) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True, autoescape=False
    )
    environment.filters.update(FilterModule().filters())
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        ansible_managed="Ansible managed", airflow_cluster={"queues": queues}
    )


def constant(source: str, name: str) -> Any:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{name} is not assigned")


def test_it_lists_the_queues_in_a_stable_order() -> None:
    assert constant(render({"gpu": ["w2"], "default": ["w1", "w2"]}), "QUEUES") == ["default", "gpu"]
    assert render({"gpu": ["w2"], "default": ["w1"]}) == render({"default": ["w1"], "gpu": ["w2"]})


def test_another_worker_on_a_queue_changes_nothing() -> None:
    assert render({"default": ["w1"]}) == render({"default": ["w1", "w2", "w3"]})


def test_it_needs_no_newer_python_than_airflow_does() -> None:
    ast.parse(render({"default": ["w1"]}), feature_version=(3, 10))
