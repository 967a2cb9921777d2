"""Reading a host: texts of /proc and /etc, and this machine itself."""

from __future__ import annotations

import glob
import grp
import os
import pwd
import shutil
import socket
import stat

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _host


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n',
            ("Debian", "12", "bookworm"),
        ),
        ('ID=ubuntu\nNAME="Ubuntu"\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n', ("Ubuntu", "22", "jammy")),
        ('ID=rocky\nNAME="Rocky Linux"\nVERSION_ID="9.4"\n', ("Rocky Linux", "9", "")),
        # Debian's testing release has no number.
        ('ID=debian\nNAME="Debian GNU/Linux"\nVERSION_CODENAME=trixie\n', ("Debian", "", "trixie")),
        ("", ("unknown", "", "")),
    ],
)
def test_the_release(text, wanted):
    found = _host.parse_os_release(text)
    assert (found["distribution"], found["distribution_major_version"], found["distribution_release"]) == wanted


def test_the_memory():
    assert _host.parse_memory_mb("MemTotal:       24683612 kB\nMemFree: 1 kB\n") == 24105
    assert _host.parse_memory_mb("") == 0


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def test_only_listening_sockets_count():
    text = (
        HEAD + "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4711 1 0 "
        "100 0 0 10 0\n"
    )
    text += (
        "   1: 0100007F:1538 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   106        0 4712 1 0 20 4 "
        "30 10 -1\n"
    )
    text += "   2: 00000000000000000000000000000000:1F90 0:0 0A 0:0 00:0 00000000 0 0 4713 1 0 100 0 0 10 0\n"
    assert _host.parse_listeners(text) == {5432: {"4711": 106}, 8080: {"4713": 0}}


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/haproxy.service\n", "haproxy.service"),
        ("0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n", "postgresql@15-main.service"),
        (
            "2:cpu:/docker/94\n0::/docker/94/airflow.slice/airflow-worker@default.service/sub\n",
            "airflow-worker@default.service",
        ),
        ("3:cpu:/\n1:name=systemd:/docker/94/system.slice/epmd.service\n0::/\n", "epmd.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope"),
        ("0::/\n", ""),
        ("", ""),
    ],
)
def test_the_unit_of_a_process(text, unit):
    assert _host.parse_unit(text) == unit


def test_who_listens_on_this_machine():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as other,
    ):
        ports = [server.getsockname()[1], other.getsockname()[1], 1]
        found = _host.listeners(ports)
    assert sorted(found) == sorted(str(port) for port in ports[:2])
    assert {entry["pid"] for entry in found.values()} == {os.getpid()}
    assert {entry["user"] for entry in found.values()} == {_host.user_name(os.geteuid())}


