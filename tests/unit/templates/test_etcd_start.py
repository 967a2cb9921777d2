"""The initial cluster of an etcd member causes no restart later."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import ha
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

ROLE = Path(__file__).parents[3] / "roles/etcd"
EMPTY = {"origins": [], "joining": [], "source": ""}
THREE = ("db1", "db2", "db3")
DEFAULTS = sorted((Path(__file__).parents[3] / "roles/airflow/defaults/main").glob("*.yml"))
SETTINGS = Settings.from_variables(
    {name: value for path in DEFAULTS for name, value in yaml.safe_load(path.read_text()).items()}
)


def rendered(name, names, member, tier):
    """A template of the role on a host, as key and value."""
    hosts = [hosts_model.Host(each, frozenset({"etcd"}), f"192.0.2.13{each[-1]}") for each in names]
    own = next(host for host in hosts if host.name == member)
    share = ha.etcd(own, hosts, SETTINGS).to_vars()
    values = DataLoader().load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    values |= {
        "airflow_cluster": {"nodes": {member: {"etcd": share}}, "tls": {"enabled": True}},
        "inventory_hostname": member,
        "ansible_managed": "Managed",
        "ansible_facts": {
            "flightdeck_system": {"distribution_major_version": "12"},
            "flightdeck_survey": {"etcd": tier},
        },
        "__etcd_joined": {"initial_cluster": "db1=https://192.0.2.131:2380,db9=https://192.0.2.9:2380"},
    }
    text = Templar(DataLoader(), values).template(trust_as_template((ROLE / "templates/etc/etcd" / name).read_text()))
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_more_members_change_nothing_that_a_running_one_reads():
    few, more = (rendered("airflow.conf.j2", names, "db1", EMPTY) for names in (THREE, (*THREE, "db4", "db5")))
    assert few == more
    service = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__etcd_service"]
    assert "/etc/etcd/airflow-initial.conf" not in service["restart_on"]


@pytest.mark.parametrize(
    ("tier", "state", "members"),
    [
        (EMPTY, "new", ["db1", "db2", "db3"]),
        # A cluster began with it, and it has not started yet.
        ({"origins": ["db1", "db2"], "joining": [], "source": "db1"}, "new", ["db1", "db2", "db3"]),
        ({"origins": ["db1"], "joining": ["db3"], "source": "db1"}, "existing", ["db1", "db9"]),
    ],
)
def test_a_member_without_data_begins_a_cluster_or_joins_one(tier, state, members):
    found = rendered("airflow-initial.conf.j2", THREE, "db3", tier)
    assert [entry.split("=")[0] for entry in found["ETCD_INITIAL_CLUSTER"].split(",")] == members
    assert (found["ETCD_INITIAL_CLUSTER_STATE"], found["ETCD_INITIAL_CLUSTER_TOKEN"]) == (state, "airflow")


def test_a_host_that_joins_has_its_certificates_before_it_asks_and_its_configuration_after():
    """Without the first etcdctl cannot ask; with the second the unit would begin a cluster of its own."""
    names = [task["name"] for task in yaml.safe_load((ROLE / "tasks/main.yml").read_text())]
    order = (
        "Install etcd",
        "Write the certificates with which the host asks the others",
        "Add the host to the cluster that is there",
        "Write initial-cluster settings",
        "Configure the member",
        "Run the member",
    )
    assert [name for name in names if name in order] == list(order)
