"""The preflight: what a host must be, from what was found on it."""

from __future__ import annotations

import copy
import dataclasses

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster as cluster_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import survey
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import digests
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import preflight
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import report
from hypothesis import given
from hypothesis import strategies as st
from test_cluster import VIP, available, defaults, moved, reference, single

MODE = MODES[0]
OWN = digests.cluster_mark("airflow", "a key")
PLENTY = {"free_mb": 100_000, "free_inodes": 1_000_000, "device": 1, "noexec": False, "owner": ""}


def cluster(hosts=None, **changes):
    return cluster_model.build(hosts or single(), defaults(**changes))


def looked(model, name, **changes):
    """A host with nothing wrong."""
    wanted = survey.wanted(model, name).to_vars()
    good = {
        "unreachable": False,
        "root": True,
        "systemd": True,
        "identity": name,
        "clock": [-0.1, 0.4],
        "disks": dict.fromkeys(wanted["directories"], PLENTY),
        "listeners": {},
        "names": {key: ["192.0.2.99"] for key in wanted["names"]},
        "cluster": OWN,
        "unmanaged": [],
        "database": {},
        "without_candidate": [],
        "tiers": {tier: {"data": True, "members": []} for tier in wanted["tiers"]},
        "nr_open": 1_048_576,
        "synchronised": True,
        "unattended_upgrades": False,
        "account": {"uid": 998, "gid": 997, "uid_holder": "", "gid_holder": ""} if wanted.get("account") else {},
        "closed_directories": dict.fromkeys(wanted["directories"], "") if wanted.get("account") else {},
        "hidden_processes": "",
        "releases": {"installed": ["3.3.2-0-py3.11"], "current": "3.3.2-0-py3.11"},
    }
    system = {
        "distribution": "Debian",
        "distribution_major_version": "12",
        "memtotal_mb": 16000,
        "processor_nproc": 4,
        "python": "3.11",
    }
    facts = {"flightdeck_system": system | changes.pop("system", {})}
    facts |= {
        "flightdeck_postgresql_data": True,
        "flightdeck_unwrapped": [],
        "flightdeck_files": [],
        "flightdeck_removed": "",
    }
    facts |= changes.pop("facts", {})
    return {**facts, "preflight": {**good, **changes}}


def check(model, deploy=True, **hosts):
    """Problems when ``hosts`` differ as they say and all others are good."""
    found = {name: looked(model, name, **hosts.get(name, {})) for name in model.nodes}
    problems, _warnings = preflight.check(found, model, OWN, deploy=deploy)
    return problems


@pytest.mark.parametrize("hosts", [single(), reference()])
@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_good_hosts_have_no_problem(hosts, version):
    model = cluster(hosts, airflow_version=version)
    releases = {"installed": [f"{version}-0-py3.11"], "current": f"{version}-0-py3.11"}
    assert check(model, **{name: {"releases": releases} for name in model.nodes}) == []


@pytest.mark.parametrize(
    ("host", "version", "codes"),
    [("master1", "3.3.2", []), ("master1", "2.11.2", ["FD202"]), ("db1", "2.11.2", []), ("db1", "3.3.2", [])],
)
def test_airflow_2_needs_debian_12_where_it_runs(host, version, codes):
    thirteen = {"distribution_major_version": "13", "python": "3.13"}
    model = cluster(reference(), airflow_version=version)
    facts = {name: looked(model, name, releases={"installed": [f"{version}-0"], "current": ""}) for name in model.nodes}
    facts[host]["flightdeck_system"] |= thirteen
    problems, _warnings = preflight.check(facts, model, OWN)
    assert [problem.code for problem in problems] == codes