def test_the_space_of_a_path_that_is_not_there_is_that_of_its_parent(tmp_path):
    found = _host.space(str(tmp_path / "not" / "yet"))
    assert found["device"] == os.stat(tmp_path).st_dev
    assert abs(found["free_mb"] - shutil.disk_usage(tmp_path).free // 1024**2) < 100


@pytest.mark.parametrize(
    ("mode", "uid", "gids", "enters"),
    [
        (0o700, 1000, [], True),
        (0o600, 1000, [], False),
        # The owner's rights count for the owner, whatever others may.
        (0o077, 1000, [1000], False),
        (0o710, 2000, [5, 1000], True),
        (0o701, 2000, [1000], False),
        (0o750, 2000, [5], False),
        (0o750, -1, [], False),
        (0o751, 2000, [5], True),
        (0o755, -1, [], True),
    ],
)
def test_who_may_enter_a_directory(mode, uid, gids, enters):
    directory = os.stat_result((stat.S_IFDIR | mode, 1, 1, 1, 1000, 1000, 0, 0, 0, 0))
    assert _host.may_enter(directory, uid, gids) == enters


def test_a_closed_directory_above_a_path_is_found(tmp_path):
    account = os.geteuid(), [os.getegid()]
    (tmp_path / "data/airflow").mkdir(parents=True)
    (tmp_path / "data").chmod(0o600)
    assert _host.closed_directory(str(tmp_path / "data/airflow"), *account) == str(tmp_path / "data")
    # Its own mode is what the collection decides, and what is missing will be created.
    assert _host.closed_directory(str(tmp_path / "data"), *account) == ""
    assert _host.closed_directory(str(tmp_path / "new/airflow"), *account) == ""
    (tmp_path / "data").chmod(0o700)
    assert _host.closed_directory(str(tmp_path / "data/airflow"), *account) == ""


def test_the_groups_of_an_account():
    name = _host.user_name(os.geteuid())
    uid, groups = _host.groups_of(name)
    assert uid == os.geteuid()
    assert pwd.getpwuid(uid).pw_gid in groups
    assert _host.groups_of("no-such-account") == (-1, ())


def test_names_are_resolved_together_and_a_missing_one_has_no_address():
    found = _host.resolve(["localhost", "no-such-host.invalid"])
    assert {"127.0.0.1", "::1"} & set(found["localhost"])
    assert found["no-such-host.invalid"] == []


def test_releases(tmp_path):
    for name in ("3.3.2-a-py3.11", "3.1.8-b-py3.11", ".half"):
        (tmp_path / "releases" / name).mkdir(parents=True)
    for name in ("3.3.2-a-py3.11", "3.1.8-b-py3.11"):
        (tmp_path / "releases" / name / "release.json").touch()
    (tmp_path / "current").symlink_to("releases/3.3.2-a-py3.11")
    assert _host.releases(str(tmp_path)) == {
        "installed": ["3.1.8-b-py3.11", "3.3.2-a-py3.11"],
        "current": "3.3.2-a-py3.11",
    }
    assert _host.releases("/nowhere") == {"installed": [], "current": ""}


def test_this_machine_is_itself():
    assert _host.identity() == _host.identity()
    assert _host.processors() == len(os.sched_getaffinity(0))


POLICY = """haproxy:
  Installed: (none)
  Candidate: 2.6.12-1+deb12u2
  Version table:
     2.6.12-1+deb12u2 500
rabbitmq-server:
  Installed: (none)
  Candidate: (none)
  Version table:
"""


def test_packages_that_apt_cannot_install():
    assert _host.parse_policy(POLICY, ["haproxy", "rabbitmq-server", "unheard-of"]) == ["rabbitmq-server", "unheard-of"]
    assert _host.parse_policy("", ["haproxy"]) == ["haproxy"]


@pytest.mark.parametrize(
    ("text", "surprising"),
    [
        ('APT::Periodic::Unattended-Upgrade "1";\n', True),
        ('APT::Periodic::Unattended-Upgrade "0";\n', False),
        ('APT::Periodic::Unattended-Upgrade "1";\nAPT::Periodic::Unattended-Upgrade "0";\n', False),
        ('// APT::Periodic::Unattended-Upgrade "1";\n', False),
        (
            'APT::Periodic::Unattended-Upgrade "1";\nUnattended-Upgrade::Package-Blacklist {\n  "postgresql-";\n};\n',
            False,
        ),
        (
            'APT::Periodic::Unattended-Upgrade "1";\nUnattended-Upgrade::Package-Blacklist {\n//  "postgresql-";\n};\n',
            True,
        ),
        ("", False),
    ],
)
def test_whether_upgrades_may_come_at_any_time(text, surprising):
    assert _host.parse_unattended(text) is surprising


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a program that is found before all others: a shell script."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    def make(name, script):
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return make


def test_a_command_that_fails_does_not_exist_or_takes_too_long_has_no_answer(monkeypatch):
    assert _host.run("echo", "said") == "said\n"
    assert _host.run("true") == ""
    assert _host.run("no-such-command-here") is None
    assert _host.run("sh", "-c", "echo half; exit 3") is None
    monkeypatch.setattr(_host, "_COMMAND_SECONDS", 0.1)
    assert _host.run("sleep", "5") is None


# psql as it answers _host: databases, tables, and rows of two of them; RC is its exit code where the server is asked
# for what WHERE says.
PSQL = """
case "$*" in *{where}*) exit {rc} ;; esac
case "$*" in
    *pg_database*) printf 'postgres\\n{databases}' ;;
    *to_regclass*) printf '{tables}' ;;
    *version_num*) printf '{schema}' ;;
    *is_encrypted*) echo gAAAAA= ;;
esac
"""
TABLES = "alembic_version\\nconnection\\nvariable\\n"


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ({}, {"schema": "d2f4e1b3c5a7", "token": "gAAAAA="}),
        # Just installed, just made, and a first migration that was interrupted.
        ({"databases": ""}, {}),
        ({"tables": ""}, {}),
        ({"schema": "", "tables": "alembic_version\\n"}, {}),
        # It is stopped or starts, and a statement that is cut off.
        ({"where": "pg_database"}, None),
        ({"where": "to_regclass"}, None),
        ({"where": "version_num"}, None),
        ({"where": "is_encrypted"}, None),
    ],
)
def test_what_the_database_holds_and_what_is_unknown(tmp_path, program, server, found):
    (tmp_path / "PG_VERSION").touch()
    program(
        "psql",
        PSQL.format(
            **{
                "where": "nothing",
                "rc": 2,
                "databases": "airflow\\n",
                "tables": TABLES,
                "schema": "d2f4e1b3c5a7\\n",
                **server,
            }
        ),
    )
    assert _host.database("airflow", 5432, f"{tmp_path}/PG_VERSION") == found


