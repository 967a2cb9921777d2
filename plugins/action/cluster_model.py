# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module cluster_model: validates the inventory and computes the cluster model."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.cluster_model import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import airflow_options, services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import broker, cluster, merge
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import canonical
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    airflow_options as airflow_options_validation,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import broker as broker_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    controller,
    inventory,
    proxies,
    timing,
    types,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import secrets as secrets_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import values as values_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, on_hosts, report

display = Display()

_ROOT = Path(__file__).parents[2]
# Of the roles with entry points that take settings or arguments.
_SPECS = [_ROOT / "roles" / role / "meta" / "argument_specs.yml" for role in ("airflow", "metastore")]
_RUNTIME = _ROOT / "meta" / "runtime.yml"


@dataclass
class _Given:
    """What the inventory says, host by host: the values that can be used, and everything that is wrong with the
    others."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[tuple[str, Problem]] = field(default_factory=list)
    # Variables with a value that cannot be used, on any host.
    bad: set[str] = field(default_factory=set)


def _failing(name: str, option: dict[str, Any], error: AnsibleError, what: str) -> Problem:
    """The problem of a variable whose value, a template, could not be computed."""
    # The text of an error can hold what a secret is made of.
    detail = "" if option.get("no_log") else f" ({str(error).splitlines()[0][:200]})"
    remedy = "Correct the template or what it uses; an encrypted value needs its vault password."
    if what == "default":
        remedy = f"Set {name}, or correct what its default uses."
    return Problem(Code.FD125, f"variable {name}", f"a {what} that fails{detail}", "a value", remedy)


class ActionModule(ActionBase):
    """See plugins/modules/cluster_model.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the model as ``cluster``. Raises AnsibleActionFail with every problem found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments(self, DOCUMENTATION)
        self._fail_with(
            controller.check_ansible(
                ansible_version, yaml.safe_load(_RUNTIME.read_text(encoding="utf-8"))["requires_ansible"]
            )
        )
        specs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in _SPECS]
        options = specs[0]["argument_specs"]["cluster"]["options"]
        names = self._cluster_hosts(variables)
        given = self._read(names, variables["hostvars"], {**options, **types.arguments(specs)})
        values = self._cluster_values(given, variables, options)
        settings = Settings.from_variables(values)
        own = {name: {**values, **given.values[name]} for name in names}
        hosts = [self._host(name, own[name], variables) for name in names]
        locks = {name: str(own[name]["airflow_lock_file"]) for name in names}
        sources = [str(source) for source in variables.get("ansible_inventory_sources") or []]
        warning, clusters = controller.check_inventories(sources, settings.secrets_file)
        self._fail_with(
            [
                *self._check_variables(given, settings),
                *inventory.check_groups(variables["groups"], [f"airflow_{group}" for group in services.GROUPS]),
                *inventory.check_sources(clusters),
                # Where it is used, a task without output would fail.
                *controller.check_vault(C.DEFAULT_VAULT_ENCRYPT_IDENTITY, vault_file.identities(self._loader)),
                *inventory.check(hosts, settings),
                *self._check_settings(given, settings, hosts),
                *self._check_locks(locks, settings.version),
            ]
        )
        if warning:
            # Not in the result: Ansible may be configured to hide tasks without a change.
            display.display(f"[WARNING]: {warning}", color=C.COLOR_WARN, stderr=True)
        result["cluster"] = cluster.build(hosts, settings).to_vars()
        count = f"{len(hosts)} host{'s' if len(hosts) > 1 else ''}"
        result["summary"] = f"Cluster {settings.cluster_name} is valid: {count}, Airflow {settings.version}."
        result["changed"] = False
        return result

    @staticmethod
    def _fail_with(problems: list[Problem]) -> None:
        if problems:
            raise AnsibleActionFail(report(problems))

    @staticmethod
    def _cluster_hosts(variables: dict[str, Any]) -> list[str]:
        """The hosts of all our groups, each once, in the order of the groups; the model sees them all under --limit
        too."""
        members = [variables["groups"].get(f"airflow_{group}", []) for group in services.GROUPS]
        return list(dict.fromkeys(host for group in members for host in group))

    @staticmethod
    def _read(names: list[str], hostvars: Any, options: dict[str, Any]) -> _Given:
        """Our variables of every host in their types."""
        given = _Given()
        for host in names:
            own = hostvars[host]
            present = types.user_variables(own)
            given.problems += [(host, problem) for problem in types.check_unknown(present, options)]
            raw = {}
            for name in (name for name in present if name in options):
                try:
                    raw[name] = own[name]
                except AnsibleError as error:
                    given.problems.append((host, _failing(name, options[name], error, "template or vault")))
                    given.bad.add(name)
            problems, good = types.check_types(raw, options)
            given.problems += [(host, problem) for problem in problems]
            given.bad |= raw.keys() - good.keys()
            given.values[host] = good
        return given

    def _cluster_values(self, given: _Given, variables: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        """Values for the cluster as a whole, and the defaults of what hosts may have for themselves.

        A variable that cannot be used has its default, so that the other checks can go on.
        """
        first = next(iter(given.values.values()), {})
        values: dict[str, Any] = {}
        for name, option in options.items():
            if name in types.PER_HOST:
                values |= {name: option["default"]} if "default" in option else {}
            elif name in first:
                values[name] = first[name]
            elif name in given.bad:
                values[name] = option.get("default", "")
            elif name in variables:
                try:
                    values[name] = self._templar.template(variables[name])
                except AnsibleError as error:
                    values[name] = option.get("default", "")
                    # Without a host there is no inventory's directory, and that is another problem.
                    given.problems += [(host, _failing(name, option, error, "default")) for host in given.values]
        return values

    @staticmethod
    def _check_variables(given: _Given, settings: Settings) -> list[Problem]:
        """Every variable by itself, on every host."""
        version = settings.version
        found = list(given.problems)
        for host, values in given.values.items():
            problems = values_validation.check_values(values, version)
            problems += values_validation.check_queue_entries(
                "airflow_worker_queues", values.get("airflow_worker_queues")
            )
            if version in airflow_options.versions():
                environment = values.get("airflow_environment", {})
                problems += airflow_options_validation.check_environment(
                    environment, version, settings.config_extra_sections
                )
            found += [(host, problem) for problem in problems]
        common = {
            host: {name: value for name, value in values.items() if name not in given.bad}
            for host, values in given.values.items()
        }
        return on_hosts(found, everybody=len(given.values)) + types.check_same(common)

    @staticmethod
    def _check_settings(given: _Given, settings: Settings, hosts: list[hosts_model.Host]) -> list[Problem]:
        """The cluster-wide variables with each other, with Airflow's options and with files on the controller."""
        version = settings.version
        drains = {host.name: host.drain_timeout_seconds for host in hosts if "worker" in host.groups}
        problems = values_validation.check_relations(settings, drains)
        first = next(iter(given.values.values()), {})
        secrets = {name: str(first[f"airflow_{name}"]) for name in GENERATED if first.get(f"airflow_{name}")}
        problems += secrets_validation.check_secrets(secrets, settings.admin_user)
        if version in airflow_options.versions():
            problems += airflow_options_validation.check_config(
                settings.config, version, settings.config_extra_sections
            )
            drain_seconds = hosts_model.longest_drain_seconds(hosts)
            effective = merge.overlay(broker.config(settings, drain_seconds), settings.options)
            # Most hosts have the same environment.
            faults: dict[str, list[Problem]] = {}
            found = []
            for name, values in given.values.items():
                environment = values.get("airflow_environment", {})
                if (key := repr(environment)) not in faults:
                    there = airflow_options_validation.with_environment(effective, environment, version)
                    faults[key] = [
                        *broker_validation.check_options(there, settings, drain_seconds),
                        *timing.check(there, settings.major),
                    ]
                found += [(name, problem) for problem in faults[key]]
            problems += on_hosts(found, everybody=len(given.values))
        addresses = sorted({host.address for host in hosts})
        problems += on_hosts(
            (
                (name, problem)
                for name, values in given.values.items()
                for problem in proxies.check_environment(values.get("airflow_environment", {}), addresses, settings)
            ),
            everybody=len(given.values),
        )
        problems += controller.check_places(settings.dags_dir, settings.release_cache, settings.secrets_file)
        now = datetime.datetime.now(datetime.UTC)
        files = (settings.web_certificate_file, settings.web_key_file)
        return problems + controller.check_web_certificate(*files, cluster.certificate_host(hosts, settings), now)

    @staticmethod
    def _check_locks(paths: dict[str, str], version: str) -> list[Problem]:
        """Every file that ``paths``, by host, name, once."""
        hosts: dict[str, str] = {}
        for name, path in paths.items():
            hosts.setdefault(path, name)
        return [problem for path, name in hosts.items() for problem in controller.check_files(name, path, version)]

    @staticmethod
    def _host(name: str, own: dict[str, Any], variables: dict[str, Any]) -> hosts_model.Host:
        """A host with its ``own`` values, which are those of the cluster where it has none."""
        connection = variables["hostvars"][name]
        port = str(connection.get("ansible_port") or 22)
        return hosts_model.Host(
            name=name,
            groups=frozenset(
                group for group in services.GROUPS if name in variables["groups"].get(f"airflow_{group}", [])
            ),
            address=canonical(str(own.get("airflow_address", connection.get("ansible_host", name)))),
            queues=hosts_model.queues_of(own["airflow_worker_queues"]),
            worker_concurrency=int(own["airflow_worker_concurrency"]),
            webserver_port=int(own["airflow_webserver_port"]),
            log_port=int(own["airflow_worker_log_port"]),
            drain_timeout_seconds=int(own["airflow_worker_drain_timeout_seconds"]),
            ssh_port=int(port) if port.isdecimal() else 22,
            firewall_extra_rules=tuple(own["airflow_firewall_extra_rules"]),
            vip_interface=str(own["airflow_vip_interface"]),
        )
