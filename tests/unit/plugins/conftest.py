"""Variables as Ansible has them in a task."""

from __future__ import annotations

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.variables import Variables

HOSTS = {
    "all": {
        "hosts": {"bastion": {"airflow_version": "bastion", "airflow_only_there": 1}},
        "children": {"site": {"children": {"airflow_worker": {"hosts": {"w1": {"number": 1}, "w2": {"number": 2}}}}}},
    }
}


@pytest.fixture
def known(tmp_path):
    """Returns the variables of a task of a play on the first host of all, a bastion, with variables of the site and of
    the play."""

    def make(site=None, play=None, task=None):
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(HOSTS))
        (tmp_path / "group_vars").mkdir()
        (tmp_path / "group_vars/site.yml").write_text(yaml.safe_dump(site or {}))
        loader = DataLoader()
        inventory = InventoryManager(loader, sources=[str(tmp_path / "hosts.yml")])
        manager = VariableManager(loader, inventory)
        hostvars = HostVars(inventory, manager, loader)
        tasks = [{"ansible.builtin.debug": {}, "vars": task or {}}]
        loaded = Play.load({"hosts": "all", "vars": play or {}, "tasks": tasks}, manager, loader)
        its = loaded.tasks[0].block[0]
        variables = {
            **manager.get_vars(play=loaded, host=inventory.get_host("bastion"), task=its),
            "hostvars": hostvars,
        }
        action = ActionBase.__new__(type("Action", (ActionBase,), {"run": lambda _self: {}}))
        action._task, action._templar = its, Templar(loader, variables)
        return Variables(action, variables)

    return make
