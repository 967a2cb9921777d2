# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module cluster_model: validates the inventory and computes the cluster model."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.cluster_model import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import ACCOUNTS, GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import has_nearest, nearest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import (
    cluster_files,
    code,
    files,
    migration,
    secrets_file,
    vault_file,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import variables as controller_variables
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import broker, cluster, merge
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import files as files_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import options as options_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import canonical
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Wheel
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    airflow_options as airflow_options_validation,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import broker as broker_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    bundles,
    connection,
    controller,
    dags,
    drain,
    effects,
    inventory,
    kerberos,
    login,
    objects,
    packages,
    proxies,
    sources,
    timing,
    types,
    vars_files,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import files as files_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    remote_logs as remote_logs_validation,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import secrets as secrets_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import values as values_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import (
    Problem,
    RefusalError,
    on_hosts,
    report,
)

display = Display()

_ROOT = Path(__file__).parents[2]
_LOCKS = _ROOT / "roles" / "airflow" / "files" / "locks"
_RUNTIME = _ROOT / "meta" / "runtime.yml"
_FILES = ("airflow_secrets_file", "airflow_certificates_file", "airflow_ca_file")
# What only tasks on the controller read.
_ON_CONTROLLER = (
    "ca_file",
    "certificate_days",
    "certificate_renew_days",
    "certificates_file",
    "secrets_file",
    "web_certificate_file",
    "web_key_file",
)


@dataclass
class _Given:
    """What the user says, host by host: the values that can be used, and everything that is wrong with the others."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[tuple[str, Problem]] = field(default_factory=list)
    # Variables with a value that cannot be used, on any host.
    bad: set[str] = field(default_factory=set)


def _skipped(name: str) -> bool:
    """Whether Ansible skips a file or directory of that name in an inventory's directory."""
    return (
        name.startswith(".")
        or name in ("group_vars", "host_vars", "vars_plugins")
        or name.endswith(tuple(C.INVENTORY_IGNORE_EXTS))
        or any(re.search(pattern, name) for pattern in C.INVENTORY_IGNORE_PATTERNS)
    )


@dataclass(frozen=True)
class _Release:
    """What the release of a host is made of, besides the version."""

    sources: sources.Sources
    requirements: tuple[str, ...]
    wheels: tuple[Wheel, ...]
    # Of the files that it is made of.
    problems: tuple[Problem, ...]

    @classmethod
    def read(cls, own: dict[str, Any], version: str) -> _Release:
        """That of a host with its ``own`` values, for Airflow ``version``."""
        given = sources.Sources(
            lock_file=str(own["airflow_lock_file"]),
            constraints=str(own["airflow_constraints"]),
            requirements_file=str(own["airflow_requirements_file"]),
            wheels_dir=str(own["airflow_wheels_dir"]),
        )
        listed, wrong = sources.read_requirements(given.requirements_file, version)
        wheels, unfit = sources.read_wheels(given.wheels_dir, version)
        problems = (*wrong, *unfit, *sources.check(given, version))
        return cls(given, (*map(str, own["airflow_extra_packages"]), *listed), tuple(wheels), problems)

    @property
    def packages(self) -> list[str]:
        """Requirements of all that the user adds."""
        return [*self.requirements, *(wheel.requirement for wheel in self.wheels)]


# Ansible reads every text of an inventory as a template.
_UNSAFE = "Text that is no template and has {{, {% or {# in it: write it as !unsafe 'text'."


def _failing(place: str, option: dict[str, Any], error: AnsibleError, what: str) -> Problem:
    """The problem of a variable, or of a part of one at ``place``, whose value, a template, could not be computed."""
    remedy = f"{connection.TEMPLATE_REMEDY} {_UNSAFE}"
    if what == "default":
        remedy = f"Set {place}, or correct what its default uses."
    return connection.failing(place, error, remedy, secret=bool(option.get("no_log")), what=what)


def _deleted(place: str) -> Problem:
    return Problem(
        Code.FD125,
        f"variable {place}",
        "text with {#, which a template deletes with what follows",
        "all of the text",
        _UNSAFE,
    )


