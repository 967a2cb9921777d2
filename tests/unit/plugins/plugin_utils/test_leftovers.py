"""What goes from a host, and what stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.filter.components import without_airflow
from ansible_collections.flightdeck.airflow.plugins.module_utils import _host, _systemd
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import leftovers, modes, survey
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import AirflowNode, Node, PlainValue
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import removal
from test_cluster import host, reference
from test_preflight import cluster

WORKER, SCHEDULER = "airflow-worker@default.service", "airflow-scheduler.service"
MODE = MODES[0]
OF_MODE = (*MODE.secret_files, *MODE.replaced_files.values())


@pytest.mark.parametrize(
    ("present", "components", "former"),
    [
        ([WORKER, SCHEDULER], ["scheduler", "worker"], []),
        ([WORKER, SCHEDULER], ["worker"], [SCHEDULER]),
        ([WORKER, SCHEDULER, "airflow-worker@gpu.service"], ["scheduler"], [WORKER, "airflow-worker@gpu.service"]),
        # The other version's unit of a component that stays is replaced when it is deployed.
        (["airflow-webserver.service"], ["webserver"], []),
        (
            ["airflow-api-server.service", "airflow-webserver.service"],
            [],
            ["airflow-api-server.service", "airflow-webserver.service"],
        ),
        # Not the webserver's.
        (["airflow-worker@gpu-server.service"], ["worker"], []),
        (["airflow-kerberos.service"], [], ["airflow-kerberos.service"]),
        (["airflow-other.service"], [], []),
        ([], ["worker"], []),
    ],
)
def test_units_of_components_that_left(present, components, former):
    assert leftovers.former_units(present, components) == former


def node(*files, mode=None):
    """A host with Airflow, these secret files and the program of a mode; one without files has no Airflow."""
    bare = Node(name="a", address="192.0.2.1", components=(), ports=())
    airflow = AirflowNode(
        address="",
        config={},
        processors_option="",
        secrets=tuple(PlainValue(file=name, secret="") for name in files),
        wrappers={mode.component: modes.wrapper(mode)} if mode else {},
        extra_groups=(),
        system_packages=(),
        build_packages=(),
        requirements=(),
        wheels=(),
        queues=(),
        units=(),
        ports={},
        up_urls=(),
        proxies=(),
        proxy_environment={},
        files=(),
        dag_bundles=(),
        unit_lines={},
        tmp_dir="",
        code=None,
        own_secrets={},
        environments={},
        secret_environments={},
        kerberos_environment={},
    )
    return replace(bare, airflow=airflow) if files else bare


def paths(*names):
    return [f"/etc/airflow/secrets/{name}" for name in names]


@pytest.mark.parametrize(
    ("present", "wanted", "former"),
    [
        (paths("broker_url", "result_backend"), node("broker_url", "result_backend"), []),
        # A worker of Airflow 2 becomes one of Airflow 3.
        (
            paths("broker_url", "fernet_key", "sql_alchemy_conn"),
            node("broker_url"),
            paths("fernet_key", "sql_alchemy_conn"),
        ),
        # A component leaves a mode.
        (
            [*paths(*OF_MODE), MODE.wrapper.program],
            node("sql_alchemy_conn"),
            [*sorted(paths(*OF_MODE)), MODE.wrapper.program],
        ),
        ([MODE.wrapper.program, *paths(*OF_MODE)], node(*OF_MODE, mode=MODE), []),
        (
            paths("broker_ca.crt", "metastore_ca.crt", "server.key"),
            node(),
            paths("broker_ca.crt", "metastore_ca.crt", "server.key"),
        ),
        # A host that has no component any more.
        (paths("broker_url"), node(), paths("broker_url")),
        # Not managed.
        ([*paths("my_token", "broker_url.bak"), "/etc/airflow/airflow.cfg"], node(), []),
    ],
)
def test_secrets_that_nothing_reads(present, wanted, former):
    assert leftovers.former_files(present, [], wanted) == former


KERBEROS = ["/etc/airflow/kerberos.keytab", "/etc/airflow/krb5.conf", "/usr/local/sbin/flightdeck-kinit"]


def test_the_renewer_of_tickets_goes_with_its_account_and_files():
    assert leftovers.former_accounts([], node()) == []
    assert leftovers.former_accounts([KERBEROS[1]], node()) == ["airflow-kerberos"]
    assert leftovers.former_files(KERBEROS, [], node()) == KERBEROS
    stays = replace(node("broker_url"), components=("kerberos",))
    assert leftovers.former_accounts(KERBEROS, stays) == []
    assert leftovers.former_files(KERBEROS, [], stays) == []


def test_what_a_host_has(tmp_path):
    for name in (WORKER, SCHEDULER, "airflow-watchdog@.service", "airflow.slice", "haproxy.service"):
        (tmp_path / name).write_text("[Service]\n")
        (tmp_path / f"{name}.d").mkdir()
        (tmp_path / f"{name}.d" / _systemd.DROP_IN).touch()
    (tmp_path / "airflow-dag-processor-2.service").write_text("[Service]\n")
    model = cluster(reference())
    found = _host.units(survey.wanted(model, "db1").units, str(tmp_path))
    assert {Path(path).name: ours for path, ours in found.items()} == {
        WORKER: True,
        SCHEDULER: True,
        "airflow-dag-processor-2.service": False,
    }
    assert _host.component_files([str(tmp_path / "none")], str(tmp_path / "none")) == []
    program = str(tmp_path / SCHEDULER)
    assert _host.component_files([program, str(tmp_path / "none")], str(tmp_path / "none")) == [program]
    assert len(_host.component_files([], str(tmp_path))) == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    ("unit", "unwrapped"),
    [
        (None, []),
        ("", []),
        ("ExecStart=/opt/airflow/current/bin/airflow scheduler", [SCHEDULER]),
        ("ExecStart=/usr/local/sbin/flightdeck-example start", []),
    ],
)
def test_a_unit_that_runs_airflow_itself(tmp_path, unit, unwrapped):
    if unit is not None:
        (tmp_path / SCHEDULER).write_text(unit)
    assert _host.unwrapped({SCHEDULER: "/usr/local/sbin/flightdeck-example"}, str(tmp_path)) == unwrapped


def looked(preflight=None, **facts):
    """Facts of a host that has nothing, but for what they say."""
    bare = {
        "flightdeck_units": [],
        "flightdeck_hosts_files": {"/etc/hosts": False},
        "flightdeck_account": {"user": False, "group": False},
        "preflight": {"traces": [], "releases": {"installed": []}, "listeners": {}, **(preflight or {})},
    }
    return {**bare, **facts}


def holder(unit):
    return {"listeners": {"5672": {"unit": unit, "user": "x", "pid": 1, "process": "x"}}}


@pytest.mark.parametrize(
    ("facts", "account", "found"),
    [
        (looked(), "airflow", []),
        (looked({"traces": ["/etc/airflow"]}), "", ["/etc/airflow"]),
        (looked(flightdeck_units=["airflow-scheduler.service"]), "", ["airflow-scheduler.service"]),
        (looked({"releases": {"installed": ["3.3.2-0"]}}), "", ["release 3.3.2-0"]),
        (looked(flightdeck_hosts_files={"/etc/hosts": True}), "", ["/etc/hosts"]),
        (looked(holder("rabbitmq-server.service")), "", ["rabbitmq-server.service on port 5672"]),
        (looked(holder("airflow-worker@default.service")), "", ["airflow-worker@default.service on port 5672"]),
        # Another program that took the port meanwhile is not ours.
        (looked(holder("nginx.service")), "", []),
        (looked(flightdeck_account={"user": True, "group": True}), "airflow", ["account airflow"]),
        (looked(flightdeck_account={"user": True, "group": True}), "", []),
        (looked({"error": "no route"}), "", ["no answer (no route)"]),
    ],
)
def test_what_is_left_of_the_collection_is_named(facts, account, found):
    assert removal.traces(facts, account) == found


WHOLE = cluster(reference())


@pytest.mark.parametrize("name", WHOLE.nodes)
def test_a_host_without_airflow_keeps_nothing_of_it(name):
    bare = Node.from_vars(without_airflow(WHOLE.nodes[name].to_vars()))
    assert (bare.airflow, bare.components) == (None, ())
    files = ["/etc/airflow/secrets/broker_url", "/etc/airflow/webserver_config.py"]
    assert leftovers.former_files(files, ["/etc/airflow/files/a"], bare) == sorted([*files, "/etc/airflow/files/a"])


@pytest.mark.parametrize(
    ("name", "present", "former"),
    [
        ("db1", ["backup"], ["backup"]),
        # Not a timer of Airflow's.
        ("db1", ["backup", "metrics", "flightdeck-db-clean"], ["backup", "metrics"]),
        ("worker1", ["pgbouncer"], ["pgbouncer"]),
        ("worker1", [], []),
    ],
)
def test_services_that_a_host_does_not_have_any_more(name, present, former):
    assert sorted(leftovers.former_services(present, WHOLE.nodes[name], ["all"], ["notest"])) == former
    # Others may use them still when a part of the deployment runs.
    assert leftovers.former_services(present, WHOLE.nodes[name], ["airflow"], []) == []
    assert leftovers.former_services(present, WHOLE.nodes[name], ["all"], ["metastore"]) == []


def test_pgbackrest_stays_where_the_metastore_archives_into_a_repository():
    nodes = cluster([*reference(), host("backup1", 151, "backup")]).nodes
    assert [leftovers.former_services(["backup"], nodes[name], ["all"], []) for name in ("db1", "backup1")] == [[], []]
    assert leftovers.former_services(["backup"], nodes["worker1"], ["all"], []) == ["backup"]
