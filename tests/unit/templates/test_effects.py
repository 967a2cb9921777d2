"""What the reference of the variables says about their changes is what the code makes of them."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.action.cluster_model import ActionModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _systemd
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import bundles, cluster, files, remote_logs
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.connection import Connection
from test_golden import ROLE, UNIT_TEMPLATE, load, render, variables

ROOT = Path(__file__).parents[3]
DOCUMENT = yaml.safe_load((ROOT / ".config/effects.yml").read_text())
EFFECTS: dict[str, str] = DOCUMENT["variables"]
OPTIONS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["cluster"]["options"]
GROUPS = {
    "lb1": ("haproxy",),
    "master1": tuple(component for component in services.COMPONENTS if component != "worker"),
    "worker1": ("worker",),
    "db1": ("metastore",),
    "backup1": ("backup",),
    "mq1": ("rabbitmq",),
    "redis1": ("redis",),
    "monitoring1": ("monitoring",),
}

# Another value than the default, and what the variable needs besides to be read at all.
SINGLETON = {"airflow_scheduler_mode": "singleton"}
REDIS = {"airflow_broker": "redis"}
SQS = {
    "airflow_broker": "sqs",
    "airflow_sqs_region": "eu-west-1",
    "airflow_sqs_queues": {"default": "https://sqs.example.org/1/a"},
}
EXTERNAL = {"airflow_metastore_url": "postgresql://a:b@db.example.org:5432/airflow"}
PROXY = {"airflow_http_proxy": "http://proxy.example.org:3128"}
MAIL = {"airflow_alert_email_to": ["a@example.org"]}
METRICS = {"airflow_metrics": True}
JOURNALS = {**METRICS, "airflow_journals": True}
BUCKET = {f"airflow_backup_s3_{name}": "a" for name in ("bucket", "endpoint", "region")}
URL = "amqps://a:b@mq.example.org:5671/x"
LDAP = {"airflow_login": "ldap"}
OPENID = {"airflow_login": "openid"}
CHANGES: dict[str, tuple[object, dict[str, object]]] = {
    "airflow_alert_email_from": ("b@example.org", MAIL),
    "airflow_alert_email_host": ("mail.example.org", MAIL),
    "airflow_alert_email_port": (26, MAIL),
    "airflow_alert_email_starttls": (False, MAIL),
    "airflow_alert_email_user": ("a", MAIL),
    "airflow_alert_webhook_url": ("https://example.org/alerts", {}),
    "airflow_auth_manager": ("a.b.Manager", {}),
    **dict.fromkeys(
        (f"airflow_backup_s3_{name}" for name in ("access_key_id", "ca", "endpoint", "region")), ("b", BUCKET)
    ),
    "airflow_backup_s3_uri_style": ("path", BUCKET),
    "airflow_broker": ("redis", {}),
    "airflow_broker_ca": ("PEM", {"airflow_broker_url": URL}),
    "airflow_broker_url": (URL, {}),
    "airflow_component_environment": ({"worker": {"A": "b"}}, {}),
    "airflow_config": ({"core": {"parallelism": 7}}, {}),
    "airflow_dag_bundles": ([{"name": "a", "kind": "git", "url": "https://git.example.org/a.git"}], {}),
    "airflow_dags_dir": ("/srv/dags", {}),
    "airflow_environment": ({"A": "b"}, {}),
    "airflow_extra_groups": (["docker"], {}),
    "airflow_failover_email_to": (["a@example.org"], SINGLETON),
    "airflow_http_proxy": (PROXY["airflow_http_proxy"], {}),
    "airflow_files": ([{"path": "a", "content": "b", "components": ["worker"]}], {}),
    "airflow_home": ("/srv/airflow", {}),
    "airflow_journals": (True, METRICS),
    "airflow_journal_max_size": ("1G", JOURNALS),
    "airflow_journal_port": (19533, JOURNALS),
    "airflow_journal_retention_days": (31, JOURNALS),
    "airflow_kerberos_config_file": (__file__, {}),
    "airflow_kerberos_kdcs": (["kdc.example.org"], {"airflow_kerberos_realm": "EXAMPLE.ORG"}),
    "airflow_kerberos_keytab_file": (__file__, {}),
    "airflow_log_dir": ("/srv/log", {}),
    "airflow_log_format": ("json", {}),
    "airflow_ldap_bind_dn": ("cn=a", LDAP),
    "airflow_ldap_bind_password": ("secret", LDAP),
    "airflow_ldap_start_tls": (True, LDAP),
    **dict.fromkeys(
        (f"airflow_ldap_{name}" for name in ("group_attribute", "search_base", "search_filter", "uri")), ("b", LDAP)
    ),
    **dict.fromkeys((f"airflow_ldap_{name}" for name in ("user_attribute", "username_format")), ("b", LDAP)),
    "airflow_login": ("ldap", {}),
    "airflow_login_ca": ("PEM", LDAP),
    "airflow_login_default_role": ("Viewer", LDAP),
    "airflow_login_registration": (False, LDAP),
    "airflow_login_roles": ({"a": ["Op"]}, LDAP),
    "airflow_openid_scopes": (["openid", "groups"], OPENID),
    **dict.fromkeys(
        (f"airflow_openid_{name}" for name in ("client_id", "client_secret", "groups_claim")), ("b", OPENID)
    ),
    **dict.fromkeys((f"airflow_openid_{name}" for name in ("issuer", "name", "user_claim")), ("b", OPENID)),
    "airflow_webserver_config_file": (str(ROLE / "files/build_release.py"), {}),
    "airflow_metastore_ca": ("PEM", EXTERNAL),
    "airflow_metastore_engine": ("mysql", {"airflow_metastore_url": "mysql://a:b@db.example.org:3306/airflow"}),
    "airflow_metastore_owner_url": ("postgresql://o:b@db.example.org:5432/airflow", EXTERNAL),
    "airflow_metastore_url": (EXTERNAL["airflow_metastore_url"], {}),
    "airflow_postgresql_config": ({"work_mem": "8MB"}, {}),
    "airflow_rabbitmq_port": (5673, {"airflow_tls": False}),
    "airflow_redis_port": (6380, REDIS),
    "airflow_remote_logs": ("s3://logs", {}),
    "airflow_remote_logs_connection": ({"login": "a"}, {"airflow_remote_logs": "s3://logs"}),
    "airflow_result_backend_url": ("postgresql://r:b@db.example.org:5432/results", EXTERNAL),
    "airflow_root": ("/srv/releases", {}),
    "airflow_scheduler_mode": ("singleton", {}),
    "airflow_secret_environment": ({"A": "b"}, {}),
    "airflow_secret_files": ({"a": {"value": "b", "components": ["worker"]}}, {}),
    "airflow_sqs_endpoint_url": ("https://sqs.example.org", SQS),
    "airflow_sqs_queues": ({"default": "https://sqs.example.org/1/b"}, SQS),
    "airflow_sqs_region": ("eu-central-1", SQS),
    "airflow_sqs_visibility_timeout_seconds": (43_100, SQS),
    "airflow_system_packages": (["git"], {}),
    "airflow_tuning": ("latency", {}),
    "airflow_unit_options": ({"worker": {"LimitNOFILE": 65536}}, {}),
    "airflow_url": ("https://airflow.example.org", {}),
    "airflow_user": ("svc", {}),
    "airflow_version": ("2.11.2", {}),
    "airflow_vip": ("192.0.2.100/24", {}),
    "airflow_vip_interface": ("eth1", {"airflow_vip": "192.0.2.100/24"}),
    "airflow_vip_router_id": (52, {"airflow_vip": "192.0.2.100/24"}),
    "airflow_metrics_port": (9999, METRICS),
    "airflow_metrics_seconds": (16, METRICS),
    "airflow_no_proxy": ([".example.net"], PROXY),
    "airflow_pgbouncer_port": (6433, {"airflow_pgbouncer": True}),
    "airflow_worker_queues": (["gpu"], {}),
}
# What reads them is no part of a process's settings: the digest of the release, a secret file, or the certificate of
# the web.
ELSEWHERE = {"airflow_extra_packages", "airflow_lock_file", "airflow_web_certificate_file", "airflow_web_key_file"}
ELSEWHERE |= {"airflow_constraints", "airflow_requirements_file", "airflow_wheels_dir"}
# Secrets of external services, which the user gives.
GIVEN = {"airflow_metastore_url", "airflow_metastore_owner_url", "airflow_result_backend_url", "airflow_metastore_ca"}
GIVEN |= {"airflow_broker_url", "airflow_broker_ca"}
GIVEN |= {"airflow_ldap_bind_password", "airflow_login_ca", "airflow_openid_client_secret"}
SECRET_FILES = {
    "airflow_sqs_access_key_id",
    "airflow_sqs_secret_access_key",
    "airflow_failover_email_password",
    "airflow_failover_webhook_url",
    "airflow_alert_email_password",
}
SECRET_FILES |= {name for name in OPTIONS if name.startswith("airflow_failover_email_")}


def changed(name):
    """A value of the variable that is not its default, and the other variables that it needs."""
    if name in CHANGES:
        return CHANGES[name]
    default = OPTIONS[name].get("default")
    if isinstance(default, bool):
        return not default, {}
    if isinstance(default, int):
        return default + 1, {}
    if isinstance(default, list):
        return [2222] if OPTIONS[name]["elements"] == "int" else ["192.0.2.0/24"], {}
    return "2" if OPTIONS[name]["type"] == "str" else "/srv/other", {}


def model(values):
    """The model, by the way that the inventory's values go."""
    members = {group: [host for host, groups in GROUPS.items() if group in groups] for group in services.GROUPS}
    unused = {"redis": "rabbitmq", "sqs": None}.get(str(values["airflow_broker"]), "redis")
    inventory = {f"airflow_{group}": hosts for group, hosts in members.items() if group != unused}
    if values["airflow_broker"] == "sqs" or values["airflow_broker_url"]:
        inventory |= {"airflow_rabbitmq": [], "airflow_redis": []}
    if values["airflow_metastore_url"]:
        inventory |= {"airflow_metastore": [], "airflow_backup": []}
    names = [name for name in GROUPS if any(name in hosts for hosts in inventory.values())]
    connections = {name: Connection(f"192.0.2.{10 + number}", 22, ()) for number, name in enumerate(names)}
    hosts = [ActionModule._host(name, values, connections[name], inventory) for name in names]
    return cluster.build(hosts, Settings.from_variables(values)).to_vars()


