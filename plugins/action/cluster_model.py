# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module cluster_model: validates the inventory and computes the cluster model."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.cluster_model import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import airflow_options, services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import ACCOUNTS, GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import variables as variables_controller
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import broker, cluster, merge
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import options as options_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    airflow_options as airflow_options_validation,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import broker as broker_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    controller,
    effects,
    inventory,
    packages,
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
_LOCKS = _ROOT / "roles" / "airflow" / "files" / "locks"
_RUNTIME = _ROOT / "meta" / "runtime.yml"


@dataclass
class _Given:
    """What the inventory says, host by host: the values that can be used, and everything that is wrong with the
    others."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[tuple[str, Problem]] = field(default_factory=list)
    # Variables with a value that cannot be used, on any host.
    bad: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Release:
    """What the release of a host is made of, besides the version."""

    lock_file: str
    extra_packages: list[str]


# Ansible reads every text of an inventory as a template.
_UNSAFE = "Text that is no template and has {{, {% or {# in it: write it as !unsafe 'text'."


def _failing(place: str, option: dict[str, Any], error: AnsibleError, what: str) -> Problem:
    """The problem of a variable, or of a part of one at ``place``, whose value, a template, could not be computed."""
    # The text of an error can hold what a secret is made of.
    detail = "" if option.get("no_log") else f" ({str(error).splitlines()[0][:200]})"
    remedy = f"Correct the template or what it uses; an encrypted value needs its vault password. {_UNSAFE}"
    if what == "default":
        remedy = f"Set {place}, or correct what its default uses."
    return Problem(Code.FD125, f"variable {place}", f"a {what} that fails{detail}", "a value", remedy)


def _deleted(place: str) -> Problem:
    return Problem(
        Code.FD125,
        f"variable {place}",
        "text with {#, which a template deletes with what follows",
        "all of the text",
        _UNSAFE,
    )


class ActionModule(ActionBase):
    """See plugins/modules/cluster_model.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False

    @guarded
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
        releases = {
            name: _Release(str(own[name]["airflow_lock_file"]), own[name]["airflow_extra_packages"]) for name in names
        }
        sources = [str(source) for source in variables.get("ansible_inventory_sources") or []]
        warning, clusters = controller.check_inventories(sources, settings.secrets_file)
        problems = [
            *self._check_variables(given, settings),
            *inventory.check_groups(variables["groups"], [f"airflow_{group}" for group in services.GROUPS]),
            *inventory.check_sources(clusters),
            # Where it is used, a task without output would fail.
            *controller.check_vault(C.DEFAULT_VAULT_ENCRYPT_IDENTITY, vault_file.identities(self._loader)),
            *inventory.check(hosts, settings),
            *self._check_settings(given, settings, hosts),
            *self._check_releases(releases, settings, hosts),
            *effects.check_balancers(hosts, settings),
        ]
        warnings = sorted({str(problem) for problem in problems if problem.code.is_warning})
        for text in [*([warning] if warning else []), *warnings]:
            # Not in the result: Ansible may be configured to hide tasks without a change.
            display.display(f"[WARNING]: {text}", color=C.COLOR_WARN, stderr=True)
        self._fail_with([problem for problem in problems if not problem.code.is_warning])
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

    def _read(self, names: list[str], hostvars: Any, options: dict[str, Any]) -> _Given:
        """Our variables of every host in their types."""
        given = _Given()
        for host in names:
            own = hostvars.raw_get(host)
            template = Templar(loader=self._loader, variables=own).template
            present = types.user_variables(own)
            given.problems += [(host, problem) for problem in types.check_unknown(present, options)]
            raw = {}
            for name in (name for name in present if name in options):
                value, failures = variables_controller.read(name, own[name], template)
                given.problems += [
                    (host, _failing(place, options[name], error, "template or vault")) for place, error in failures
                ]
                secret = bool(options[name].get("no_log"))
                given.problems += [
                    (host, _deleted(place))
                    for place in variables_controller.comments(name, own[name], own, secret=secret)
                ]
                if failures:
                    given.bad.add(name)
                if value is not None or not failures:
                    raw[name] = value
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
        problems += secrets_validation.check_secrets(
            secrets, {name: str(first.get(variable, "")) for name, variable in ACCOUNTS.items()}
        )
        if version in airflow_options.versions():
            problems += airflow_options_validation.check_config(
                settings.config, version, settings.config_extra_sections
            )
            drain_seconds = hosts_model.longest_drain_seconds(hosts)
            effective = merge.overlay(broker.config(settings, drain_seconds), settings.options)
            # Most hosts have the same environment.
            faults: dict[str, list[Problem]] = {}
            found = []
            for host in hosts:
                if (key := repr((host.environment, host.restart_timeout_seconds))) not in faults:
                    there = options_model.with_environment(effective, host.environment, version)
                    faults[key] = [
                        *broker_validation.check_options(there, settings, drain_seconds),
                        *timing.check(there, settings.major),
                        *timing.check_restarts(there, host.restart_timeout_seconds),
                    ]
                found += [(host.name, problem) for problem in faults[key]]
            problems += on_hosts(found, everybody=len(given.values))
        problems += controller.check_places(settings.dags_dir, settings.release_cache, settings.secrets_file)
        now = datetime.datetime.now(datetime.UTC)
        return problems + controller.check_web_certificate(
            settings.web_certificate_file, settings.web_key_file, now, ActionModule._url_host(hosts, settings)
        )

    @staticmethod
    def _check_releases(
        releases: dict[str, _Release], settings: Settings, hosts: list[hosts_model.Host]
    ) -> list[Problem]:
        """The lock of every release, once, and each host's options that need a package of its release."""
        version = settings.version
        owners: dict[str, str] = {}
        for name, release in releases.items():
            owners.setdefault(release.lock_file, name)
        problems = [problem for path, name in owners.items() for problem in controller.check_files(name, path, version)]
        if version not in airflow_options.versions() or problems:
            return problems
        texts = {path: controller.locks(path, _LOCKS, version) for path in owners}
        found = []
        checked: dict[str, list[Problem]] = {}
        for host in hosts:
            release = releases[host.name]
            if host.components and (key := repr((release, host.environment))) not in checked:
                options = options_model.given_options(settings.config, host.environment, version)
                installed = packages.installed(texts[release.lock_file], release.extra_packages)
                checked[key] = [*packages.check(options, installed), *effects.check_options(options)]
            found += [(host.name, problem) for problem in checked[key]] if host.components else []
        return problems + on_hosts(found, everybody=sum(bool(host.components) for host in hosts))

    @staticmethod
    def _url_host(hosts: list[hosts_model.Host], settings: Settings) -> str:
        """The host of the URL of the UI; empty for a bad URL or inventory, which other checks report."""
        balancers = [host.address for host in hosts if "haproxy" in host.groups]
        if not settings.url:
            return settings.vip.partition("/")[0] or next(iter(balancers), "")
        try:
            return str(urlsplit(settings.url).hostname or "")
        except ValueError:
            return ""

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
            address=str(own.get("airflow_address", connection.get("ansible_host", name))),
            queues=hosts_model.queues_of(own["airflow_worker_queues"]),
            worker_concurrency=int(own["airflow_worker_concurrency"]),
            webserver_port=int(own["airflow_webserver_port"]),
            log_port=int(own["airflow_worker_log_port"]),
            drain_timeout_seconds=int(own["airflow_worker_drain_timeout_seconds"]),
            ssh_port=int(port) if port.isdecimal() else 22,
            firewall_extra_rules=tuple(own["airflow_firewall_extra_rules"]),
            vip_interface=str(own["airflow_vip_interface"]),
            system_packages=tuple(own["airflow_system_packages"]),
            extra_groups=tuple(own["airflow_extra_groups"]),
            restart_timeout_seconds=int(own["airflow_restart_timeout_seconds"]),
            environment=own["airflow_environment"],
        )
