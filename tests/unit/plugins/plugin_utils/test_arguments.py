"""Actions check the arguments of their tasks, as modules do."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules import firewall, rotate_secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments

ACTIONS = Path(__file__).parents[4] / "plugins/action"
PACKAGE = "ansible_collections.flightdeck.airflow.plugins.modules"


class Action(ActionBase):
    def __init__(self, **given):
        self._task = SimpleNamespace(args=given)
        self._load_name = "flightdeck.airflow.action"

    def run(self, tmp=None, task_vars=None):
        raise NotImplementedError


ROTATION = {"path": "~/secrets.yml", "secrets": {"a": "b"}, "step": "begin"}


def test_arguments_have_their_types_and_defaults_and_paths_stay_as_they_are():
    assert arguments(Action(**ROTATION), rotate_secrets.DOCUMENTATION) == {**ROTATION, "names": []}
    found = arguments(Action(rules="x", confirm="no", guard_seconds="9"), firewall.DOCUMENTATION)
    assert (found["confirm"], found["guard_seconds"], found["state"], found["existing"]) == (False, 9, "present", False)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"path": None}, "path"),
        ({"step": "start"}, "step must be one of: check, begin"),
        ({"step": ["hunter2"]}, "step must be one of"),
        ({"nmes": []}, "Unsupported parameters for .flightdeck.airflow.action. module: nmes"),
        ({"names": {"a": 1}}, "names"),
    ],
)
def test_what_is_missing_misspelt_or_of_another_type_is_named(changes, says):
    given = {name: value for name, value in {**ROTATION, **changes}.items() if value is not None}
    with pytest.raises(AnsibleActionFail, match=says):
        arguments(Action(**given), rotate_secrets.DOCUMENTATION)


# What that one asks a host for follows from the cluster model.
WITH_ARGUMENTS = [path for path in sorted(ACTIONS.glob("*.py")) if path.stem != "preflight_facts"]


@pytest.mark.parametrize("path", WITH_ARGUMENTS, ids=lambda path: path.stem)
def test_every_action_takes_its_arguments_by_the_documentation_of_its_module(path):
    text = path.read_text()
    assert "_task.args" not in text
    assert "arguments(self, DOCUMENTATION)" in text
    module = importlib.import_module(f"{PACKAGE}.{path.stem}")
    assert f"module: {path.stem}\n" in module.DOCUMENTATION
    assert f"plugins.modules.{path.stem} import DOCUMENTATION" in text