@pytest.mark.parametrize(
    ("mode", "there", "limit", "codes"),
    [
        (MODE.value, {"flightdeck_unwrapped": [MODE.unit]}, "node1", ["FD182"]),
        (MODE.value, {"flightdeck_unwrapped": [MODE.unit]}, "", []),
        (MODE.value, {"flightdeck_files": [MODE.wrapper.program]}, "node1", []),
        (MODE.default, {"flightdeck_files": [MODE.wrapper.program]}, "node1", ["FD182"]),
        (MODE.default, {"flightdeck_files": [MODE.wrapper.program]}, "", []),
        (MODE.default, {"flightdeck_unwrapped": [MODE.unit]}, "node1", []),
    ],
)
def test_the_mode_of_a_component_changes_on_all_hosts_or_none(mode, there, limit, codes):
    model = cluster(**{MODE.setting: mode})
    found = {name: looked(model, name, facts=there) for name in model.nodes}
    problems, _warnings = preflight.check(found, model, OWN, limit)
    assert [problem.code for problem in problems] == codes


def test_of_a_removed_host_nothing_else_is_said():
    left = {"unmanaged": ["/var/lib/etcd/airflow/member"], "facts": {"flightdeck_removed": "2026-01-01T00:00:00Z"}}
    (problem,) = check(cluster(reference()), db1=left)
    assert problem.code == "FD328"
    assert problem.where == "cluster of host db1"


def test_a_deployment_says_which_hosts_are_drained():
    model = cluster(reference())
    record = {"since": "2026-01-01T00:00:00Z", "reason": "a new disk"}
    found = {name: looked(model, name) for name in model.nodes}
    found["worker2"]["flightdeck_drained"] = record
    problems, warnings = preflight.check(found, model, OWN)
    assert problems == []
    (warning,) = warnings
    assert warning.startswith("FD323 host worker2: drained since 2026-01-01T00:00:00Z: a new disk.")
    assert preflight.check(found, model, OWN, deploy=False) == ([], [])


BALANCER = cluster().nodes["node1"].haproxy.listeners[0].port
BROKER = cluster().nodes["node1"].rabbitmq.port


def taken(port, **holder):
    return {
        "listeners": {
            str(port): {"pid": 812, "process": "nginx", "unit": "nginx.service", "user": "www-data", **holder}
        }
    }


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"system": {"distribution": "Ubuntu", "distribution_major_version": "22"}}, "FD201", "Ubuntu 22"),
        ({"system": {"distribution_major_version": "11"}}, "FD201", "Debian 11"),
        ({"system": {"python": "3.12"}}, "FD202", "3.12 on Debian 12"),
        ({"system": {"memtotal_mb": 900}}, "FD204", "900 MiB"),
        ({"disks": {}}, "FD205", "not measured"),
        (taken(BALANCER), "FD207", "nginx (pid 812, nginx.service) on it"),
        (taken(BROKER, unit="session-3.scope", process="beam.smp"), "FD207", f"port {BROKER} for RabbitMQ"),
        (taken(5432, unit="", process="mysqld"), "FD207", "mysqld (pid 812)"),
        (taken(8081, pid=0, process="", unit=""), "FD207", "a process of user www-data"),
        (taken(8081, pid=0, process="", unit="", user="airflow"), None, ""),
        (taken(5432, pid=0, process="", unit="", user="postgres"), None, ""),
        (taken(25672, pid=0, process="", unit="", user="rabbitmq"), None, ""),
        (taken(4369, pid=0, process="", unit="", user="root"), None, ""),
        (taken(BALANCER, pid=0, process="", unit="", user="root"), None, ""),
        (taken(4369, pid=1, process="systemd", unit="init.scope"), None, ""),
        (taken(BROKER, unit="rabbitmq-server.service", process="beam.smp"), None, ""),
        (taken(5432, unit="postgresql@15-main.service", process="postgres"), None, ""),
        (taken(8081, unit="airflow-api-server.service", process="python"), None, ""),
        (taken(BALANCER, unit="", process="haproxy"), None, ""),
        (taken(9999), None, ""),
        ({"cluster": "legacy 0123456789ab\n"}, "FD208", "'legacy' with identity 0123456789ab"),
        ({"cluster": "renamed " + OWN.split()[1]}, None, ""),
        ({"cluster": ""}, None, ""),
        ({"unmanaged": ["/etc/haproxy/haproxy.cfg"]}, "FD208", "/etc/haproxy/haproxy.cfg"),
        ({"database": {"schema": "5f2621c13b39"}}, None, ""),
        ({"database": {"schema": versions.VERSIONS["3.3.2"].schema, "decrypts": True}}, None, ""),
        ({"database": {"decrypts": False}}, "FD215", "does not decrypt"),
        ({"nr_open": 4096}, "FD217", "fs.nr_open 4096"),
        ({"without_candidate": ["rabbitmq-server"]}, "FD220", "no candidate for rabbitmq-server"),
        (
            {"releases": {"installed": ["3.10.0-0-py3.11", "3.3.2-0-py3.11"], "current": "3.10.0-0-py3.11"}},
            "FD210",
            "Airflow 3.10.0 in use",
        ),
        (
            {"releases": {"installed": ["2.11.2-0-py3.11", "3.3.2-x"], "current": "2.11.2-0-py3.11"}},
            "FD350",
            "3.3.2, and Airflow 2.11.2 in use",
        ),
        ({"releases": {"installed": [], "current": ""}}, None, ""),
        ({"root": False}, "FD213", "not root"),
        ({"systemd": False}, "FD214", "no systemd"),
    ],
)
def test_each_fault_of_a_host_has_its_code(changes, code, says):
    problems = check(cluster(), node1=changes)
    assert {problem.code for problem in problems} == ({code} if code else set())
    assert all("node1" in problem.where for problem in problems)
    assert says in report(problems)


