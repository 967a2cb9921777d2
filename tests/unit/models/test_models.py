"""The cluster models of the shipped inventories: a change of the model is visible in review.

After an intended change: UPDATE_GOLDEN=1 pytest tests/unit/models, and read the diff.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
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


def model(source):
    """What the action returns for the inventory ``source``: plain data of YAML's own types, like registered results."""
    loader = DataLoader()
    inventory = InventoryManager(loader, [source])
    manager = VariableManager(loader, inventory)
    HostVars(inventory, manager, loader)
    defaults = {}
    for path in sorted((ROOT / "roles/airflow/defaults/main").glob("*.yml")):
        defaults.update(loader.load_from_file(str(path), trusted_as_template=True) or {})
    variables = {**defaults, **manager.get_vars(host=inventory.get_hosts()[0]), "ansible_inventory_sources": [source]}
    context = PlayContext()
    connection = Connection(context, os.devnull)
    play = Play.load({"hosts": "all", "tasks": [{"ansible.builtin.debug": {}}]}, manager, loader)
    action = ActionModule(play.tasks[0].block[0], connection, context, loader, Templar(loader, variables), None)
    return json.loads(json.dumps(action.run(task_vars=variables)["cluster"]))


@pytest.mark.parametrize("name", INVENTORIES)
def test_the_model_is_the_golden_one(name):
    path = Path(__file__).parent / f"{name}.yml"
    cluster = model(str(ROOT / "inventories" / name))
    # Without the empty ones, which a new group would change.
    cluster["hosts_of"] = {group: hosts for group, hosts in cluster["hosts_of"].items() if hosts}
    found = yaml.dump(cluster, Dumper=Indented, explicit_start=True, width=120)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(found)
    assert found == path.read_text()


def test_a_hosts_own_variables_are_its_own(tmp_path):
    """The first host of the inventory speaks for the cluster, but not for what hosts may have for themselves."""
    shutil.copytree(ROOT / "inventories/prod", tmp_path / "prod")
    own = {"airflow_worker_queues": ["gpu"], "airflow_worker_concurrency": 3, "airflow_worker_log_port": 9000}
    (tmp_path / "prod/host_vars").mkdir()
    for name in ("db1", "worker1"):
        (tmp_path / f"prod/host_vars/{name}.yml").write_text(yaml.safe_dump(own))
    nodes = model(str(tmp_path / "prod"))["nodes"]
    assert nodes["worker1"]["airflow"]["queues"] == [{"name": "gpu", "concurrency": 3}]
    assert nodes["worker1"]["airflow"]["ports"] == {"worker": 9000}
    assert nodes["worker2"]["airflow"]["queues"] == [{"name": "default", "concurrency": 0}]
    assert nodes["worker2"]["airflow"]["ports"] == {"worker": 8793}