def processes(values):
    """By component of Airflow, what its processes are started with."""
    built = model(values)
    (task,) = (task for task in load(ROLE / "tasks/component.yml") if "loop" in task)
    digest, read = (task["flightdeck.airflow.service"][name] for name in ("digest", "restart_on"))
    found = {}
    for component in services.COMPONENTS:
        name = "worker1" if component == "worker" else "master1"
        known = {**variables(values["airflow_version"], name, component), **values, "airflow_cluster": built}
        known["airflow_secrets"] |= {
            name.removeprefix("airflow_"): value for name, value in values.items() if name in GIVEN and value
        }
        known["airflow_secrets"] |= files.values(
            values["airflow_secret_files"],
            {
                **remote_logs.variables(values["airflow_remote_logs"], values["airflow_remote_logs_connection"]),
                **bundles.variables(values["airflow_dag_bundles"]),
                **values["airflow_secret_environment"],
            },
        )
        described = render(f"{{{{ __{component}_component }}}}", known)
        texts = []
        for instance in described["instances"]:
            own = {**known, "airflow_component": described, "__airflow_unit": instance}
            text = render(UNIT_TEMPLATE, own)
            settings = _systemd.process_settings(text, ["BindReadOnlyPaths=/etc/airflow/nothing:"])
            texts.append((settings, render(digest, own), render(read, own)))
        found[component] = texts
    return built, found