THERE = {"uid": 998, "gid": 997, "uid_holder": "", "gid_holder": ""}
NONE = {**THERE, "uid": None, "gid": None}


@pytest.mark.parametrize(
    ("settings", "there", "says"),
    [
        ({"airflow_uid": 998, "airflow_gid": 997}, {**THERE, "uid_holder": "airflow", "gid_holder": "airflow"}, []),
        ({"airflow_uid": 20001, "airflow_gid": 20001}, NONE, []),
        (
            {"airflow_uid": 20001},
            THERE,
            ["account airflow of host node1: found number 998; expected number 20001 (airflow_uid)"],
        ),
        (
            {"airflow_gid": 20001},
            THERE,
            ["group airflow of host node1: found number 997; expected number 20001 (airflow_gid)"],
        ),
        (
            {"airflow_uid": 20001, "airflow_gid": 20002},
            {**NONE, "uid_holder": "jane"},
            ["account airflow of host node1: found 20001 taken by jane"],
        ),
        (
            {"airflow_gid": 20002},
            {**NONE, "gid_holder": "staff"},
            ["group airflow of host node1: found 20002 taken by staff"],
        ),
    ],
)
def test_the_account_has_one_number_on_all_hosts(settings, there, says):
    problems = check(cluster(**settings), node1={"account": there})
    assert [problem.code for problem in problems] == ["FD236"] * len(says)
    assert all(text in report(problems) for text in says)


def test_the_health_checks_see_the_processes_of_the_services():
    (problem,) = check(cluster(), node1={"hidden_processes": "hidepid=invisible"})
    assert (problem.code, problem.where) == ("FD237", "mount of /proc of host node1")
    assert "gid=" in problem.remedy


def test_only_the_releases_need_a_file_system_that_runs_programs():
    disks = looked(cluster(), "node1")["preflight"]["disks"]
    changed = {path: {**disk, "noexec": path != "/opt/airflow"} for path, disk in disks.items()}
    assert check(cluster(), node1={"disks": changed}) == []
    changed["/opt/airflow"]["noexec"] = True
    (problem,) = check(cluster(), node1={"disks": changed})
    assert (problem.code, problem.where) == ("FD238", "file system of /opt/airflow of host node1")


@pytest.mark.parametrize(
    ("settings", "owner", "good"),
    [
        ({}, "airflow", True),
        ({}, "root", True),
        ({"airflow_uid": 20001}, "20001", True),
        ({}, "20001", False),
        ({"airflow_user": "svc-airflow"}, "airflow", False),
    ],
)
def test_the_directories_of_another_account_are_not_taken_over(settings, owner, good):
    disks = looked(cluster(), "node1")["preflight"]["disks"]
    changed = {path: {**disk, "owner": owner if path == "/var/lib/airflow" else ""} for path, disk in disks.items()}
    problems = check(cluster(**settings), node1={"disks": changed, "account": NONE})
    assert [(problem.code, problem.where) for problem in problems] == (
        [] if good else [("FD239", "owner of /var/lib/airflow of host node1")]
    )


