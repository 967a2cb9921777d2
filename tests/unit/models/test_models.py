"""The cluster models of the shipped inventories: a change of the model is visible in review.

After an intended change: UPDATE_GOLDEN=1 pytest tests/unit/models, and read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.connection.local import Connection
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.flightdeck.airflow.plugins.action.cluster_model import ActionModule

ROOT = Path(__file__).parents[3]
INVENTORIES = ("prod", "ha", "single")


class Indented(yaml.SafeDumper):
    """Lists are indented, as everywhere in the project."""

    def increase_indent(self, flow=False, **_indentless):
        return super().increase_indent(flow)


def model(name):
    """What the action returns for an inventory of ``inventories``."""
    loader = DataLoader()
    source = str(ROOT / "inventories" / name)
    inventory = InventoryManager(loader, [source])
    manager = VariableManager(loader, inventory)
    HostVars(inventory, manager, loader)
    defaults = {}
    for path in sorted((ROOT / "roles/airflow/defaults/main").glob("*.yml")):
        defaults.update(loader.load_from_file(str(path), trusted_as_template=True) or {})
    variables = {**defaults, **manager.get_vars(host=inventory.get_hosts()[0]), "ansible_inventory_sources": [source]}
    context = PlayContext()
    connection = Connection(context, os.devnull)
    action = ActionModule(Task(), connection, context, loader, Templar(loader, variables), None)
    # Through JSON, as registered results go: YAML has no form for the text of Ansible's own type.
    plain = json.loads(json.dumps(action.run(task_vars=variables)["cluster"]))
    return yaml.dump(plain, Dumper=Indented, explicit_start=True, width=120)


@pytest.mark.parametrize("name", INVENTORIES)
def test_the_model_is_the_golden_one(name):
    path = Path(__file__).parent / f"{name}.yml"
    found = model(name)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(found)
    assert found == path.read_text()
