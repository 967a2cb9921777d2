"""The model: from an inventory to every URL, listener, secret and number, and everything that can be wrong with an
inventory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services, versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Queue
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import effects, inventory
from hypothesis import given, settings
from hypothesis import strategies as st

DEFAULTS = Path(__file__).parents[4] / "roles/airflow/defaults/main"


def variables(**changes):
    """The variables of the interface, at their defaults but for ``changes``."""
    values = {}
    for path in DEFAULTS.glob("*.yml"):
        values.update(yaml.safe_load(path.read_text()) or {})
    return {**values, **changes}


def defaults(**changes):
    """The settings of a cluster, at their defaults but for ``changes``."""
    return Settings.from_variables(variables(**changes))


def plain(hosts, settings):
    """The model as roles read it."""
    return cluster.build(hosts, settings).to_vars()


def host(name, number, *groups, queues=("default",)):
    normalised = hosts_model.queues_of(list(queues)) if "worker" in groups else ()
    return hosts_model.Host(name, frozenset(groups), f"192.0.{2 + number // 1000}.{number % 1000}", normalised)


MASTER = tuple(name for name, component in services.COMPONENT.items() if name != "worker" and not component.optional)


def reference(workers=2):
    return [
        host("lb1", 10, "haproxy"),
        host("master1", 11, *MASTER),
        host("master2", 12, *MASTER),
        *(
            host(f"worker{number}", 20 + number + (1000 if number > 100 else 0), "worker")
            for number in range(1, workers + 1)
        ),
        host("db1", 131, "metastore"),
        *(host(f"mq{number}", 140 + number, "rabbitmq") for number in (1, 2, 3)),
    ]


def single():
    return [host("node1", 10, *(group for group in services.GROUPS if group not in services.OPTIONAL))]


def available():
    """Any one host may be lost."""
    return [
        *reference()[1:5],
        host("lb1", 8, "haproxy"),
        host("lb2", 9, "haproxy"),
        *(host(f"db{number}", 130 + number, "metastore", "etcd", "rabbitmq") for number in (1, 2, 3)),
    ]


def moved(hosts):
    """``hosts`` with IPv6 addresses of the same last number."""
    return [dataclasses.replace(one, address=f"2001:db8::{one.address.rpartition('.')[2]}") for one in hosts]


def named(hosts, *names):
    """``hosts``, of which those with one of the ``names`` have names as addresses."""
    return [dataclasses.replace(one, address=f"{one.name}.example.org") if one.name in names else one for one in hosts]


VIP = {"airflow_vip": "192.0.2.100/24"}


def codes(hosts, **changes):
    return sorted({problem.code for problem in inventory.check(hosts, defaults(**changes))})


@pytest.mark.parametrize("hosts", [reference(), single(), reference(100), available()])
@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_valid_inventories_have_no_problem(hosts, version):
    assert inventory.check(hosts, defaults(airflow_version=version)) == []


@pytest.mark.parametrize("group", [group for group in services.GROUPS if group not in services.OPTIONAL])
def test_an_empty_group_is_named(group):
    hosts = [hosts_model.Host(one.name, one.groups - {group}, one.address, one.queues) for one in single()]
    problems = inventory.check(hosts, defaults())
    assert [problem.code for problem in problems] == ["FD101"]
    assert f"airflow_{group}" in str(problems[0])


@pytest.mark.parametrize(
    ("hosts", "changes", "code"),
    [
        ([*reference()[:-1]], {}, "FD102"),
        ([*reference(), host("db2", 132, "metastore")], {}, "FD103"),
        ([*available(), host("e", 99, "etcd")], {}, "FD156"),
        ([*reference(), host("e", 99, "etcd")], {}, "FD159"),
        ([*reference(), host("db2", 132, "metastore"), host("db3", 133, "metastore")], {}, "FD155"),
        (available(), {"airflow_vip": "192.0.2.100"}, "FD157"),
        (available(), {"airflow_vip": "192.0.2.300/24"}, "FD157"),
        (available(), {"airflow_vip": "192.0.2.0/24"}, "FD157"),
        (available(), {"airflow_vip": "192.0.2.255/24"}, "FD157"),
        (available(), {"airflow_vip": "192.0.2.100/255.255.255.0"}, "FD157"),
        (moved(available()), {"airflow_vip": "2001:db8::/64"}, "FD157"),
        (moved(available()), {"airflow_vip": "2001:db8::9/64"}, "FD158"),
        (moved(available()), {"airflow_vip": "2001:DB8:0::9/64"}, "FD158"),
        (moved(available()), VIP, "FD158"),
        (available(), {"airflow_vip": "192.0.2.9/24"}, "FD158"),
        (available(), {"airflow_vip": "198.51.100.1/24"}, "FD158"),
        (reference(), {"airflow_version": "2.6.3"}, "FD104"),
        ([*reference(), host("w", 99, "worker", queues=())], {}, "FD105"),
        ([*reference(), host("w", 99, "worker", queues=("gpu queue",))], {}, "FD106"),
        ([*reference(), host("w", 99, "worker", queues=("a", "a"))], {}, "FD107"),
        ([*reference(), host("again", 21, "worker")], {}, "FD108"),
        (reference(), {"airflow_metastore_port": 80}, "FD109"),
        (reference(), {"airflow_haproxy_web_port": -1}, "FD109"),
        (single(), {"airflow_haproxy_web_port": 5432}, "FD110"),
        ([*reference(), host("w", 99, "worker", queues=("amq.direct",))], {}, "FD106"),
        (reference(), {"airflow_rabbitmq_management_port": 25672}, "FD110"),
        ([*reference()[1:], hosts_model.Host("lb1", frozenset({"haproxy"}), "192.0.2.9", ssh_port=8080)], {}, "FD110"),
        (reference(), {"airflow_postgresql_config": {"Max_Connections": "100"}}, "FD129"),
        (reference(), {"airflow_config": {"operators": {"default_queue": "gpu"}}}, "FD114"),
        (available(), {"airflow_vip": "192.0.2.0/24"}, "FD157"),
        (available(), {"airflow_vip": "192.0.2.255/24"}, "FD157"),
        (available(), {"airflow_haproxy_stats_port": 443}, "FD109"),
        (reference(), {"airflow_haproxy_https_port": 0}, "FD109"),
        (available(), {"airflow_rabbitmq_prometheus_port": 8008}, "FD110"),
        (single(), {"airflow_haproxy_stats_port": 4369}, "FD110"),
        (single(), {"airflow_haproxy_stats_port": 35675}, "FD110"),
        ([*reference()[:3], host("w", 99, "worker", queues=("gpu",)), *reference()[5:]], {}, "FD114"),
        ([*reference(), hosts_model.Host("w", frozenset({"worker"}), "127.0.0.1", (Queue(name="a"),))], {}, "FD118"),
        (named(available(), "db1"), {}, "FD150"),
        (named(available(), "lb2"), VIP, "FD150"),
        (named(reference(), "worker1"), {"airflow_manage_hosts_file": True}, "FD150"),
        ([*reference(), *moved([host("w", 99, "worker")])], {}, "FD195"),
    ],
)
def test_bad_inventories_have_their_code(hosts, changes, code):
    assert codes(hosts, **changes) == [code]


@pytest.mark.parametrize(
    ("hosts", "changes"),
    [
        (named(reference(), "lb1", "db1", "mq1", "worker1"), {}),
        (named(available(), "lb1", "lb2", "master1"), {}),
        (moved(reference()), {}),
        (moved(available()), {"airflow_vip": "2001:db8::100/64"}),
        (named(moved(reference()), "lb1"), {}),
    ],
)
def test_names_and_ipv6_addresses_that_will_do(hosts, changes):
    assert codes(hosts, **changes) == []


def test_a_name_is_refused_once_for_all_that_needs_an_address():
    (problem,) = inventory.check(named(available(), "db1"), defaults())
    assert problem.expected == "an IP address, for etcd, Patroni"
    assert "db1" in problem.where


def test_one_address_in_two_spellings_is_one_host():
    hosts = [
        *moved(reference()),
        hosts_model.Host("v6", frozenset({"webserver"}), "2001:DB8::1"),
        hosts_model.Host("six", frozenset({"webserver"}), "2001:db8:0::1"),
    ]
    assert [problem.code for problem in inventory.check(hosts, defaults())] == ["FD108"]


def test_enough_connections_are_enough():
    assert codes(reference(), airflow_postgresql_config={"max_connections": 300}) == []


def test_a_problem_says_where_what_was_found_what_is_wanted_and_the_remedy():
    (problem,) = inventory.check(reference()[:-1], defaults())
    assert str(problem) == (
        "FD102 group airflow_rabbitmq: found 2 hosts; expected 1, 3 or 5. "
        "An even number tolerates no more failures than one host less: add or remove one."
    )


def test_the_reference_goes_through_the_load_balancer():
    model = plain(reference(), defaults())
    assert model["url"] == "https://192.0.2.10:8443"
    worker = model["nodes"]["worker1"]["airflow"]
    assert worker["config"]["core"]["execution_api_server_url"] == "https://192.0.2.10:8082/execution/"
    assert {secret["file"] for secret in worker["secrets"]} == {
        "broker_url",
        "result_backend",
        "api_secret_key",
        "ca.crt",
    }
    assert {secret["host"] for secret in worker["secrets"] if "host" in secret} == {"192.0.2.10"}
    assert "sql_alchemy_conn_cmd" not in worker["config"].get("database", {})
    assert model["nodes"]["db1"]["metastore"]["clients"] == ["127.0.0.1/32", "192.0.2.10/32"]


def test_a_host_with_its_own_load_balancer_uses_it():
    model = plain(single(), defaults())
    (node,) = model["nodes"].values()
    assert node["airflow"]["config"]["core"]["execution_api_server_url"] == "https://127.0.0.1:8082/execution/"
    assert {secret["host"] for secret in node["airflow"]["secrets"] if "host" in secret} == {"127.0.0.1"}


def test_airflow_2_has_no_execution_api_and_its_workers_reach_the_metastore():
    model = plain(reference(), defaults(airflow_version="2.11.2"))
    assert [each["name"] for each in model["nodes"]["lb1"]["haproxy"]["listeners"]] == ["web", "metastore", "broker"]
    worker = model["nodes"]["worker1"]["airflow"]
    assert "sql_alchemy_conn" in {secret["file"] for secret in worker["secrets"]}
    assert worker["config"]["webserver"]["base_url"] == "https://192.0.2.10:8443"
    assert "api_auth" not in worker["config"]
    assert model["nodes"]["master1"]["dags"]


def test_the_users_options_win_but_never_over_a_secret():
    mine = {
        "core": {"parallelism": 64, "executor": "LocalExecutor", "fernet_key_cmd": "cat /tmp/x"},
        "metrics": {"statsd_on": True},
    }
    config = plain(reference(), defaults(airflow_config=mine))["nodes"]["master1"]["airflow"]["config"]
    assert config["core"]["parallelism"] == 64
    assert config["core"]["executor"] == "LocalExecutor"
    assert config["core"]["fernet_key_cmd"] == "cat /etc/airflow/secrets/fernet_key"
    assert config["metrics"] == {"statsd_on": True}


def test_an_ipv6_address_stands_in_brackets():
    hosts = [hosts_model.Host(one.name, one.groups, "2001:db8::1", one.queues) for one in single()]
    assert plain(hosts, defaults())["url"] == "https://[2001:db8::1]:8443"


def test_hosts_with_ipv6_addresses_listen_and_ask_there():
    model = plain(moved(available()), defaults(airflow_vip="2001:DB8:0::100/64"))
    nodes = model["nodes"]
    assert (model["ipv6"], model["url"]) == (True, "https://[2001:db8::100]:8443")
    assert nodes["lb1"]["keepalived"]["vip"] == "2001:db8::100/64"
    worker, master, broker = (nodes[name] for name in ("worker1", "master1", "db1"))
    assert worker["airflow"]["config"]["core"]["execution_api_server_url"] == "https://[2001:db8::100]:8082/execution/"
    # As it stands in the URL of a log.
    assert (worker["address"], worker["airflow"]["address"]) == ("2001:db8::21", "[2001:db8::21]")
    assert master["airflow"]["config"]["api"]["host"] == "::"
    assert "host" not in worker["airflow"]["config"]["api"]
    assert "https://[::1]:8081/api/v2/version" in [unit.get("probe") for unit in master["airflow"]["units"]]
    assert broker["etcd"]["client_url"] == "https://[2001:db8::131]:2379"
    assert broker["metastore"]["patroni"]["etcd_hosts"][0] == "[2001:db8::131]:2379"
    assert broker["metastore"]["clients"] == ["127.0.0.1/32", "2001:db8::8/128", "2001:db8::9/128"]
    assert broker["rabbitmq"]["ipv6"] is True
    assert "::1" in model["tls"]["names"]["master1"]
    old = plain(moved(reference()), defaults(airflow_version="2.11.2"))["nodes"]["master1"]["airflow"]["config"]
    assert old["webserver"]["web_server_host"] == "[::]"


@pytest.mark.parametrize(
    ("version", "check", "api"),
    [("3.3.2", "/a/b/api/v2/version", ["/a/b/execution"]), ("2.11.2", "/a/b/api/v1/version", None)],
)
def test_airflow_below_a_path_is_asked_there_by_everybody(version, check, api):
    model = plain(reference(), defaults(airflow_version=version, airflow_url="HTTPS://Example.org:443/a/b//"))
    assert model["url"] == "https://example.org/a/b"
    listeners = {each["name"]: each for each in model["nodes"]["lb1"]["haproxy"]["listeners"]}
    web = listeners["web"]
    assert web["allow_paths"] == ["/a/b"]
    # The execution API is the last to answer.
    assert (web.get("check_path"), web.get("follows")) == ((None, "execution_api") if api else (check, None))
    units = model["nodes"]["master1"]["airflow"]["units"]
    assert f"https://127.0.0.1:8081{check}" in [unit.get("probe") for unit in units]
    # No user gets to the execution API, with the path or without.
    assert web["deny_paths"] == ["/a/b/execution", "/execution"]
    config = model["nodes"]["worker1"]["airflow"]["config"]
    if api:
        assert (listeners["execution_api"]["check_path"], listeners["execution_api"]["allow_paths"]) == (
            f"{api[0]}/health",
            api,
        )
        assert config["core"]["execution_api_server_url"] == "https://192.0.2.10:8082/a/b/execution/"
        assert config["api"]["base_url"] == model["url"]
    else:
        assert config["webserver"]["base_url"] == model["url"]


@pytest.mark.parametrize(
    ("changes", "host"),
    [
        ({}, "192.0.2.10"),
        ({"airflow_url": "https://Airflow.Example.org/x"}, "airflow.example.org"),
        ({"airflow_url": "https://[2001:db8::1]"}, "2001:db8::1"),
        # Their certificate is the proxy's affair.
        ({"airflow_url": "https://airflow.example.org", "airflow_trusted_proxies": ["192.0.2.1"]}, ""),
        ({"airflow_url": "nowhere:x"}, ""),
        ({"airflow_version": "latest"}, "192.0.2.10"),
    ],
)
def test_the_host_that_a_certificate_must_contain(changes, host):
    assert cluster.certificate_host(reference(), defaults(**changes)) == host


def test_without_load_balancers_the_host_is_that_of_the_url_if_any():
    assert cluster.certificate_host([], defaults()) == ""
    assert cluster.certificate_host([], defaults(airflow_url="https://airflow.example.org")) == "airflow.example.org"


@given(st.integers(min_value=1, max_value=12))
@settings(max_examples=12)
def test_one_more_worker_changes_no_other_host(workers):
    before, after = (plain(reference(count), defaults())["nodes"] for count in (workers, workers + 1))
    same_step = before["db1"]["metastore"]["max_connections"] == after["db1"]["metastore"]["max_connections"]
    changed = [name for name in before if before[name] != after[name]]
    assert changed == ([] if same_step else ["db1"])


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("default", [Queue(name="default")]),
        (
            ["a", {"name": "b", "concurrency": "2"}, {"name": "c", "concurrency": None}],
            [Queue(name="a"), Queue(name="b", concurrency=2), Queue(name="c")],
        ),
        # An error, which is reported elsewhere.
        ([{"name": "b", "concurrency": "many"}], [Queue(name="b")]),
        ([], []),
    ],
)
def test_queues_are_normalised(value, wanted):
    assert hosts_model.queues_of(value) == tuple(wanted)


@pytest.mark.parametrize(
    ("queues", "concurrency", "slots"),
    [
        (("default",), 0, 16),
        (("default",), 16, 16),
        (("default",), 200, 200),
        (({"name": "default", "concurrency": 200},), 0, 200),
        # A queue's own goes over the host's; 16 count for each at least, which is the most that a host derives.
        (({"name": "default", "concurrency": 3}, "gpu"), 200, 216),
        (({"name": "default", "concurrency": 3}, "gpu"), 0, 32),
    ],
)
def test_the_metastore_has_a_connection_for_every_slot_of_the_workers(queues, concurrency, slots):
    workers = [
        dataclasses.replace(
            host(f"worker{number}", 20 + number, "worker", queues=queues), worker_concurrency=concurrency
        )
        for number in range(1, 5)
    ]
    hosts = [*reference(0), *workers]
    results = 2 * 15 + 4 * slots
    # Two masters with a server process each.
    needed = 2 * (20 + 15 + 20 + 15) + results + 20
    model = plain(hosts, defaults())
    assert needed <= model["nodes"]["db1"]["metastore"]["max_connections"] < 2 * needed
    pooled = plain(hosts, defaults(airflow_pgbouncer=True))["nodes"]
    assert results <= pooled["lb1"]["pgbouncer"]["pools"]["airflow_results"] < 2 * results
    assert codes(hosts, airflow_postgresql_config={"max_connections": needed}) == []
    (problem,) = inventory.check(hosts, defaults(airflow_postgresql_config={"max_connections": needed - 1}))
    assert (problem.code, problem.expected) == ("FD129", f"at least {needed}, which this cluster's processes may open")
    # The workers run with what was counted.
    told = [queue["concurrency"] for queue in model["nodes"]["worker1"]["airflow"]["queues"]]
    assert sum(max(each, 16) for each in told) == slots


def test_a_worker_with_few_slots_does_not_make_the_metastore_smaller():
    """Nor does a new one make it larger then: the sizes are those of 16 slots, in coarse steps."""
    few = [dataclasses.replace(one, worker_concurrency=4) for one in reference(3)]
    sizes = {
        plain(hosts, defaults())["nodes"]["db1"]["metastore"]["max_connections"]
        for hosts in (few, few[:-1], reference(3))
    }
    assert len(sizes) == 1


def test_tasks_of_airflow_2_have_connections_of_their_own():
    def needed(concurrency):
        hosts = [dataclasses.replace(one, worker_concurrency=concurrency) for one in reference()]
        return cluster.Model(hosts, defaults(airflow_version="2.11.2")).connections_needed()

    # Two workers: for each slot its result, and three for the task.
    assert needed(20) - needed(0) == 2 * 4 * (20 - 16)


def test_airflow_finds_its_services_under_the_virtual_ip():
    model = plain(available(), defaults(**VIP))
    assert model["url"] == "https://192.0.2.100:8443"
    secrets = {each["file"]: each for each in model["nodes"]["worker1"]["airflow"]["secrets"]}
    assert secrets["broker_url"]["host"] == secrets["result_backend"]["host"] == "192.0.2.100"
    for name in ("lb1", "lb2", "db1", "db2", "db3"):
        assert "192.0.2.100" in model["tls"]["names"][name]
    first, second = (model["nodes"][name]["keepalived"] for name in ("lb1", "lb2"))
    assert (first["peers"], second["peers"]) == (["192.0.2.9"], ["192.0.2.8"])
    assert first["priority"] > second["priority"]


def test_a_side_car_needs_no_virtual_ip():
    hosts = [hosts_model.Host(one.name, one.groups | {"haproxy"}, one.address, one.queues) for one in available()]
    model = plain(hosts, defaults())
    assert {
        secret["host"]
        for node in model["nodes"].values()
        for secret in node.get("airflow", {}).get("secrets", [])
        if "host" in secret
    } == {"127.0.0.1"}
    assert not any("keepalived" in node for node in model["nodes"].values())


def test_only_patroni_says_who_is_written_to():
    model = plain(available(), defaults(**VIP))
    (listener,) = (each for each in model["nodes"]["lb1"]["haproxy"]["listeners"] if each["name"] == "metastore")
    assert (listener["check"], listener["check_port"], len(listener["servers"])) == ("patroni", 8008, 3)
    assert model["nodes"]["db1"]["metastore"]["check_user"] == ""
    patroni = model["nodes"]["db1"]["metastore"]["patroni"]
    assert patroni["loop_wait_seconds"] + 2 * patroni["retry_timeout_seconds"] <= patroni["ttl_seconds"]
    assert model["nodes"]["db2"]["etcd"]["members"] == {f"db{n}": f"https://192.0.2.13{n}:2380" for n in (1, 2, 3)}


def test_pools_fit_the_connections_of_the_metastore():
    model = plain(available(), defaults(airflow_pgbouncer=True, **VIP))
    pools = [model["nodes"][name]["pgbouncer"]["pools"] for name in ("lb1", "lb2")]
    assert sum(sum(sizes.values()) for sizes in pools) + 20 <= model["nodes"]["db1"]["metastore"]["max_connections"]
    secrets = {each["file"]: each for each in model["nodes"]["master1"]["airflow"]["secrets"]}
    assert secrets["sql_alchemy_conn"]["port"] == 6432
    # Migrations go past it.
    assert model["database_owner"]["port"] == 5000


def with_environment(hosts, environment, *groups):
    """``hosts``, those in one of ``groups`` with an ``environment``."""
    return [dataclasses.replace(one, environment=environment) if one.groups & set(groups) else one for one in hosts]


def test_the_default_queue_of_the_environment_counts():
    batch = [*reference()[:3], host("w", 99, "worker", queues=("batch",)), *reference()[5:]]
    environment = {"AIRFLOW__OPERATORS__DEFAULT_QUEUE": "batch"}
    assert inventory.check(with_environment(batch, environment, *MASTER, "worker"), defaults()) == []
    # What parses DAGs decides.
    (problem,) = inventory.check(with_environment(batch, environment, "worker"), defaults())
    assert (problem.code, "'default'" in problem.found) == ("FD114", True)
    (problem,) = inventory.check(with_environment(reference(), environment, "dag_processor"), defaults())
    assert (problem.code, "'batch'" in problem.found) == ("FD114", True)


def test_the_load_balancers_may_have_the_ports_of_the_web():
    assert inventory.check(reference(), defaults(airflow_haproxy_https_port=443, airflow_haproxy_web_port=80)) == []


def test_load_balancers_that_no_host_uses_are_a_warning():
    (problem,) = effects.check_balancers(available(), defaults())
    assert (problem.code, "lb2, which no host of the cluster uses" in problem.found) == ("FD148", True)
    assert effects.check_balancers(available(), defaults(**VIP)) == []
    assert effects.check_balancers(reference(), defaults()) == []
    everywhere = [dataclasses.replace(one, groups=one.groups | {"haproxy"}) for one in available()]
    assert effects.check_balancers(everywhere, defaults()) == []


@pytest.mark.parametrize(
    ("changes", "url", "target"),
    [
        ({}, "https://192.0.2.10:8443", ""),
        ({"airflow_haproxy_https_port": 443}, "https://192.0.2.10", ""),
        ({"airflow_url": "https://airflow.example.org"}, "https://airflow.example.org", "airflow.example.org"),
        (
            {"airflow_url": "https://airflow.example.org:9443"},
            "https://airflow.example.org:9443",
            "airflow.example.org:9443",
        ),
        # A mapped port that is the one without TLS here.
        ({"airflow_url": "https://127.0.0.1:8080"}, "https://127.0.0.1:8080", ""),
        ({"airflow_tls": False, "airflow_haproxy_web_port": 80}, "http://192.0.2.10", ""),
    ],
)
def test_clients_without_tls_are_sent_to_the_port_of_the_url(changes, url, target):
    model = plain(reference(), defaults(**changes))
    web = model["nodes"]["lb1"]["haproxy"]["listeners"][0]
    assert (model["url"], web["access"]["redirect_netloc"]) == (url, target)
    assert web["access"]["named"] == ("airflow_url" in changes)