def test_the_account_enters_the_directories_above_its_own():
    (problem,) = check(
        cluster(airflow_home="/srv/data/airflow", airflow_log_dir="/srv/data/logs"),
        node1={
            "closed_directories": {
                "/srv/data/airflow": "/srv/data",
                "/srv/data/logs": "/srv/data",
                # A run sets the mode of this one itself.
                "/opt/airflow": "/srv/data/airflow",
                # Debian's own packages have other accounts.
                "/var/lib/postgresql": "/var/lib",
            }
        },
    )
    assert (problem.code, problem.where) == ("FD240", "directory /srv/data of host node1")
    assert "airflow may enter, for /srv/data/airflow and /srv/data/logs" in problem.expected
    assert "chmod o+x /srv/data" in problem.remedy


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("sudo: sorry, you must have a tty to run sudo", "requiretty"),
        ("sudo: a password is required", "ansible_become"),
    ],
)
def test_the_remedy_fits_the_reason_why_ansible_is_not_root(error, remedy):
    facts = {name: looked(cluster(), name) for name in cluster().nodes}
    facts["node1"]["preflight"] = {"unreachable": False, "error": error}
    (problem,) = preflight.check(facts, cluster(), OWN)[0]
    assert problem.code == "FD213"
    assert remedy in problem.remedy


def test_a_host_without_airflow_needs_no_account():
    assert survey.wanted(cluster(reference()), "db1").account is None
    assert survey.wanted(cluster(reference(), airflow_uid=20001), "worker1").account.uid == 20001


def test_packages_of_the_user_are_asked_for_without_version_and_architecture():
    hosts = [
        dataclasses.replace(each, system_packages=("git", "libc6:amd64", "curl=7.88.1-10+deb12u8"))
        for each in reference()
    ]
    model = cluster(hosts)
    assert set(survey.wanted(model, "worker1").packages) == {"zstd", "git", "libc6", "curl"}
    assert "git" not in survey.wanted(model, "db1").packages


@pytest.mark.parametrize(
    ("version", "current", "change", "codes"),
    [
        ("3.3.2", "3.3.1", "none", {"FD350"}),
        ("3.3.2", "3.3.1", "upgrade", set()),
        ("3.3.2", "3.3.2", "none", set()),
        ("3.3.1", "3.3.2", "none", {"FD210"}),
        ("3.3.1", "3.3.2", "upgrade", {"FD210"}),
        ("3.3.1", "3.3.2", "rollback", set()),
    ],
)
def test_only_the_playbooks_for_it_change_the_version_of_a_host(version, current, change, codes):
    model = cluster(airflow_version=version)
    there = {"installed": [f"{current}-0-py3.11"], "current": f"{current}-0-py3.11"}
    facts = {name: looked(model, name, releases=there) for name in model.nodes}
    found, _warnings = preflight.check(facts, model, OWN, version_change=change)
    assert {problem.code for problem in found} == codes


def test_a_host_that_is_new_or_runs_no_component_has_no_version_to_change():
    old = {"releases": {"installed": ["3.3.1-0-py3.11"], "current": "3.3.1-0-py3.11"}}
    assert check(cluster(reference()), db1=old) == []
    assert check(cluster(), node1={"releases": {"installed": [], "current": ""}}) == []


def test_a_downgrade_can_be_allowed():
    newer = {"releases": {"installed": ["3.4.0-0-py3.11", "3.3.2-0-py3.11"], "current": "3.4.0-0-py3.11"}}
    assert check(cluster(airflow_allow_downgrade=True), node1=newer) == []