def test_a_host_without_a_servers_data_has_an_empty_database_however_psql_fails(tmp_path, program):
    program("psql", "exit 2")
    assert _host.database("airflow", 5432, f"{tmp_path}/PG_VERSION") == {}


MEMBERS = '{"members": [{"ID": 1, "name": "db1", "peerURLs": ["http://192.0.2.1:2380"]}]}'


@pytest.mark.parametrize(
    ("log", "etcdctl", "data", "members"),
    [
        ("0000000000000000-0000000000000000.wal", f"echo '{MEMBERS}'", True, ["db1"]),
        # A member that the others refused leaves its directories behind.
        ("", f"echo '{MEMBERS}'", False, []),
        ("", "exit 1", False, []),
        # One that does not run, neither for clients nor for peers.
        ("0000000000000000-0000000000000000.wal", "exit 1", True, None),
        ("0000000000000000-0000000000000000.wal", "echo '{}'", True, None),
    ],
)
def test_etcd_has_data_when_it_has_a_log_and_members_when_it_answers(tmp_path, program, log, etcdctl, data, members):
    (tmp_path / "wal").mkdir()
    if log:
        (tmp_path / "wal" / log).touch()
    program("etcdctl", etcdctl)
    found = _host.etcd("http://127.0.0.1:1", "http://127.0.0.1:1", str(tmp_path / "wal/*.wal"))
    assert found["data"] is data
    assert (found["members"] and [member["name"] for member in found["members"]]) == members


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("echo dpkg:", ["no-such-package"]),
        ("echo dpkg:; exit 100", ["no-such-package"]),
        ("exit 100", None),
        ("true", None),
    ],
)
def test_an_apt_that_does_not_answer_is_not_an_apt_without_packages(program, answer, found):
    program("apt-cache", answer)
    lists = glob.glob("/var/lib/apt/lists/*_Packages*")
    assert _host.without_candidate(["no-such-package"], []) == (found if lists else [])
    assert _host.without_candidate(["haproxy"], ["haproxy"]) == []


def test_a_package_is_installed_when_dpkg_has_configured_it_and_not_when_it_left_its_configuration():
    states = {
        "haproxy": "install ok installed",
        "held": "hold ok installed",
        "redis-server": "deinstall ok config-files",
        "postgresql-15": "install ok half-configured",
    }
    text = "\n".join(f"Package: {name}\nStatus: {state}\nPriority: optional\n" for name, state in states.items())
    assert _host.parse_dpkg_status(text) == ["haproxy", "held"]