def interface(**changes):
    """The variables at their defaults but for ``changes``."""
    values = {}
    for path in sorted((ROLE / "defaults/main").glob("*.yml")):
        values.update(load(path))
    places = dict.fromkeys(("airflow_secrets_file", "airflow_certificates_file", "airflow_ca_file"), "/inventory/file")
    return {**values, **places, "airflow_release_cache": "/cache", **changes}


@functools.cache
def before_the_change(needed):
    """The model and the processes with what a variable needs to be read, as the text of a dictionary."""
    return processes(interface(**ast.literal_eval(needed)))


def test_every_variable_says_what_its_change_does():
    assert set(EFFECTS) == set(OPTIONS)
    assert list(EFFECTS) == sorted(EFFECTS)
    assert {effect for effect in EFFECTS.values() if not effect.endswith(".")} == set(DOCUMENT["effects"])
    assert {name for name in EFFECTS if EFFECTS[name] == "rotate"} <= {f"airflow_{name}" for name in GENERATED}


SHOWN = sorted(
    name
    for name, effect in EFFECTS.items()
    if effect in ("restart", "service", "apply", "run", "build") and name not in SECRET_FILES
)


@pytest.mark.parametrize("name", sorted(set(SHOWN) - ELSEWHERE))
def test_a_change_restarts_what_the_reference_says(name):
    value, needed = changed(name)
    before, was = before_the_change(repr(needed))
    after, now = processes(interface(**{**needed, name: value}))
    restarted = {component for component in was if was[component] != now[component]}
    match EFFECTS[name]:
        case "restart":
            assert restarted
        case "service":
            assert before != after
        case _:
            assert not restarted