@pytest.mark.parametrize(
    ("path", "disk", "releases", "says"),
    [
        ("/var/lib/postgresql", {"free_mb": 500}, True, "at least 1024 MiB"),
        # RabbitMQ's own limit and a margin.
        ("/var/lib/rabbitmq", {"free_mb": 1500}, True, "at least 1536 MiB"),
        ("/var/log/airflow", {"free_mb": 100}, False, "at least 512 MiB"),
        # The run removes old ones.
        ("/var/log/airflow", {"free_mb": 0, "free_inodes": 5}, True, None),
        ("/opt/airflow", {"free_mb": 1000}, False, "at least 1280 MiB"),
        ("/opt/airflow", {"free_mb": 1000}, True, None),
        ("/var/lib/airflow", {"free_inodes": 5}, True, "5 inodes free"),
        ("/var/lib/airflow", {"free_inodes": -1}, True, None),
        ("/var/lib/airflow", {"error": "Permission denied"}, True, "Permission denied"),
    ],
)
def test_disks(path, disk, releases, says):
    model = cluster()
    disks = {**looked(model, "node1")["preflight"]["disks"], path: disk if "error" in disk else {**PLENTY, **disk}}
    there = {"releases": {"installed": ["3.3.2-0-py3.11"] if releases else [], "current": ""}}
    problems = check(model, node1={"disks": disks, **there})
    assert [problem.code for problem in problems] == (["FD205"] if says else [])
    assert all(says in str(problem) and path in problem.where for problem in problems)


@pytest.mark.parametrize(("free", "refused"), [(100, False), (31, True)])
def test_logs_that_fill_the_disk_of_everything_do_not_bar_the_run_that_removes_them(free, refused):
    disks = {
        path: {**PLENTY, "free_mb": free, "device": 7} if "airflow" in path else PLENTY
        for path in looked(cluster(), "node1")["preflight"]["disks"]
    }
    facts = {"disks": disks, "releases": {"installed": ["3.3.2-0-py3.11"], "current": ""}}
    assert bool(check(cluster(), node1=facts)) == refused
    states = {"node1": {**looked(cluster(), "node1")["preflight"], **facts}}
    (warning,) = preflight._warn_full_logs(states, cluster())
    assert warning.startswith("FD290 hosts node1: less than 512 MiB")


def test_memory_follows_from_the_services():
    nodes = cluster(reference()).nodes
    small, large = (sum(survey.memory_need(nodes[name]).values()) for name in ("lb1", "master1"))
    assert small < 512 < 1024 < large < 2048
    assert sum(survey.memory_need(cluster().nodes["node1"]).values()) < 3500


def test_brokers_of_two_debians_form_no_cluster():
    (problem,) = check(cluster(reference()), mq2={"system": {"distribution_major_version": "13"}})
    assert (problem.code, problem.found) == ("FD203", "Debian 12 (mq1, mq3) and Debian 13 (mq2)")
    assert check(cluster(reference()), worker1={"system": {"distribution_major_version": "13"}}) == []


@pytest.mark.parametrize(
    ("addresses", "says"),
    [(["127.0.1.1"], "the loopback address 127.0.1.1"), ([], "no address"), (["::1"], "::1"), (["192.0.2.42"], None)],
)
def test_names_of_peers(addresses, says):
    problems = check(
        cluster(reference()), mq1={"names": {"mq1": ["127.0.1.1"], "mq2": addresses, "mq3": ["192.0.2.143"]}}
    )
    assert [problem.code for problem in problems] == (["FD209"] if says else [])
    assert all(says in str(problem) and "name mq2" in problem.where for problem in problems)


