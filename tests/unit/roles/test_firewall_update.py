"""Which hosts outside of a run get rules that admit its hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Firewall, FirewallRule

ROOT = Path(__file__).parents[3]
TASKS = ROOT / "roles/firewall/tasks/update.yml"
ADDRESSES = {"db1": "192.0.2.31", "mq1": "192.0.2.41", "worker1": "192.0.2.21"}
# Stands in for Python on a host: it says where a module would have run.
INTERPRETER = """\
#!/bin/sh
echo "${0##*/}" >> "${0%/*}/log"
echo '{"changed": false, "current": true}'
"""


def node(name, *sources):
    rules = (FirewallRule(port=5432, why="PostgreSQL", sources=sources),)
    share = Firewall(guard_seconds=60, ssh_ports=(22,), ssh_sources=(), rules=rules, extra_rules=())
    return {"address": ADDRESSES[name], "firewall": share.to_vars()}


def test_variables_that_contain_the_name_of_a_host_lead_to_that_host(tmp_path):
    """A task that is delegated evaluates them with the name of the host that delegates."""
    for name in ADDRESSES:
        (tmp_path / name).write_text(INTERPRETER)
        (tmp_path / name).chmod(0o755)
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": f"{tmp_path}/{{{{ inventory_hostname }}}}",
        "airflow_cluster": {
            "nodes": {
                "db1": node("db1", ADDRESSES["worker1"]),
                "mq1": node("mq1", "192.0.2.99"),
                "worker1": node("worker1", ADDRESSES["db1"]),
            }
        },
        "__firewall": {"installed": True},
        "__firewall_limited": True,
        "__firewall_node": {"guard_seconds": 60},
        "__firewall_rules": "",
    }
    inventory = {"all": {"hosts": dict.fromkeys(ADDRESSES), "vars": variables}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    play = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.include_tasks": str(TASKS)}]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", tmp_path / "hosts.yml", "--limit", "worker1"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [*command, tmp_path / "play.yml"], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set((tmp_path / "log").read_text().split()) == {"db1"}