def _environments(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The environments of a host with the ``values``, by their places in the inventory."""
    yield "airflow_environment", values.get("airflow_environment", {})
    for component, variables in values.get("airflow_component_environment", {}).items():
        if isinstance(variables, Mapping):
            yield f"airflow_component_environment.{component}", variables


class ActionModule(ActionBase):
    """See plugins/modules/cluster_model.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    # Hosts of the inventory that the model is computed without.
    _without: frozenset[str] = frozenset()

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the model as ``cluster``, or fail with every problem found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        self._writes = given["writes"] and not self._task.check_mode
        self._without = frozenset(given["without"])
        try:
            result.update(self._model(task_vars or {}), changed=False)
        except RefusalError as refusal:
            # Once, and readable with every callback. A result would be shown as the failure of a host.
            display.display(report(refusal.problems), color=C.COLOR_ERROR, stderr=True)
            count = len(set(refusal.problems))
            result.update(
                failed=True, msg=f"The inventory, not this host: {count} problem{'s' if count > 1 else ''}, see above."
            )
        return result

    def _model(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The result of the task. Raises RefusalError with every problem found."""
        self._fail_with(
            controller.check_ansible(
                ansible_version, yaml.safe_load(_RUNTIME.read_text(encoding="utf-8"))["requires_ansible"]
            )
        )
        known = controller_variables.Variables(self, variables)
        sources = [str(source) for source in variables.get("ansible_inventory_sources") or []]
        path = self._path(known, "airflow_secrets_file")
        warning, clusters = controller.check_inventories(sources, str(path or ""))
        # What follows would only be about the cluster that the two make together.
        self._fail_with(self._check_one_cluster(known, clusters))
        roots = self._vars_roots(sources)
        old, stored = [], secrets_file.Content()
        if path:
            self._fail_with(controller.check_variables_directory("airflow_secrets_file", path))
            old = cluster_files.old_files(
                self._loader, self._inventory_directories(known, variables), path, self._text, self._writes
            )
            stored = cluster_files.read_secrets(self._loader, path)
        given = self._read(known, controller_variables.settings_and_arguments(), stored)
        values = self._cluster_values(given, known, controller_variables.settings())
        settings = Settings.from_variables(values)
        own = {name: {**values, **given.values[name]} for name in known.hosts}
        connections = {
            name: connection.read(known.raw(name), functools.partial(known.value, name)) for name in known.hosts
        }
        releases = {name: _Release.read(own[name], settings.version) for name in known.hosts}
        every = [
            dataclasses.replace(
                self._host(name, own[name], connections[name], variables["groups"]),
                requirements=releases[name].requirements,
                wheels=releases[name].wheels,
            )
            for name in known.hosts
        ]
        hosts = [host for host in every if host.name not in self._without]
        identity = self._identity(known, settings, every)
        ours = [f"airflow_{group}" for group in services.GROUPS]
        groups = {"all", *(group for group, members in variables["groups"].items() if set(members) & set(known.hosts))}
        broken = [(name, problem) for name, found in connections.items() for problem in found.problems]
        found = [
            *self._check_variables(given, settings),
            *on_hosts(broken, everybody=len(hosts)),
            *vars_files.check_ignored(roots, groups, known.hosts, self._text),
            *vars_files.check_in_inventory(own.values(), map(Path, sources), _skipped),
            *vars_files.check_misnamed(roots, variables["groups"], ours, self._text),
            *vars_files.check_numbers(
                [*roots, *map(Path, sources)], groups, known.hosts, self._text, context.CLIARGS.get("extra_vars") or ()
            ),
            *inventory.check_groups(variables["groups"], ours),
            # Where it is used, a task without output would fail.
            *controller.check_vault(C.DEFAULT_VAULT_ENCRYPT_IDENTITY, vault_file.identities(self._loader)),
            *inventory.check(hosts, settings),
            *dags.check(settings),
            *bundles.check_entries(settings),
            *self._check_settings(given, values, settings, hosts),
            *self._check_releases(releases, settings, hosts),
            *effects.check_balancers(hosts, settings),
            *kerberos.check(hosts, own, settings, functools.partial(files.content, self._loader)),
            *on_hosts(self._check_login(known, settings, hosts), everybody=sum("webserver" in h.groups for h in hosts)),
        ]
        warnings = [warning, vars_files.beside_playbooks(self._playbooks(), roots, self._text)]
        warnings += sorted({str(problem) for problem in found if problem.code.is_warning})
        for text in filter(None, warnings):
            # Not in the result: Ansible may be configured to hide tasks without a change.
            display.display(f"[WARNING]: {text}", color=C.COLOR_WARN, stderr=True)
        problems = [problem for problem in found if not problem.code.is_warning]
        self._fail_with([*drain.check_removal(self._without, known.hosts), *drain.explained(problems, self._without)])
        model = cluster.build(hosts, settings)
        first = next(iter(given.values.values()))
        names = [name for name in GENERATED if first.get(f"airflow_{name}")]
        problems = cluster_files.check(self._loader, settings, identity, names, moves=bool(old))
        if settings.tls:
            problems += cluster_files.check_certificates(self._loader, settings, identity, model.tls.names)
        self._fail_with(problems)
        if path and self._writes:
            for each in old:
                display.display("\n".join(migration.move(self._loader, each, path)))
        count = f"{len(hosts)} host{'s' if len(hosts) > 1 else ''}"
        return {
            "cluster": model.to_vars(),
            "identity": identity.to_vars(),
            "identity_without": self._identity(known, settings, hosts).to_vars(),
            "controller": {name: getattr(settings, name) for name in _ON_CONTROLLER},
            "whole": (cluster.build(every, settings) if self._without else model).to_vars(),
            "summary": f"Cluster {settings.cluster_name} is valid: {count}, Airflow {settings.version}.",
        }

    @staticmethod
    def _identity(known: controller_variables.Variables, settings: Settings, hosts: list[hosts_model.Host]) -> Identity:
        """What the cluster is known by. Workers come and go, which is no reason to write the files that record it."""
        settled = {host.name: host.address for host in hosts if host.groups - {"worker"}}
        inventories = {str(file) for name in settled if (file := known.raw(name).get("inventory_file"))}
        return Identity(name=settings.cluster_name, hosts=settled, inventories=tuple(sorted(inventories)))

    @staticmethod
    def _fail_with(problems: list[Problem]) -> None:
        if problems:
            raise RefusalError(problems)

    def _text(self, path: Path) -> str:
        """The text of a file of variables, decrypted; empty when it cannot be read."""
        try:
            return str(self._loader.get_text_file_contents(str(path)))
        except (AnsibleError, OSError):
            return ""

    @staticmethod
    def _path(known: controller_variables.Variables, name: str) -> Path | None:
        """The file that the variable ``name`` means; None without a host, and where its value cannot be used."""
        try:
            value = known.common(name)
        except (AnsibleError, KeyError):
            return None
        return Path(os.path.expanduser(value)) if isinstance(value, str) and value else None

    @staticmethod
    def _check_one_cluster(known: controller_variables.Variables, clusters: dict[str, str]) -> list[Problem]:
        """Problems of a run that has the hosts of several clusters."""
        directories: dict[str, str] = {}
        names: dict[str, str] = {}
        for host in known.hosts:
            directories.setdefault(str(known.raw(host).get("inventory_dir")), host)
            try:
                names.setdefault(str(known.value(host, "airflow_cluster_name")), host)
            except AnsibleError:
                # A problem of the variable.
                continue
        places_are_set = all(name in known.raw(host) for name in _FILES for host in known.hosts)
        return inventory.check_sources(clusters) or inventory.check_one_cluster(
            names, {} if places_are_set else directories
        )

    @staticmethod
    def _inventory_directories(known: controller_variables.Variables, variables: dict[str, Any]) -> set[str]:
        """Directories of the hosts' inventories; earlier versions used that of the first host of all."""
        first = [variables["hostvars"].raw_get(host) for host in variables["groups"].get("all", [])[:1]]
        return {
            str(directory) for raw in (*first, *map(known.raw, known.hosts)) if (directory := raw.get("inventory_dir"))
        }

    def _vars_roots(self, sources: list[str]) -> list[Path]:
        """Directories whose ``group_vars`` and ``host_vars`` Ansible reads for the hosts of the cluster."""
        found = [Path(source) for source in sources if Path(source).exists()]
        return [*(path if path.is_dir() else path.parent for path in found), Path(self._loader.get_basedir())]

    @staticmethod
    def _playbooks() -> list[Path]:
        """The playbooks of the command line that are files; those of a collection are named otherwise."""
        return [path for name in context.CLIARGS.get("args") or () if (path := Path(name)).is_file()]

    @staticmethod
    def _read(known: controller_variables.Variables, options: dict[str, Any], stored: secrets_file.Content) -> _Given:
        """Our variables of every host in their types; below them, the secrets that are ``stored``."""
        given = _Given()
        kept = {f"{secrets_file.PREFIX}{name}": value for name, value in stored.values.items()}
        for host in known.hosts:
            present = known.names(host)
            given.problems += [(host, problem) for problem in types.check_unknown(present, options)]
            raw: dict[str, Any] = dict(kept)
            for name in (name for name in present if name in options):
                value, failures = known.leaves(host, name)
                given.problems += [
                    (host, _failing(place, options[name], error, "template or vault")) for place, error in failures
                ]
                secret = bool(options[name].get("no_log"))
                deleted = known.comments(host, name, secret=secret)
                given.problems += [(host, _deleted(place)) for place in deleted]
                # What is left of a secret is none.
                lost = secret and bool(deleted)
                if failures or lost:
                    given.bad.add(name)
                if not lost and (value is not None or not failures):
                    raw[name] = value
            problems, good = types.check_types(raw, options)
            given.problems += [(host, problem) for problem in problems]
            given.bad |= raw.keys() - good.keys()
            given.values[host] = good
        return given

    @staticmethod
    def _cluster_values(
        given: _Given, known: controller_variables.Variables, options: dict[str, Any]
    ) -> dict[str, Any]:
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
            elif "default" in option:
                values[name] = option["default"]
                try:
                    # Without a host there is no inventory's directory, and that is another problem.
                    values[name] = known.common(name) if known.hosts else values[name]
                except AnsibleError as error:
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
            problems += files_validation.check(values)
            for place, environment in _environments(values):
                if place != "airflow_environment":
                    problems += values_validation.check_environment(place, environment)
                if has_nearest(version):
                    problems += airflow_options_validation.check_environment(
                        environment, version, settings.config_extra_sections, place=place
                    )
            if has_nearest(version):
                # By their names alone.
                names = dict.fromkeys(values.get("airflow_secret_environment", {}))
                problems += airflow_options_validation.check_environment(
                    names, version, settings.config_extra_sections, place="airflow_secret_environment"
                )
            found += [(host, problem) for problem in problems]
        common = {
            host: {name: value for name, value in values.items() if name not in given.bad}
            for host, values in given.values.items()
        }
        return on_hosts(found, everybody=len(given.values)) + types.check_same(common)

    @staticmethod
    def _check_settings(
        given: _Given, values: dict[str, Any], settings: Settings, hosts: list[hosts_model.Host]
    ) -> list[Problem]:
        """The cluster-wide variables with each other, with Airflow's options and with files on the controller."""
        version = settings.version
        drains = {host.name: host.drain_timeout_seconds for host in hosts if "worker" in host.groups}
        problems = values_validation.check_relations(settings, drains)
        first = next(iter(given.values.values()), {})
        secrets = {name: str(first[f"airflow_{name}"]) for name in GENERATED if first.get(f"airflow_{name}")}
        problems += secrets_validation.check_secrets(
            secrets, {name: str(values[variable]) for name, variable in ACCOUNTS.items()}
        )
        if has_nearest(version):
            problems += airflow_options_validation.check_config(
                settings.config, version, settings.config_extra_sections
            )
            problems += remote_logs_validation.check(
                settings.remote_logs, settings.remote_logs_connection, settings.options
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
        addresses = sorted({host.address for host in hosts})
        problems += on_hosts(
            (
                (host.name, problem)
                for host in hosts
                for problem in proxies.check_environment(host.environment, addresses, settings)
            ),
            everybody=len(given.values),
        )
        problems += objects.check(values)
        problems += controller.check_places(settings.dags_dir, settings.release_cache)
        problems += code.check(settings)
        now = datetime.datetime.now(datetime.UTC)
        files = (settings.web_certificate_file, settings.web_key_file)
        # Without TLS it is of no use, which is a problem of its own.
        name = cluster.certificate_host(hosts, settings) if settings.tls else ""
        return problems + controller.check_web_certificate(*files, name, now)

    @staticmethod
    def _check_login(
        known: controller_variables.Variables, settings: Settings, hosts: list[hosts_model.Host]
    ) -> list[tuple[str, Problem]]:
        """The user's webserver_config.py as each webserver would get it."""
        return [
            (host.name, problem)
            for host in hosts
            if "webserver" in host.groups
            for problem in login.check_file(
                settings.webserver_config_file, functools.partial(known.rendered, host.name)
            )
        ]

    @staticmethod
    def _check_releases(
        releases: dict[str, _Release], settings: Settings, hosts: list[hosts_model.Host]
    ) -> list[Problem]:
        """The lock of every release, once, and each host's options that need a package of its release."""
        version = settings.version
        owners: dict[str, str] = {}
        for name, release in releases.items():
            owners.setdefault(release.sources.lock_file, name)
        problems = [problem for path, name in owners.items() for problem in controller.check_files(name, path, version)]
        with_airflow = [host.name for host in hosts if host.components]
        problems += on_hosts(
            ((name, problem) for name in with_airflow for problem in releases[name].problems),
            everybody=len(with_airflow),
        )
        if not has_nearest(version) or problems:
            return problems
        texts = {path: controller.locks(path, _LOCKS, nearest(version).full) for path in owners}
        found = []
        checked: dict[str, list[Problem]] = {}
        for host in hosts:
            release, parses = releases[host.name], host.parses_dags(settings.major)
            renews = "kerberos" in host.groups
            if (
                host.components
                and (key := repr((release, host.environment, host.system_packages, parses, renews))) not in checked
            ):
                options = options_model.given_options(settings.config, host.environment, version)
                options += remote_logs_validation.given(settings.remote_logs)
                installed = packages.installed(texts[release.sources.lock_file], release.packages)
                checked[key] = [
                    *packages.check([*options, *bundles.given(settings), *login.given(settings)], installed),
                    *bundles.check(options, settings.dags_folder, host.system_packages, parses_dags=parses),
                    *effects.check_options(options, renews=renews),
                ]
            found += [(host.name, problem) for problem in checked[key]] if host.components else []
        return problems + on_hosts(found, everybody=sum(bool(host.components) for host in hosts))

    @staticmethod
    def _host(
        name: str, own: dict[str, Any], reached: connection.Connection, groups: dict[str, list[str]]
    ) -> hosts_model.Host:
        """A host with its ``own`` values, which are those of the cluster where it has none."""
        return hosts_model.Host(
            name=name,
            groups=frozenset(group for group in services.GROUPS if name in groups.get(f"airflow_{group}", [])),
            address=canonical(str(own.get("airflow_address", reached.address or name))),
            queues=hosts_model.queues_of(own["airflow_worker_queues"]),
            worker_concurrency=int(own["airflow_worker_concurrency"]),
            webserver_port=int(own["airflow_webserver_port"]),
            log_port=int(own["airflow_worker_log_port"]),
            drain_timeout_seconds=int(own["airflow_worker_drain_timeout_seconds"]),
            ssh_port=reached.port,
            firewall_extra_rules=tuple(own["airflow_firewall_extra_rules"]),
            vip_interface=str(own["airflow_vip_interface"]),
            system_packages=tuple(own["airflow_system_packages"]),
            build_packages=tuple(own["airflow_build_packages"]),
            extra_groups=tuple(own["airflow_extra_groups"]),
            restart_timeout_seconds=int(own["airflow_restart_timeout_seconds"]),
            kerberos_principal=str(own["airflow_kerberos_principal"]),
            environment=own["airflow_environment"],
            component_environment=own["airflow_component_environment"],
            files=files_model.files_of(own["airflow_files"]),
            unit_options=own["airflow_unit_options"],
            worker_tmp_dir=str(own["airflow_worker_tmp_dir"]),
        )