@pytest.mark.parametrize(
    ("hosts", "own", "peer", "says"),
    [
        (moved(reference()), ["2001:db8::141"], ["2001:db8::142"], None),
        (moved(reference()), ["::1"], ["192.0.2.142", "2001:db8::142"], None),
        # Its nodes use IPv6 alone, also on their own host.
        (
            moved(reference()),
            ["127.0.1.1"],
            ["2001:db8::142"],
            "name mq1 of its RabbitMQ node of host mq1: found no IPv6 address",
        ),
        (
            moved(reference()),
            ["2001:db8::141"],
            ["192.0.2.142"],
            "name mq2 of a peer of RabbitMQ of host mq1: found no IPv6 address",
        ),
        (
            reference(),
            ["127.0.1.1"],
            ["2001:db8::142"],
            "name mq2 of a peer of RabbitMQ of host mq1: found no IPv4 address",
        ),
    ],
)
def test_names_have_addresses_of_the_family_of_the_cluster(hosts, own, peer, says):
    third = ["192.0.2.143", "2001:db8::143"]
    problems = check(
        cluster(hosts),
        mq1={"names": {"mq1": own, "mq2": peer, "mq3": third}},
        **{name: {"names": dict.fromkeys(("mq1", "mq2", "mq3"), third)} for name in ("mq2", "mq3")},
    )
    assert [str(problem)[6:].partition(";")[0] for problem in problems] == ([says] if says else [])


@pytest.mark.parametrize("hosts", [single(), reference()])
@pytest.mark.parametrize(("addresses", "says"), [([], "no address"), (["127.0.1.1"], None), (["192.0.2.42"], None)])
def test_a_broker_resolves_its_own_name(hosts, addresses, says):
    """Debian gives a host's own name a loopback address, with which Erlang can work; without any, RabbitMQ does not
    start."""
    broker = next(host.name for host in hosts if "rabbitmq" in host.groups)
    model = cluster(hosts)
    names = {**looked(model, broker)["preflight"]["names"], broker: addresses}
    problems = check(model, **{broker: {"names": names}})
    assert [problem.code for problem in problems] == (["FD209"] if says else [])
    for problem in problems:
        assert f"name {broker} of its RabbitMQ node of host {broker}: found {says}" in str(problem)
        assert "airflow_manage_hosts_file: true" in problem.remedy
    assert check(cluster(hosts, airflow_manage_hosts_file=True), **{broker: {"names": {}}}) == []


def named(hosts):
    """The same hosts, with names as their addresses."""
    return [hosts_model.Host(host.name, host.groups, f"{host.name}.example.org", host.queues) for host in hosts]


def names_of(hosts, name, **changes):
    return [each.removesuffix(".example.org") for each in survey.wanted(cluster(hosts, **changes), name).names]


def test_only_names_that_are_needed_and_not_written_by_us_are_looked_up():
    assert survey.wanted(cluster(reference()), "mq1").names == ("mq1", "mq2", "mq3")
    assert names_of(reference(), "worker1") == names_of(reference(), "lb1") == []
    assert names_of(reference(), "mq1", airflow_manage_hosts_file=True) == []
    assert names_of(named(reference()), "worker1") == ["lb1"]
    # Servers behind it; clients that PostgreSQL admits by name; whose logs are shown and who sends requests here.
    assert names_of(named(reference()), "lb1") == ["db1", "master1", "master2", "mq1", "mq2", "mq3"]
    assert names_of(named(reference()), "db1") == ["lb1"]
    assert names_of(named(reference()), "master1") == ["lb1", "master1", "master2", "worker1", "worker2"]
    # The names of nodes and the addresses at which the first of them is waited for.
    assert names_of(named(reference()), "mq2") == ["mq1", "mq1", "mq2", "mq2", "mq3", "mq3"]
    assert names_of(named(available()), "db1") == ["db1", "db1", "db2", "db2", "db3", "db3", "lb1", "lb2"]
    assert names_of(named(single()), "node1") == ["node1", "node1"]


def test_a_virtual_ip_is_no_name():
    assert names_of(named(available()), "worker1") == ["lb1"]
    assert names_of(named(available()), "worker1", **VIP) == []


def test_our_part_of_the_hosts_file_needs_addresses():
    """An entry without an IP address resolves nothing, and what helps is another one."""
    model = cluster(named(reference()), airflow_manage_hosts_file=True)
    assert "mq2" in survey.wanted(model, "mq1").names
    (problem,) = check(model, worker1={"names": {"lb1.example.org": []}})
    assert (problem.code, problem.remedy) == (
        "FD209",
        "Correct DNS or /etc/hosts, or set airflow_address of that host to its IP address.",
    )


