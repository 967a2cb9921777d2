# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module cluster_model: validates the inventory and computes the cluster model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.plugin_utils import _cluster, _specs
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem, on_hosts, report

_SPECS = Path(__file__).parents[2] / "roles" / "airflow" / "meta" / "argument_specs.yml"


class ActionModule(ActionBase):
    """See plugins/modules/cluster_model.py for the documentation."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the model as ``cluster``. Raises AnsibleActionFail with every problem found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        options = yaml.safe_load(_SPECS.read_text(encoding="utf-8"))["argument_specs"]["cluster"]["options"]
        names = self._cluster_hosts(variables)
        problems = self._check_variables(names, variables["hostvars"], options)
        if problems:
            raise AnsibleActionFail(report(problems))
        settings = {name: self._value(variables, name) for name in options if name in variables}
        hosts = [self._host(name, variables, settings) for name in names]
        problems = _cluster.check(hosts, settings) + self._check_paths(settings)
        if problems:
            raise AnsibleActionFail(report(problems))
        result["cluster"] = _cluster.build(hosts, settings)
        result["changed"] = False
        return result

    def _value(self, variables: dict[str, Any], name: str) -> Any:
        return self._templar.template(variables[name])

    @staticmethod
    def _cluster_hosts(variables: dict[str, Any]) -> list[str]:
        """The hosts of all our groups, each once, in the order of the groups; the model sees them all under --limit too."""
        members = [variables["groups"].get(f"airflow_{group}", []) for group in _cluster.GROUPS]
        return list(dict.fromkeys(host for group in members for host in group))

    @staticmethod
    def _check_variables(names: list[str], hostvars: Any, options: dict[str, Any]) -> list[Problem]:
        problems: list[tuple[str, Problem]] = []
        all_values = {}
        for host in names:
            given = _specs.user_variables(hostvars[host])
            values = {name: hostvars[host][name] for name in given if name in options}
            all_values[host] = values
            found = _specs.check_unknown(given, options) + _specs.check_types(values, options)
            problems += [(host, problem) for problem in found]
        return on_hosts(problems) + _specs.check_same(all_values)

    @staticmethod
    def _check_paths(settings: dict[str, Any]) -> list[Problem]:
        dags = settings["airflow_dags_dir"]
        if not dags or Path(dags).expanduser().is_dir():
            return []
        return [Problem("FD111", "airflow_dags_dir", repr(dags), "a directory on the controller", "Make it, or correct the path.")]

    @staticmethod
    def _host(name: str, variables: dict[str, Any], settings: dict[str, Any]) -> _cluster.Host:
        own = variables["hostvars"][name]

        def knob(variable: str) -> Any:
            return own.get(variable, settings[variable])

        return _cluster.Host(
            name=name,
            groups=frozenset(group for group in _cluster.GROUPS if name in variables["groups"].get(f"airflow_{group}", [])),
            address=str(own.get("airflow_address", own.get("ansible_host", name))),
            queues=tuple(_cluster.normalise_queues(knob("airflow_worker_queues"))),
            webserver_port=int(knob("airflow_webserver_port")),
            log_port=int(knob("airflow_worker_log_port")),
        )
