"""What every Airflow host gets, rendered as Ansible does it, is what the golden files say, and systemd understands it.

After an intended change: UPDATE_GOLDEN=1 pytest tests/unit/templates, and read the diff.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.flightdeck.airflow.plugins.module_utils import _systemd
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets, services, versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from test_cluster import MASTER

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/airflow"
GOLDEN = Path(__file__).parent / "golden"
# The components of the golden files, in whose units every branch of the template is.
GOLDEN_COMPONENTS = (*MASTER, "worker")
MODE = MODES[0]
UNIT_TEMPLATE = (ROLE / "templates/etc/systemd/system/airflow.service.j2").read_text()
SYSTEM = {
    "processor_nproc": 4,
    "memtotal_mb": 16000,
    "python": "3.11",
    "distribution_release": "bookworm",
    "machine": "x86_64",
}


def host_of(component):
    """The host that has ``component``."""
    return "master1" if component in MASTER else f"{component}1"


@functools.cache
def load(path):
    """Content of a file of YAML. It is shared: do not change it."""
    return DataLoader().load_from_file(str(path), trusted_as_template=True) or {}


def variables(version, name, component="", **changes):
    """The variables that a task of the role sees on host ``name``; ``changes`` are the user's."""
    found = {}
    for path in sorted((ROLE / "defaults/main").glob("*.yml")):
        found.update(load(path))
    # A fixed name: the real one changes with every lock.
    found.update(
        load(ROLE / "vars/main.yml"),
        __airflow_release_id="release",
        ansible_managed="Managed by Ansible",
        role_path=str(ROLE),
    )
    if component:
        found.update(load(ROOT / f"roles/{component}/vars/main.yml"))
    found.update(changes, airflow_version=version, airflow_release_cache="/cache", inventory_dir="/inventory")
    settings = {**found, "airflow_worker_queues": ["default"]}
    queues = hosts_model.queues_of(["default", {"name": "gpu", "concurrency": 1}])
    hosts = [
        hosts_model.Host("lb1", frozenset({"haproxy"}), "192.0.2.10"),
        hosts_model.Host("master1", frozenset(MASTER), "192.0.2.11"),
        hosts_model.Host("worker1", frozenset({"worker"}), "192.0.2.21", queues),
        hosts_model.Host("db1", frozenset({"metastore"}), "192.0.2.31"),
        hosts_model.Host("mq1", frozenset({"rabbitmq"}), "192.0.2.41"),
    ]
    others = [each for each in services.COMPONENTS if each not in GOLDEN_COMPONENTS]
    hosts += [
        hosts_model.Host(host_of(each), frozenset({each}), f"192.0.2.{number}")
        for number, each in enumerate(others, 51)
    ]
    found["airflow_cluster"] = cluster.build(hosts, Settings.from_variables(settings)).to_vars()
    for wrapper in found["airflow_cluster"]["nodes"][name].get("airflow", {}).get("wrappers", {}).values():
        # A fixed digest here, too.
        wrapper["digest"] = "digest"
    found["airflow_secrets"] = {name: f"{name}-value" for name in secrets.GENERATED}
    found["airflow_secrets"].update(
        {name: name for name in ("fernet_key", "api_secret_key", "jwt_secret", "digest_key")}
    )
    found["airflow_certificates"] = {
        "ca": "CA certificate",
        "hosts": {"master1": {"certificate": "certificate", "key": "private key"}},
    }
    found.update(ansible_facts={"flightdeck_system": SYSTEM, "flightdeck_addresses": {}}, inventory_hostname=name)
    return found


def render(text, values):
    return Templar(DataLoader(), values).template(trust_as_template(text))


def template(name, values):
    return render((ROLE / "templates" / name).read_text(), values)


def units(version, host, component, **changes):
    """Name, text and digest of the unit of every instance of a component."""
    values = variables(version, host, component, **changes)
    described = render(f"{{{{ __{component}_component }}}}", values)
    (task,) = (task for task in load(ROLE / "tasks/component.yml") if "loop" in task)
    digest = task["flightdeck.airflow.service"]["digest"]
    for instance in described["instances"]:
        own = {**values, "airflow_component": described, "__airflow_unit": instance}
        yield instance["name"], render(UNIT_TEMPLATE, own), render(digest, own)


def files(version):
    """Everything that is compared, by name."""
    for host in ("master1", "worker1"):
        yield f"{host}-airflow.cfg", template("etc/airflow/airflow.cfg.j2", variables(version, host))
        yield f"{host}-environment", template("etc/airflow/environment.j2", variables(version, host))
    digests = {}
    for component in GOLDEN_COMPONENTS:
        for name, text, digest in units(version, host_of(component), component):
            yield f"{name}.service", text
            digests[name] = digest
    for name, text, digest in units(version, "master1", MODE.component, **{MODE.setting: MODE.value}):
        yield f"{name}-wrapped.service", text
        digests[f"{name}-wrapped"] = digest
    # Of what each process reads besides its unit: another digest restarts it.
    yield "digests", "".join(f"{name} {digest}\n" for name, digest in digests.items())


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_rendered_files_are_the_golden_ones(version):
    folder = GOLDEN / version
    rendered = dict(files(version))
    if os.environ.get("UPDATE_GOLDEN"):
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, text in rendered.items():
            (folder / name).write_text(text)
    golden = {path.name: path.read_text() for path in folder.iterdir()}
    assert rendered == golden


@pytest.mark.parametrize("component", services.COMPONENTS)
def test_only_tasks_have_the_groups_of_the_user(component):
    """Group docker is as good as root, so that no process has it that needs it not. The line restarts those that do."""
    host = host_of(component)
    values = variables("3.3.2", host, component)
    values["airflow_cluster"]["nodes"][host]["airflow"]["extra_groups"] = ["docker", "video"]
    described = render(f"{{{{ __{component}_component }}}}", values)
    text = render(
        UNIT_TEMPLATE, {**values, "airflow_component": described, "__airflow_unit": described["instances"][0]}
    )
    assert ("SupplementaryGroups=docker video" in text.splitlines()) == (component == "worker")
    settings = _systemd.process_settings(text, [])
    assert any("SupplementaryGroups" in line for line in settings) == (component == "worker")


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_systemd_understands_every_unit(version, tmp_path):
    paths = []
    helpers = ("airflow.slice", "airflow-watchdog@.service", "airflow-watchdog@.timer", "airflow-restart@.service")
    for name in helpers:
        (tmp_path / name).write_text(template(f"etc/systemd/system/{name}.j2", variables(version, "master1")))
    others = [each for each in services.COMPONENTS if each not in GOLDEN_COMPONENTS]
    more = [(f"{name}.service", text) for each in others for name, text, _ in units(version, host_of(each), each)]
    for name, text in [*files(version), *more]:
        if name.endswith(".service"):
            # The commands are not on this machine; what is judged is the unit.
            path = tmp_path / name
            path.write_text(
                re.sub(r"/opt/airflow/current/bin/airflow |/usr/local/sbin/flightdeck-[a-z-]+ ", "/bin/true ", text)
            )
            paths.append(str(path))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )
    complaints = [
        line
        for line in done.stderr.splitlines()
        if "airflow" in line and "airflow-health" not in line and "environment" not in line
    ]
    assert complaints == []


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_no_secret_is_rendered_outside_the_secret_files(version):
    values = variables(version, "master1")["airflow_secrets"].values()
    for name, text in files(version):
        assert not [value for value in values if value.endswith("-value") and value in text], name