@pytest.mark.parametrize(("name", "says"), [("db1", "the loopback address 127.0.1.1"), ("lb1", None)])
def test_only_members_of_a_store_need_an_own_address_that_others_reach(name, says):
    """HAProxy reaches a server on its own host by any address; etcd and Patroni listen on the one that they tell
    the others."""
    hosts = [
        hosts_model.Host(host.name, host.groups | {"webserver"} if host.name == "lb1" else host.groups, host.address)
        for host in available()
    ]
    model = cluster(named(hosts))
    names = {**looked(model, name)["preflight"]["names"], f"{name}.example.org": ["127.0.1.1"]}
    problems = check(model, **{name: {"names": names}})
    assert [problem.found for problem in problems] == ([says] if says else [])


@pytest.mark.parametrize("hosts", [single(), reference()])
@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_every_port_that_the_model_gives_a_host_is_checked(hosts, version):
    model = cluster(hosts, airflow_version=version)
    for host in hosts:
        node, wanted = model.nodes[host.name], set(survey.wanted(model, host.name).ports)
        expected = {
            5432: "metastore",
            15672: "rabbitmq",
            15692: "rabbitmq",
            25672: "rabbitmq",
            4369: "rabbitmq",
            1936: "haproxy",
        }
        expected |= {8405: "haproxy", 8793: "worker", 8081: "webserver"}
        assert set(node.airflow.ports.values() if node.airflow else ()) <= wanted
        assert {port for port, group in expected.items() if group in host.groups} <= wanted
        assert {listener.port for listener in (node.haproxy.listeners if node.haproxy else ())} <= wanted
        assert not {port for port, group in expected.items() if group not in host.groups} & wanted


def test_one_machine_under_two_names():
    (problem,) = check(cluster(reference()), worker1={"identity": "same"}, worker2={"identity": "same"})
    assert (problem.code, problem.where) == ("FD211", "hosts worker1, worker2")
    assert check(cluster(reference()), worker1={"identity": ""}, worker2={"identity": ""}) == []


def test_hosts_that_cannot_be_checked_are_one_problem():
    model = cluster(reference())
    found = {name: looked(model, name) for name in model.nodes}
    for name in ("mq1", "mq2"):
        found[name] = {"preflight": {"unreachable": True, "error": "timed out"}}
    found["db1"] = {"preflight": {"unreachable": False, "error": "no python"}}
    problems, _warnings = preflight.check(found, model, OWN)
    assert [(problem.code, problem.where) for problem in sorted(problems)] == [
        ("FD212", "hosts mq1, mq2"),
        ("FD213", "hosts db1"),
    ]
    assert "mq1: timed out" in report(problems)


@pytest.mark.parametrize(
    ("clocks", "ahead", "warns"),
    [
        ({"mq1": [14.0, 14.5]}, ["mq1"], 0),
        ({"mq1": [-9.0, -8.5]}, ["mq1"], 0),
        ({"mq1": [3.0, 3.5]}, [], 1),
        # A slow answer: nothing is sure.
        ({"mq1": [-30.0, 0.2]}, [], 0),
        ({}, [], 0),
    ],
)
def test_clocks(clocks, ahead, warns):
    model = cluster(reference())
    found = {name: looked(model, name, clock=clocks.get(name, [-0.1, 0.4])) for name in model.nodes}
    problems, warnings = preflight.check(found, model, OWN)
    assert [problem.where for problem in problems] == [f"clock of host {name}" for name in ahead]
    assert len(warnings) == warns


def test_the_controllers_clock_is_not_the_clusters():
    model = cluster(reference())
    found = {name: looked(model, name, clock=[3600.0, 3600.4]) for name in model.nodes}
    assert preflight.check(found, model, OWN) == ([], [])
    problems, warnings = preflight.check({"mq1": found["mq1"]}, model, OWN)
    assert (problems, len(warnings)) == ([], 1)


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.floats(-20, 20), st.floats(0, 10)), min_size=1),
    st.floats(-20, 20),
)
def test_equal_clocks_never_differ_however_slow_the_answers(answers, offset):
    clocks = {name: [offset - abs(early), offset + late] for name, (early, late) in answers.items()}
    skews = preflight.skews(clocks)
    if len(clocks) > 1:
        assert all(abs(skew) < 1e-9 for skew in skews.values())


