"""Metrics in the model, and the configuration of Prometheus."""

from __future__ import annotations

import re

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import reference
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster, monitoring
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Monitoring
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import prometheus, redis
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import inventory
from test_cluster import defaults, host, plain
from test_cluster import reference as hosts_of_reference

SERVER = host("monitoring1", 60, "monitoring")
METRICS = {"airflow_metrics": True, "airflow_firewall": True}


def test_without_metrics_nothing_is_in_the_model():
    built = plain(hosts_of_reference(), defaults())
    assert "scraping" not in built
    assert "metrics" not in built["nodes"]["worker1"]
    assert "metrics" not in built["nodes"]["worker1"]["airflow"]["config"]
    assert "metrics_user" not in built["nodes"]["db1"]["metastore"]
    assert set(built["tls"]["names"]) < set(built["nodes"])


def test_every_host_has_one_port_and_a_certificate_for_it():
    built = plain([*hosts_of_reference(), SERVER], defaults(**METRICS))
    assert set(built["tls"]["names"]) == set(built["nodes"])
    for node in built["nodes"].values():
        (rule,) = (rule for rule in node["firewall"]["rules"] if rule["port"] == 9998)
        assert rule["sources"] == ["192.0.2.60"]
        assert node["metrics"]["client_certificates"]
        assert node["metrics"]["exporters"][0] == {
            "name": "node",
            "address": "127.0.0.1",
            "port": 9100,
            "path": "/metrics",
            "tls": False,
        }


def test_a_prometheus_of_the_users_needs_no_certificate():
    built = plain(hosts_of_reference(), defaults(**METRICS))
    assert not built["nodes"]["db1"]["metrics"]["client_certificates"]


def test_jobs_are_what_hosts_run():
    jobs = plain(hosts_of_reference(), defaults(**METRICS))["scraping"]["jobs"]
    assert jobs["postgresql"] == {"db1": "192.0.2.131:9998"}
    assert set(jobs["airflow"]) == {"master1", "master2", "worker1", "worker2"}
    assert set(jobs["rabbitmq"]) == {"mq1", "mq2", "mq3"}
    assert "patroni" not in jobs


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_airflow_sends_its_metrics_to_its_own_host(version):
    options = monitoring.config(defaults(airflow_version=version, **METRICS))["metrics"]
    assert all(f"metrics.{name}" in reference(version) for name in options)
    assert options["statsd_host"] == "127.0.0.1"
    assert ("legacy_names_on" in options) == (not version.startswith("2."))


def test_the_metastores_metrics_come_from_a_user_without_rights_to_data():
    model = cluster.Model(hosts_of_reference(), defaults(**METRICS))
    assert model.build().nodes["db1"].metastore.metrics_user == "airflow_metrics"


def test_prometheus_without_metrics_is_refused():
    problems = inventory.check([*hosts_of_reference(), SERVER], defaults())
    assert [str(problem) for problem in problems if "airflow_monitoring" in str(problem)]


def relabelled(name, statsd):
    """Labels after Prometheus's rules, as it applies them: anchored at both ends."""
    labels = {"__name__": name, "statsd": statsd, "exported_instance": "airflow"}
    for rule in prometheus._airflow_relabeling():
        if rule.get("action") == "labeldrop":
            labels = {key: value for key, value in labels.items() if not re.fullmatch(rule["regex"], key)}
            continue
        text = ";".join(labels.get(each, "") for each in rule["source_labels"])
        if match := re.fullmatch(rule["regex"], text):
            value = match.expand(str(rule.get("replacement", "$1")).replace("$", "\\"))
            labels[rule["target_label"]] = value
    return {key: value for key, value in labels.items() if value}


@pytest.mark.parametrize(
    ("name", "statsd", "expected"),
    [
        (
            "collectd_statsd_derive_total",
            "airflow.ti.finish,dag_id=a-b,task_id=c.d,state=failed",
            {
                "__name__": "airflow_events_total",
                "metric": "ti.finish",
                "dag_id": "a-b",
                "task_id": "c.d",
                "state": "failed",
            },
        ),
        (
            "collectd_statsd_latency",
            "airflow.task.duration,dag_id=a,task_id=b-percentile-95",
            {
                "__name__": "airflow_seconds",
                "metric": "task.duration",
                "dag_id": "a",
                "task_id": "b",
                "statistic": "percentile-95",
            },
        ),
        (
            "collectd_statsd_latency",
            "airflow.scheduler.scheduler_loop_duration-average",
            {"__name__": "airflow_seconds", "metric": "scheduler.scheduler_loop_duration", "statistic": "average"},
        ),
        (
            "collectd_statsd_gauge",
            "airflow.pool.open_slots,pool_name=default_pool",
            {"__name__": "airflow_gauge", "metric": "pool.open_slots", "pool_name": "default_pool"},
        ),
    ],
)
def test_tags_of_airflow_become_labels(name, statsd, expected):
    assert relabelled(name, statsd) == expected


def test_units_are_found_by_the_catalogue():
    pattern = re.compile(monitoring.unit_regex())
    for unit in ("airflow-scheduler", "airflow-worker@default", "postgresql@15-main", "haproxy", "flightdeck-backup@a"):
        assert pattern.fullmatch(f"{unit}.service")
    for unit in ("airflow-watchdog@airflow-scheduler", "ssh", "airflow-restart@x"):
        assert not pattern.fullmatch(f"{unit}.service")
    # systemd reads these in a unit.
    assert not set(pattern.pattern) & set("%\\'\" ")


