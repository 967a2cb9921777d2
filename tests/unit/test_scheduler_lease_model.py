"""Singleton mode of the schedulers: accounts, secret files and what the metastore has to know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import paths
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets as secrets_catalog
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import LOGIN_PREFIX, SCHEDULER_LEASE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import (
    accounts,
    airflow,
    cluster,
    scheduler_lease,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import digests, secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import modes as modes_validation
from hypothesis import given
from hypothesis import strategies as st
from test_cluster import MASTER

DEFAULTS = Path(__file__).parents[2] / "roles/airflow/defaults/main"
FILES = ("ca.crt", "server.crt", "server.key")
VALUES = {**{name: f"{name}-value" for name in secrets_catalog.GENERATED}, **dict.fromkeys(FILES, "")}
SECRETS = Secrets(VALUES)


def settings(**changes):
    values = {}
    for path in DEFAULTS.glob("*.yml"):
        values.update(yaml.safe_load(path.read_text()) or {})
    return Settings.from_variables({**values, **changes})


def hosts(**groups):
    plain = {
        "lb1": {"haproxy"},
        "master1": MASTER,
        "master2": MASTER,
        "worker1": {"worker"},
        "db1": {"metastore"},
        "mq1": {"rabbitmq"},
    }
    queues = hosts_model.queues_of(["default"])
    return [
        hosts_model.Host(name, frozenset(of), f"192.0.2.{number}", queues if "worker" in of else ())
        for number, (name, of) in enumerate({**plain, **groups}.items(), start=1)
    ]


def build(mode="singleton", **changes):
    return cluster.build(hosts(), settings(airflow_scheduler_mode=mode, **changes))


def codes(members, **changes):
    return {problem.code for problem in modes_validation.check(members, settings(**changes))}


def test_the_lease_needs_a_managed_metastore():
    without = [host for host in hosts() if "metastore" not in host.groups]
    assert codes(without, airflow_scheduler_mode="singleton") == {"FD180"}
    assert codes(without) == codes(hosts(), airflow_scheduler_mode="singleton") == set()


@pytest.mark.parametrize(
    "given", [{}, {"airflow_failover_email_host": "mail"}, {"airflow_failover_email_from": "a@example.org"}]
)
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
    assert all(len(login) <= 63 and login.startswith(LOGIN_PREFIX) and login == login.lower() for login in logins)


def test_without_the_mode_only_its_names_are_in_the_model():
    model = build("active_active")
    share = model.modes[SCHEDULER_LEASE.name]
    assert model.nodes["db1"].metastore.extra_users == ()
    assert model.nodes["master1"].airflow.wrappers == {}
    assert (share.enabled, share.logins) == (False, ())
    # What a deployment looks for when it drops old users.
    assert (share.login_prefix, share.user) == ("airflow_sched_", "airflow_lease")
    assert not [secret for secret in model.nodes["master1"].airflow.secrets if secret.file.startswith("scheduler")]


def test_the_unit_runs_the_agent():
    model = build()
    wrapper = model.nodes["master1"].airflow.wrappers["scheduler"].to_vars()
    mode = {
        "name": "scheduler_lease",
        "setting": "airflow_scheduler_mode",
        "value": "singleton",
        "unit": "airflow-scheduler.service",
    }
    assert model.modes[SCHEDULER_LEASE.name].to_vars().items() >= {**mode, "enabled": True}.items()
    assert (
        wrapper.items() >= {**mode, "program": "/usr/local/sbin/flightdeck-scheduler-lease", "command": "start"}.items()
    )
    assert len(wrapper["digest"]) == 12
    assert model.nodes["worker1"].airflow.wrappers == {}


def test_the_metastore_knows_the_hosts_and_both_common_users():
    share = build().modes[SCHEDULER_LEASE.name]
    assert [(login.host, login.user) for login in share.logins] == [
        (name, f"airflow_sched_{name}") for name in ("master1", "master2")
    ]
    assert share.common_users == ("airflow", "airflow_b")


def test_the_login_of_a_host_is_granted_at_run_time():
    users = accounts.extra_users(build().nodes["db1"].metastore.extra_users, SECRETS)
    assert [user["name"] for user in users] == ["airflow_lease", "airflow_sched_master1", "airflow_sched_master2"]
    assert "LOGIN" in users[0]["flags"].split(",")
    assert all("LOGIN" not in user["flags"].split(",") and user["acts_as"] == "airflow" for user in users[1:])
    passwords = {user["password"] for user in users}
    assert len(passwords) == 3
    assert VALUES["scheduler_password"] not in passwords


@pytest.mark.parametrize("pooled", [False, True])
def test_a_scheduler_logs_in_as_its_host_and_its_agent_goes_past_the_pooler(pooled):
    nodes = build(airflow_pgbouncer=pooled).nodes
    contents = secrets.secret_contents(nodes["master2"].airflow.secrets, Secrets(VALUES, ("metastore_password",)))
    users = {
        user["name"]: user["password"] for user in accounts.extra_users(nodes["db1"].metastore.extra_users, SECRETS)
    }
    own = f"airflow_sched_master2:{users['airflow_sched_master2']}@"
    assert contents["scheduler_conn"] == contents["sql_alchemy_conn"].replace(
        "airflow_b:metastore_password-value@", own
    )
    assert contents["scheduler_conn_async"] == contents["sql_alchemy_conn_async"].replace(
        "airflow_b:metastore_password-value@", own
    )
    port = 6432 if pooled else 5000
    assert f":{port}/" in contents["scheduler_conn"]
    agent = contents["scheduler_lease_conn"]
    assert agent.startswith("postgresql://airflow_lease:scheduler_lease_password-value@192.0.2.1:5000/airflow?")
    assert "sslmode=verify-full" in agent
    worker = {secret.file for secret in nodes["worker1"].airflow.secrets}
    assert not worker & {"scheduler_conn", *SCHEDULER_LEASE.secret_files}


def test_the_agents_settings_hold_the_secrets_of_alerts():
    model = build(airflow_failover_email_to=["a@example.org"], airflow_failover_webhook_url="https://example.org/model")
    # Secrets come from their own values only: the model never has them.
    given_values = {**VALUES, "failover_email_password": "hunter2", "failover_webhook_url": "https://example.org/hook"}
    text = secrets.secret_contents(model.nodes["master2"].airflow.secrets, Secrets(given_values))[
        "scheduler_lease_settings"
    ]
    mail = {"to": ["a@example.org"], "from": "", "host": "", "port": 25, "starttls": False, "user": ""}
    assert json.loads(text) == {
        "cluster": "airflow",
        "host": "master2",
        "airflow": "/opt/airflow/current/bin/airflow",
        "email": mail,
        "email_password": "hunter2",
        "webhook_url": "https://example.org/hook",
    }
    assert "example.org/model" not in json.dumps(model.to_vars())
    text = secrets.secret_contents(model.nodes["master2"].airflow.secrets, SECRETS)["scheduler_lease_settings"]
    assert (json.loads(text)["email_password"], json.loads(text)["webhook_url"]) == ("", "")


@pytest.mark.parametrize("major", [2, 3])
def test_the_scheduler_sees_its_own_login_in_the_place_of_the_common_one(major):
    files = {
        *airflow.secrets_of("scheduler", major),
        *airflow.secrets_of("webserver", major),
        *airflow.mode_files(SCHEDULER_LEASE, major),
    }
    mounts = airflow.secret_mounts("scheduler", major, files, "/s")
    assert "/s/scheduler_conn:/s/sql_alchemy_conn" in mounts
    assert {"/s/scheduler_lease_conn", "/s/scheduler_lease_settings", f"{paths.NOTHING}:/s/scheduler_conn"} <= set(
        mounts
    )
    assert ("/s/scheduler_conn_async:/s/sql_alchemy_conn_async" in mounts) == (major == 3)
    others = airflow.secret_mounts("webserver", major, files, "/s")
    assert "/s/sql_alchemy_conn" in others
    assert {f"{paths.NOTHING}:/s/{name}" for name in airflow.mode_files(SCHEDULER_LEASE, major)} <= set(others)


def test_the_scheduler_restarts_for_its_own_login_only():
    versions = dict.fromkeys((*airflow.secrets_of("scheduler", 3), *airflow.mode_files(SCHEDULER_LEASE, 3)), "1")

    def digest(component, **changed):
        return digests.component_digest(component, 3, {}, {**versions, **changed})

    assert digest("scheduler", sql_alchemy_conn="2") == digest("scheduler")
    for name in airflow.mode_files(SCHEDULER_LEASE, 3):
        assert digest("scheduler", **{name: "2"}) != digest("scheduler")
        assert digest("webserver", **{name: "2"}) == digest("webserver")


def test_agents_have_room_in_the_metastore():
    def needed(mode):
        return cluster.Model(hosts(), settings(airflow_scheduler_mode=mode)).connections_needed()

    assert needed("singleton") == needed("active_active") + 4