def test_what_every_playbook_needs_and_what_only_a_deployment_needs():
    model = cluster()
    full = {**copy.deepcopy(looked(model, "node1")["preflight"]["disks"]), "/var/lib/airflow": {**PLENTY, "free_mb": 0}}
    bad = {"disks": full, "system": {"memtotal_mb": 100}, **taken(BALANCER), "unmanaged": ["x"]}
    assert {problem.code for problem in check(model, node1=bad)} == {"FD204", "FD205", "FD207", "FD208"}
    assert check(model, deploy=False, node1=bad) == []
    assert [problem.code for problem in check(model, deploy=False, node1={"cluster": "legacy 0"})] == ["FD208"]


def test_the_mark_names_the_cluster_and_follows_its_key():
    assert OWN.split()[0] == "airflow"
    assert digests.cluster_mark("airflow", "another key").split()[1] != OWN.split()[1]
    assert "a key" not in OWN


@pytest.mark.parametrize(("allow", "codes"), [(False, ["FD216"]), (True, [])])
def test_a_schema_of_a_newer_airflow(allow, codes):
    model = cluster(airflow_version="2.11.2", airflow_allow_downgrade=allow)
    newer = {"database": {"schema": versions.VERSIONS["3.3.2"].schema}, "releases": {"installed": [], "current": ""}}
    assert [problem.code for problem in check(model, node1=newer)] == codes


@pytest.mark.parametrize(
    ("host", "changes", "code"),
    [
        ("worker1", {"synchronised": False}, "FD218"),
        ("db1", {"unattended_upgrades": True}, "FD219"),
        ("worker1", {"unattended_upgrades": True}, None),
        ("worker1", {"synchronised": None}, "FD224"),
        ("worker1", {"without_candidate": None}, "FD224"),
        ("db1", {"database": None}, "FD224"),
    ],
)
def test_what_may_do_harm_later_is_a_warning(host, changes, code):
    model = cluster(reference())
    found = {name: looked(model, name, **(changes if name == host else {})) for name in model.nodes}
    problems, warnings = preflight.check(found, model, OWN)
    assert problems == []
    assert [warning[:5] for warning in warnings] == ([code] if code else [])
    assert all(host in warning for warning in warnings)


def test_one_server_that_answers_says_what_all_of_a_metastore_hold():
    model = cluster(available())
    wrong = {"schema": versions.VERSIONS["3.3.2"].schema, "decrypts": False}
    for silent, warned, codes in ((("db1", "db2"), 0, ["FD215"]), (("db1", "db2", "db3"), 1, [])):
        said = dict.fromkeys(silent) | {name: wrong for name in ("db1", "db2", "db3") if name not in silent}
        found = {name: looked(model, name, database=said.get(name, {})) for name in model.nodes}
        problems, warnings = preflight.check(found, model, OWN)
        assert [problem.code for problem in problems] == codes
        assert len(warnings) == warned
        assert all("db1, db2, db3 has data and does not answer" in warning for warning in warnings)
    assert preflight.check(found, model, OWN, deploy=False) == ([], [])


def test_where_the_database_is_looked_for():
    model = cluster(reference())
    assert survey.wanted(model, "db1").database == survey.DatabasePlace(name="airflow", port=5432)
    assert survey.wanted(model, "worker1").database is None


def test_the_driver_for_mysql_has_to_be_installable_where_airflow_runs():
    elsewhere = [host for host in reference() if host.name != "db1"]
    url = "mysql://airflow:secret@db.example.org/airflow"
    model = cluster(elsewhere, airflow_metastore_engine="mysql", airflow_metastore_url=url)
    assert "python3-mysqldb" in survey.wanted(model, "worker1").packages
    assert "python3-mysqldb" not in survey.wanted(model, "mq1").packages
    assert "python3-mysqldb" not in survey.wanted(cluster(reference()), "worker1").packages