def test_alerts_are_sent_by_mail_and_webhook():
    settings = defaults(
        airflow_alert_email_to=["a@example.org", "b@example.org"],
        airflow_alert_email_from="c@example.org",
        airflow_alert_email_host="2001:db8::1",
        airflow_alert_webhook_url="https://example.org/x",
        **METRICS,
    )
    share = Monitoring.from_vars(plain([*hosts_of_reference(), SERVER], settings)["nodes"]["monitoring1"]["monitoring"])
    (receiver,) = prometheus.alertmanager_config(share, "https://example.org/x", "")["receivers"]
    assert receiver["email_configs"][0]["smarthost"] == "[2001:db8::1]:25"
    assert receiver["email_configs"][0]["to"] == "a@example.org, b@example.org"
    assert receiver["webhook_configs"][0]["url"] == "https://example.org/x"


def test_without_receivers_alerts_are_shown_only():
    share = Monitoring.from_vars(
        plain([*hosts_of_reference(), SERVER], defaults(**METRICS))["nodes"]["monitoring1"]["monitoring"]
    )
    assert prometheus.alertmanager_config(share, "", "")["receivers"] == [{"name": "operators"}]


def test_a_login_to_the_mail_server_is_in_the_receiver_alone():
    settings = defaults(
        airflow_alert_email_to=["a@example.org"],
        airflow_alert_email_from="c@example.org",
        airflow_alert_email_host="mail.example.org",
        airflow_alert_email_port=587,
        airflow_alert_email_user="alerts",
        airflow_alert_email_password="hunter2",
        **METRICS,
    )
    share = plain([*hosts_of_reference(), SERVER], settings)["nodes"]["monitoring1"]["monitoring"]
    assert "hunter2" not in str(share)
    (receiver,) = prometheus.alertmanager_config(Monitoring.from_vars(share), "", "hunter2")["receivers"]
    assert receiver["email_configs"][0]["auth_username"] == "alerts"
    assert receiver["email_configs"][0]["auth_password"] == "hunter2"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"user": "a", "password": "b"}, None),
        ({"user": "a"}, "airflow_alert_email_password"),
        ({"password": "b"}, "airflow_alert_email_user"),
        ({"user": "a", "password": "b", "starttls": False}, "airflow_alert_email_starttls"),
    ],
)
def test_a_login_is_whole_and_not_readable(given, missing):
    settings = defaults(**{f"airflow_alert_email_{name}": value for name, value in given.items()})
    found = [str(problem) for problem in inventory.check(hosts_of_reference(), settings) if "FD378" in str(problem)]
    assert len(found) == bool(missing)
    assert all(missing in problem for problem in found)


@pytest.mark.parametrize(
    ("tls", "servers", "missing"),
    [(True, [SERVER], None), (False, [SERVER], "airflow_tls"), (True, [], "a host in airflow_monitoring")],
)
def test_journals_need_tls_and_a_receiver(tls, servers, missing):
    settings = defaults(**METRICS, airflow_journals=True, airflow_tls=tls)
    problems = inventory.check([*hosts_of_reference(), *servers], settings)
    found = [str(problem) for problem in problems if "FD376" in str(problem)]
    assert len(found) == bool(missing)
    assert all(missing in problem for problem in found)


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_json_is_of_versions_that_write_it(version):
    settings = defaults(airflow_log_format="json", airflow_version=version)
    refused = [problem for problem in inventory.check(hosts_of_reference(), settings) if "FD377" in str(problem)]
    assert bool(refused) == version.startswith("2.")


def test_every_host_sends_its_journal_and_one_receives_it():
    built = plain([*hosts_of_reference(), SERVER], defaults(**METRICS, airflow_journals=True))
    assert {node["journal"]["url"] for node in built["nodes"].values()} == {"https://192.0.2.60:19532"}
    (receiver,) = (node["journal_receiver"] for node in built["nodes"].values() if "journal_receiver" in node)
    assert receiver["hosts"] == {name: name for name in built["nodes"]}
    assert receiver["max_bytes"] == 10 * 1024**3
    (rule,) = (rule for rule in built["nodes"]["monitoring1"]["firewall"]["rules"] if rule["port"] == 19532)
    assert set(rule["sources"]) == {node["address"] for node in built["nodes"].values()}


def test_without_the_setting_no_journal_is_sent():
    built = plain([*hosts_of_reference(), SERVER], defaults(**METRICS))
    assert not [node for node in built["nodes"].values() if "journal" in node or "journal_receiver" in node]


def test_redis_has_metrics_and_an_account_for_them():
    hosts = [each for each in hosts_of_reference() if "rabbitmq" not in each.groups] + [host("redis1", 70, "redis")]
    built = cluster.build(hosts, defaults(**METRICS, airflow_broker="redis"))
    assert built.scraping.jobs["redis"] == {"redis1": "192.0.2.70:9998"}
    values = Secrets.from_vars({"broker_password": "a", "redis_metrics_password": "b"})
    *_, metrics_user = redis.redis_users(built.nodes["redis1"].redis, values).splitlines()
    assert metrics_user.startswith(
        "user airflow_metrics on #3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d "
    )
    # It reads no message, and no command of others.
    assert "%R~*" in metrics_user
    assert {"-@all", "+llen"} <= set(metrics_user.split())
    assert not {"+lrange", "+get", "+slowlog|get", "+@read"} & set(metrics_user.split())


def test_redis_without_metrics_has_no_account_for_them():
    hosts = [each for each in hosts_of_reference() if "rabbitmq" not in each.groups] + [host("redis1", 70, "redis")]
    built = cluster.build(hosts, defaults(airflow_broker="redis"))
    values = Secrets.from_vars({"broker_password": "a"})
    assert "airflow_metrics" not in redis.redis_users(built.nodes["redis1"].redis, values)