@pytest.mark.parametrize(("schema", "members"), [(True, ["rabbit@mq-1", "rabbit@mq2.example.org"]), (False, [])])
def test_rabbitmqs_cluster_stands_in_its_data(tmp_path, schema, members):
    node = tmp_path / "rabbit@mq-1"
    node.mkdir()
    (node / "cluster_nodes.config").write_text(
        "{['rabbit@mq-1','rabbit@mq2.example.org'],['rabbit@mq-1','rabbit@mq2.example.org']}.\n"
    )
    if schema:
        (node / "schema.DAT").touch()
    assert _host.rabbitmq("rabbit@mq-1", str(tmp_path)) == {"data": schema, "members": members}
    assert _host.rabbitmq("rabbit@mq9", str(tmp_path)) == {"data": False, "members": []}


@pytest.mark.parametrize("text", [None, "", "{[],[]}.\n"])
def test_a_rabbitmq_whose_cluster_cannot_be_read_has_unknown_members(tmp_path, text):
    (tmp_path / "rabbit@mq1").mkdir()
    (tmp_path / "rabbit@mq1/schema.DAT").touch()
    if text is not None:
        (tmp_path / "rabbit@mq1/cluster_nodes.config").write_text(text)
    assert _host.rabbitmq("rabbit@mq1", str(tmp_path)) == {"data": True, "members": None}


def test_an_account_and_who_has_its_numbers():
    own, group = pwd.getpwuid(os.getuid()), grp.getgrgid(os.getgid())
    found = _host.account("no-such-account", own.pw_uid or 1, group.gr_gid or 1)
    holders = {
        "uid_holder": pwd.getpwuid(own.pw_uid or 1).pw_name,
        "gid_holder": grp.getgrgid(group.gr_gid or 1).gr_name,
    }
    assert found == {"uid": None, "gid": None, **holders}
    assert _host.account("root", 0, 0) == {"uid": 0, "gid": 0, "uid_holder": "", "gid_holder": ""}


MOUNTS = "proc /proc proc rw,nosuid,nodev,noexec,relatime{} 0 0\ntmpfs /tmp tmpfs rw,hidepid=2 0 0\n"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", ""),
        (",hidepid=0", ""),
        (",hidepid=off", ""),
        (",hidepid=2", "hidepid=2"),
        (",hidepid=invisible", "hidepid=invisible"),
        (",hidepid=noaccess,gid=4294967", "hidepid=noaccess"),
        # The account's own group is one in which it is.
        (f",hidepid=2,gid={pwd.getpwnam('daemon').pw_gid}", ""),
    ],
)
def test_processes_that_an_account_does_not_see(options, found):
    assert _host.hidden_processes("daemon", MOUNTS.format(options)) == found
    assert _host.hidden_processes("daemon", "") == ""


def test_files_with_names_of_hosts(tmp_path):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n# BEGIN flightdeck\n# END flightdeck\n")
    (tmp_path / "template").write_text("## template:jinja\n")
    paths = [str(tmp_path / name) for name in ("hosts", "template", "missing")]
    assert _host.hosts_files(paths) == {paths[0]: True, paths[1]: False}


def test_services_that_a_setting_switches_on_and_off(tmp_path):
    for name in ("pgbouncer", "haproxy", "pgbackrest"):
        (tmp_path / f"{name}.service.d").mkdir()
        (tmp_path / f"{name}.service.d/airflow.conf").write_text("")
    (tmp_path / "flightdeck-db-clean.timer").write_text("")
    assert _host.switched_services(str(tmp_path)) == ["pgbouncer", "backup", "flightdeck-db-clean"]


def test_a_host_that_makes_dumps_has_no_pgbackrest(tmp_path):
    (tmp_path / "flightdeck-backup@.service").touch()
    assert _host.switched_services(str(tmp_path)) == ["backup"]
