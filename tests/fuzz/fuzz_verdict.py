"""The verdict on an inventory, and the files of an accepted one, as a run of site.yml makes them."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.plugins.connection.local import Connection
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.flightdeck.airflow.plugins.action.cluster_model import ActionModule
from ansible_collections.flightdeck.airflow.plugins.action.cluster_secrets import ActionModule as Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.platforms import PLATFORMS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED, GIVEN
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.variables import Variables, settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import accounts
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Firewall
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import nftables
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import RefusalError, report
from fuzz_inventories import Inventory, Unsafe

ROLES = Path(__file__).parents[2] / "roles"
# Where an inventory would be. Nothing is written there.
DIRECTORY = "/nonexistent/inventory"
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
PLATFORM = next(iter(PLATFORMS.values()))
SYSTEM = {
    "distribution_major_version": PLATFORM.release,
    "distribution_release": PLATFORM.codename,
    "ipv6": True,
    "machine": "x86_64",
    "memtotal_mb": 8000,
    "processor_nproc": 4,
    "python": PLATFORM.python_minor,
}
# Roles of backing services, each of which has its share of a node under its name.
SERVICES = (
    *("etcd", "haproxy", "journal", "journal_receiver", "keepalived", "metastore", "metrics", "monitoring"),
    *("pgbouncer", "rabbitmq", "redis"),
)


class FaultError(Exception):
    """What must not be, whatever the inventory says."""


@dataclass(frozen=True)
class File:
    """A rendered file: the host that gets it, its path there, the role and the content."""

    host: str
    role: str
    path: str
    content: str


@dataclass
class Verdict:
    """What a user gets: the problems, and without any the model and all of what is known then."""

    report: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    task_vars: dict[str, Any] = field(default_factory=dict)
    action: Any = None

    @property
    def accepted(self) -> bool:
        """Whether there is a model."""
        return not self.report

    @property
    def cluster(self) -> dict[str, Any]:
        """The model as roles read it."""
        return self.result["cluster"]


def marked(value: Any) -> Any:
    """``value`` as Ansible reads it from an inventory, where text is a template unless it is marked."""
    if isinstance(value, Unsafe):
        return str(value)
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {marked(key) if isinstance(key, str) else key: marked(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [marked(entry) for entry in value]
    return value


def _load(path: Path) -> dict[str, Any]:
    return DataLoader().load_from_file(str(path), trusted_as_template=True) or {}


@functools.cache
def _defaults() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted((ROLES / "airflow/defaults/main").glob("*.yml")):
        found |= _load(path)
    return found


def _action(inventory: Inventory) -> tuple[ActionModule, dict[str, Any]]:
    """The action plugin with an inventory, and the variables of its task."""
    loader = DataLoader()
    manager = InventoryManager(loader, sources=[], parse=False)
    for host, variables in inventory.hosts.items():
        manager._inventory.add_host(host)
        for name, value in {
            "inventory_dir": DIRECTORY,
            "inventory_file": f"{DIRECTORY}/hosts.yml",
            **variables,
        }.items():
            manager.get_host(host).set_variable(name, marked(value))
    for group, members in inventory.groups.items():
        manager.add_group(group)
        for host in members:
            manager._inventory.add_child(group, host)
    for name, value in inventory.variables.items():
        manager.groups["all"].set_variable(name, marked(value))
    manager.reconcile_inventory()
    known = VariableManager(loader, manager)
    HostVars(manager, known, loader)
    variables = {**_defaults(), **known.get_vars(host=manager.get_hosts()[0]), "ansible_inventory_sources": []}
    context = PlayContext()
    play = Play.load({"hosts": "all", "tasks": [{"ansible.builtin.debug": {}}]}, known, loader)
    templar = Templar(loader, variables)
    connection = Connection(context, os.devnull)
    return ActionModule(play.tasks[0].block[0], connection, context, loader, templar, None), variables


def verdict(inventory: Inventory) -> Verdict:
    """The verdict on ``inventory``. Raises FaultError for one that is not clean, and whatever the validation raises
    besides."""
    if not inventory.hosts:
        # Without a host, Ansible ends before the validation.
        return Verdict(report="no host")
    action, variables = _action(inventory)
    action._writes = False
    shown = io.StringIO()
    try:
        with contextlib.redirect_stderr(shown):
            result = action._model(variables)
    except RefusalError as refusal:
        text = report(refusal.problems)
        if not refusal.problems:
            raise FaultError("refused without a problem") from refusal
        if any(problem.code == Code.FD199 or problem.code.is_warning for problem in refusal.problems):
            raise FaultError(text) from refusal
        _check_text(text + shown.getvalue(), inventory)
        return Verdict(report=text)
    _check_text(shown.getvalue(), inventory)
    known = Verdict(result=json.loads(json.dumps(result)), task_vars=variables, action=action)
    _complete(known)
    return known


def _check_text(text: str, inventory: Inventory) -> None:
    """Raises FaultError when ``text``, which the user is shown, has what no message may have."""
    for sign in ("Traceback", "AnsibleUnsafe", "_AnsibleTagged", "<class ", " object at 0x"):
        if sign in text:
            raise FaultError(f"{sign!r} in: {text}")
    hidden = {name for name, option in settings().items() if option.get("no_log")}
    everything = [inventory.variables, *inventory.hosts.values()]
    # A value that stands elsewhere, too, is shown there.
    shown = repr([[value for name, value in variables.items() if name not in hidden] for variables in everything])
    for variables in everything:
        for name in hidden & set(variables):
            value = variables[name]
            if isinstance(value, str) and len(value) > 12 and value not in shown and "{" not in value and value in text:
                raise FaultError(f"the value of {name} in: {text}")


def secrets_of(known: Verdict) -> dict[str, Any]:
    """All secrets as the roles have them; those that are made have fixed values here."""
    made = {name: hashlib.sha512(name.encode()).hexdigest() for name in GENERATED}
    made |= {"fernet_key": "0" * 43 + "=", "rabbitmq_cookie": "0123456789" * 4}
    variables = Variables(known.action, known.task_vars)
    given = {name: str(value) for name, value in Secrets._named(variables, (*GENERATED, *GIVEN))}
    external = {name: given.pop(name) for name in GIVEN if name in given}
    return {**accounts.effective({**made, **given}, {}).to_vars(), **external}


@functools.cache
def keystore() -> certificates.Keystore:
    """A CA and the certificate of a host, for all hosts: programs that check a file verify no name."""
    ca = certificates.make_ca("fuzz", NOW)
    return {"ca": ca, "hosts": {"any": certificates.issue(ca, "any", ["any"], NOW, 3650)}}


def _facts(cluster: Mapping[str, Any]) -> dict[str, Any]:
    nodes = cluster["nodes"]
    names = {name: ["192.0.2.77"] for name in (node["address"] for node in nodes.values())}
    return {
        "flightdeck_system": SYSTEM,
        "flightdeck_interfaces": {node["address"]: "eth0" for node in nodes.values()},
        "flightdeck_addresses": names,
        "flightdeck_postgresql_origins": [],
        "flightdeck_survey": {
            tier: {"new": True, "empty": [], "source": "", "joining": [], "origins": [], "lost": []}
            for tier in ("etcd", "metastore", "rabbitmq")
        },
    }


def _variables(known: Verdict, host: str, role: str) -> dict[str, Any]:
    """The variables of a task of ``role`` on ``host``."""
    own = dict(known.task_vars["hostvars"].raw_get(host))
    return {
        **_defaults(),
        **own,
        **_load(ROLES / "airflow/vars/main.yml"),
        **_load(ROLES / role / "vars/main.yml"),
        "airflow_cluster": known.cluster,
        "airflow_secrets": known.result["secrets"],
        "airflow_certificates": known.result["certificates"],
        "ansible_facts": _facts(known.cluster),
        "ansible_managed": "Managed by Ansible",
        "ansible_search_path": [str(ROLES / role), str(ROLES / "airflow")],
        "inventory_dir": DIRECTORY,
        "inventory_hostname": host,
        "role_path": str(ROLES / "airflow"),
    }


class _Renderer:
    """Renders files of one role on one host."""

    def __init__(self, known: Verdict, host: str, role: str) -> None:
        loader = DataLoader()
        loader.set_basedir(str(ROLES / role / "templates"))
        self.host, self.role = host, role
        self._templar = Templar(loader, _variables(known, host, role))

    def value(self, raw: Any, **more: Any) -> Any:
        """What the template ``raw``, or data with templates, comes to."""
        variables = {**self._templar.available_variables, **more}
        text = trust_as_template(raw) if isinstance(raw, str) else raw
        return self._templar.copy_with_new_env(available_variables=variables).template(text)

    def template(self, name: str, path: str, **more: Any) -> File:
        """The file ``path`` from the template ``name``."""
        places = [ROLES / self.role / "templates" / name, ROLES / "airflow/templates" / name]
        source = next(place for place in places if place.exists())
        return File(self.host, self.role, path, str(self.value(source.read_text(), **more)))

    def described(self, files: list[dict[str, Any]]) -> Iterator[File]:
        """Files as the module config_files describes them."""
        for each in files:
            if each.get("content") is not None:
                yield File(self.host, self.role, each["path"], str(each["content"]))
            elif not each.get("src") or str(each["src"]).endswith(".j2"):
                yield self.template(each.get("src") or each["path"].lstrip("/") + ".j2", each["path"])
            else:
                yield File(self.host, self.role, each["path"], (ROLES / self.role / "files" / each["src"]).read_text())


def _complete(known: Verdict) -> None:
    """Add what follows the model in a run: secrets, and certificates that it could really make."""
    known.result["secrets"] = secrets_of(known)
    variables = Variables(known.action, known.task_vars)
    known.result["environment"] = {
        host: variables.value(host, "airflow_environment") for host in known.cluster["nodes"]
    }
    known.result["config"] = variables.common("airflow_config")
    tls = known.cluster["tls"]
    names = next(iter(sorted(tls.get("names", {}).items())), None)
    if names:
        certificates.renew(keystore(), known.cluster["name"], dict([names]), NOW, 30, 10)
    same = dict.fromkeys(known.cluster["nodes"], keystore()["hosts"]["any"])
    whole = {"ca": keystore()["ca"]["certificate"], "hosts": same, "web": None}
    known.result["certificates"] = whole if tls["enabled"] else {}


def files(known: Verdict, hosts: list[str]) -> Iterator[File]:
    """The files of ``hosts`` of an accepted inventory."""
    for host in hosts:
        node = known.cluster["nodes"][host]
        for role in SERVICES:
            if node.get(role):
                yield from _service_files(_Renderer(known, host, role))
        if node.get("firewall"):
            yield File(host, "firewall", "/etc/nftables.conf", nftables.ruleset(Firewall.from_vars(node["firewall"])))
        if node.get("airflow"):
            yield from _airflow_files(known, host, node["components"])


def _service_files(renderer: _Renderer) -> Iterator[File]:
    service = renderer.value(f"{{{{ __{renderer.role}_service }}}}")
    for part in ("before_install", "secrets", "files"):
        yield from renderer.described(service.get(part, []))
    match renderer.role:
        case "etcd":
            yield renderer.template("etc/etcd/airflow-initial.conf.j2", "/etc/etcd/airflow-initial.conf")
        case "metastore":
            # What both ways to run PostgreSQL come down to.
            for name in ("pg_hba.conf", "pg_ident.conf"):
                yield renderer.template(f"etc/postgresql/{name}.j2", f"/etc/postgresql/{name}")
            arguments = renderer.value("{{ __metastore_validate_parameters }}")
            yield File(renderer.host, "metastore", "/arguments.json", json.dumps(arguments))


@functools.cache
def _tasks(name: str) -> list[dict[str, Any]]:
    found: Any = DataLoader().load_from_file(str(ROLES / "airflow/tasks" / name), trusted_as_template=True)
    return [task["flightdeck.airflow.config_files"] for task in found]


def _airflow_files(known: Verdict, host: str, components: list[str]) -> Iterator[File]:
    airflow = _Renderer(known, host, "airflow")
    for arguments in _tasks("config.yml"):
        yield from airflow.described(airflow.value(arguments["files"]))
    if known.cluster["manage_hosts_file"]:
        yield airflow.template("etc/hosts.j2", "/etc/hosts")
    if known.cluster["metastore"].get("ca_file"):
        for name in ("etc/airflow/mysql.cnf", "etc/airflow/python/flightdeck_metastore.py"):
            yield airflow.template(f"{name}.j2", f"/{name}")
    for component in components:
        renderer = _Renderer(known, host, component)
        described = renderer.value(f"{{{{ __{component}_component }}}}")
        for instance in described["instances"]:
            yield renderer.template(
                "etc/systemd/system/airflow.service.j2",
                f"/etc/systemd/system/{instance['name']}.service",
                airflow_component=described,
                __airflow_unit=instance,
            )
