"""Schedulers that take turns: names, secrets and what the metastore has to know."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.module_utils import _host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import paths
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets as secrets_catalog
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import accounts, airflow, cluster, scheduler_lease
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import digests, secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import scheduler_lease as scheduler_lease_validation
from hypothesis import given
from hypothesis import strategies as st

DEFAULTS = Path(__file__).parents[4] / "roles/airflow/defaults/main"
MASTER = frozenset({"webserver", "scheduler", "dag_processor", "triggerer"})
FILES = ("scheduler_failover", "ca.crt", "server.crt", "server.key")
VALUES = {**{name: f"{name}-value" for name in secrets_catalog.GENERATED}, **dict.fromkeys(FILES, "")}
SECRETS = Secrets(VALUES)


def settings(**changes):
    values = {}
    for path in DEFAULTS.glob("*.yml"):
        values.update(yaml.safe_load(path.read_text()) or {})
    return Settings.from_variables({**values, **changes})


def hosts(**groups):
    plain = {"lb1": {"haproxy"}, "master1": MASTER, "master2": MASTER, "worker1": {"worker"}, "db1": {"metastore"}, "mq1": {"rabbitmq"}}
    queues = hosts_model.queues_of(["default"])
    return [
        hosts_model.Host(name, frozenset(of), f"192.0.2.{number}", queues if "worker" in of else ())
        for number, (name, of) in enumerate({**plain, **groups}.items(), start=1)
    ]


def build(mode="singleton", **changes):
    return cluster.build(hosts(), settings(airflow_scheduler_mode=mode, **changes)).nodes


def codes(members, **changes):
    return {problem.code for problem in scheduler_lease_validation.check(members, settings(**changes))}


def test_turns_need_a_metastore_of_the_collections_own():
    without = [host for host in hosts() if "metastore" not in host.groups]
    assert codes(without, airflow_scheduler_mode="singleton") == {"FD180"}
    assert codes(without) == codes(hosts(), airflow_scheduler_mode="singleton") == set()


@pytest.mark.parametrize("given", [{}, {"airflow_failover_email_host": "mail"}, {"airflow_failover_email_from": "a@example.org"}])
def test_an_email_needs_a_server_and_a_sender(given):
    assert codes(hosts(), airflow_failover_email_to=["b@example.org"], **given) == {"FD181"}
    assert codes(hosts(), **given) == set()
    for url, found in (("https://user:pw@example.org/hook", {"FD181"}), ("https://example.org/@team?by=a@b", set())):
        assert codes(hosts(), airflow_failover_webhook_url=url) == found


@pytest.mark.parametrize(("host", "login"), [("master1", "airflow_sched_master1"), ("a_b", "airflow_sched_a_b")])
def test_a_plain_name_becomes_a_plain_user(host, login):
    assert scheduler_lease.login(host) == login


@given(st.lists(st.text("abAB.-_1", min_size=1, max_size=253), unique=True, max_size=20))
def test_every_host_has_a_user_of_its_own_whatever_its_name(names):
    logins = [scheduler_lease.login(name) for name in names]
    assert len(set(logins)) == len(names)
    assert all(len(login) <= 63 and login.startswith(scheduler_lease.PREFIX) and login == login.lower() for login in logins)


def test_nothing_of_it_is_there_when_all_act():
    nodes = build("active_active")
    assert nodes["db1"].metastore.to_vars()["turns"] == {}
    assert "turns" not in nodes["master1"].to_vars()
    assert not [secret for secret in nodes["master1"].airflow.secrets if secret.file.startswith("scheduler")]
    assert accounts.turn_users(None, SECRETS) == []


def test_who_may_log_in_is_left_to_turns():
    users = accounts.turn_users(build()["db1"].metastore.turns, SECRETS)
    assert [user["name"] for user in users] == ["airflow_lease", "airflow_sched_master1", "airflow_sched_master2"]
    assert "LOGIN" in users[0]["flags"].split(",")
    assert all("LOGIN" not in user["flags"].split(",") and user["acts_as"] == "airflow" for user in users[1:])
    passwords = {user["password"] for user in users}
    assert len(passwords) == 3
    assert VALUES["scheduler_password"] not in passwords


@pytest.mark.parametrize("pooled", [False, True])
def test_a_scheduler_logs_in_as_its_host_and_its_agent_goes_past_the_pooler(pooled):
    nodes = build(airflow_pgbouncer=pooled)
    contents = secrets.secret_contents(nodes["master2"].airflow.secrets, Secrets(VALUES, ("metastore_password",)))
    users = {user["name"]: user["password"] for user in accounts.turn_users(nodes["db1"].metastore.turns, SECRETS)}
    own = f"airflow_sched_master2:{users['airflow_sched_master2']}@"
    assert contents["scheduler_conn"] == contents["sql_alchemy_conn"].replace("airflow_b:metastore_password-value@", own)
    assert contents["scheduler_conn_async"] == contents["sql_alchemy_conn_async"].replace("airflow_b:metastore_password-value@", own)
    port = 6432 if pooled else 5000
    assert f":{port}/" in contents["scheduler_conn"]
    assert contents["scheduler_lease"].startswith("postgresql://airflow_lease:scheduler_lease_password-value@192.0.2.1:5000/airflow?")
    assert "sslmode=verify-full" in contents["scheduler_lease"]
    assert not {"scheduler_conn", "scheduler_lease"} & {secret.file for secret in nodes["worker1"].airflow.secrets}


@pytest.mark.parametrize("major", [2, 3])
def test_the_scheduler_sees_its_own_login_in_the_place_of_the_common_one(major):
    files = {*airflow.secrets_of("scheduler", major), *airflow.secrets_of("webserver", major), *airflow.turn_secrets(major)}
    mounts = airflow.secret_mounts("scheduler", major, files, "/s")
    assert "/s/scheduler_conn:/s/sql_alchemy_conn" in mounts
    assert {"/s/scheduler_lease", "/s/scheduler_failover", f"{paths.NOTHING}:/s/scheduler_conn"} <= set(mounts)
    assert ("/s/scheduler_conn_async:/s/sql_alchemy_conn_async" in mounts) == (major == 3)
    others = airflow.secret_mounts("webserver", major, files, "/s")
    assert "/s/sql_alchemy_conn" in others
    assert {f"{paths.NOTHING}:/s/{name}" for name in airflow.turn_secrets(major)} <= set(others)


def test_the_scheduler_restarts_for_its_own_login_only():
    versions = dict.fromkeys((*airflow.secrets_of("scheduler", 3), *airflow.turn_secrets(3)), "1")

    def digest(component, **changed):
        return digests.component_digest(component, 3, {}, {**versions, **changed})

    assert digest("scheduler", sql_alchemy_conn="2") == digest("scheduler")
    for name in airflow.turn_secrets(3):
        assert digest("scheduler", **{name: "2"}) != digest("scheduler")
        assert digest("webserver", **{name: "2"}) == digest("webserver")


def test_agents_have_room_in_the_metastore():
    def needed(mode):
        return cluster.Model(hosts(), settings(airflow_scheduler_mode=mode)).connections_needed()

    assert needed("singleton") == needed("active_active") + 4


@pytest.mark.parametrize(
    ("unit", "alone"),
    [
        ("", False),
        ("ExecStart=/opt/airflow/current/bin/airflow scheduler", True),
        ("ExecStart=/usr/local/sbin/flightdeck-failover start", False),
    ],
)
def test_a_scheduler_that_takes_no_turns_is_seen(tmp_path, unit, alone):
    path = tmp_path / "unit"
    path.write_text(unit)
    assert _host.scheduler_alone(str(path)) == alone
    assert not _host.scheduler_alone(str(tmp_path / "none"))
