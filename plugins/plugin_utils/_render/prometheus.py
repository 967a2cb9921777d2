# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gate of a host passes on, and the configuration of Prometheus and Alertmanager."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Exporter, Monitoring, Scraping

# Job of Airflow's metrics, which come by way of StatsD.
_AIRFLOW = "airflow"
# What StatsD's three types become.
_KINDS = {
    "collectd_statsd_derive_total": "airflow_events_total",
    "collectd_statsd_gauge": "airflow_gauge",
    "collectd_statsd_latency": "airflow_seconds",
}
_STATISTICS = "average|count|lower|sum|upper|percentile-95"
# Tags of Airflow's metrics that become labels.
_TAGS = ("dag_id", "task_id", "state", "pool_name", "queue", "run_type")


def modules(exporters: Iterable[Exporter], tls_dir: str) -> dict[str, object]:
    """What the gate passes on; the host's certificate is in ``tls_dir``.

    A service that is asked with TLS is on this host, so its name need not be verified.
    """
    found: dict[str, object] = {}
    for each in exporters:
        http: dict[str, object] = {"address": each.address, "port": each.port, "path": each.path}
        if each.tls:
            http |= {
                "scheme": "https",
                "tls_insecure_skip_verify": True,
                "tls_cert_file": f"{tls_dir}/server.crt",
                "tls_key_file": f"{tls_dir}/server.key",
            }
        found[each.name] = {"method": "http", "http": http}
    return found


def _airflow_relabeling() -> list[dict[str, object]]:
    """From what collectd makes of a metric of Airflow's, such as ``airflow.ti.finish,dag_id=a,state=failed``, to
    ``airflow_events_total{metric="ti.finish",dag_id="a",state="failed"}``."""
    rules: list[dict[str, object]] = []
    # A duration has its statistic behind the last tag.
    timed = f"(?:collectd_statsd_latency|collectd_statsd_gauge);(.*)-({_STATISTICS})"
    for target, group in (("statistic", "$2"), ("statsd", "$1")):
        rules.append(
            {"source_labels": ["__name__", "statsd"], "regex": timed, "target_label": target, "replacement": group}
        )
    rules += [
        {"source_labels": ["statsd"], "regex": f"[^,]*,(?:.*,)?{tag}=([^,]*)(?:,.*)?", "target_label": tag}
        for tag in _TAGS
    ]
    rules.append({"source_labels": ["statsd"], "regex": r"airflow\.([^,]*)(?:,.*)?", "target_label": "metric"})
    rules += [
        {"source_labels": ["__name__"], "regex": name, "target_label": "__name__", "replacement": ours}
        for name, ours in _KINDS.items()
    ]
    return [*rules, {"regex": "statsd|exported_instance", "action": "labeldrop"}]


def _tls(directory: str, *, client: bool) -> dict[str, object]:
    own = {"cert_file": f"{directory}/server.crt", "key_file": f"{directory}/server.key"} if client else {}
    return {"scheme": "https", "tls_config": {"ca_file": f"{directory}/ca.crt", **own}}


def scrape_configs(scraping: Scraping, tls_dir: str = "", *, client: bool = False) -> list[dict[str, object]]:
    """What to collect from the hosts: with TLS the CA certificate is in ``tls_dir``, and with ``client`` a certificate,
    too."""
    found: list[dict[str, object]] = []
    for job, targets in scraping.jobs.items():
        entry: dict[str, object] = {
            "job_name": job,
            "metrics_path": "/proxy",
            "params": {"module": [job]},
            **(_tls(tls_dir, client=client) if tls_dir else {}),
            "static_configs": [{"targets": [target], "labels": {"instance": host}} for host, target in targets.items()],
        }
        if job == _AIRFLOW:
            entry["metric_relabel_configs"] = _airflow_relabeling()
        found.append(entry)
    return found


def prometheus_config(
    cluster: Mapping[str, Any], host: str, address: str, tls_dir: str, password_file: str
) -> dict[str, object]:
    """Prometheus's configuration on ``host`` of the ``cluster`` model, which is reached by ``address``.

    ``tls_dir`` has certificates, empty without TLS; ``password_file`` the password of its own account.
    """
    scraping = Scraping.from_vars(cluster["scraping"])
    own = Monitoring.from_vars(cluster["nodes"][host]["monitoring"])
    login: dict[str, object] = {"basic_auth": {"username": own.user, "password_file": password_file}}
    if tls_dir:
        login |= _tls(tls_dir, client=False)
    ports = {"prometheus": own.port, "alertmanager": own.alertmanager_port}
    itself = [
        {
            "job_name": job,
            **login,
            "static_configs": [{"targets": [f"{address}:{port}"], "labels": {"instance": host}}],
        }
        for job, port in ports.items()
    ]
    return {
        "global": {
            "scrape_interval": f"{scraping.seconds}s",
            "scrape_timeout": f"{min(scraping.seconds, 10)}s",
            "evaluation_interval": f"{scraping.seconds}s",
            "external_labels": {"cluster": cluster["name"]},
        },
        "rule_files": ["/etc/prometheus/airflow.rules.yml"],
        "alerting": {
            "alertmanagers": [{**login, "static_configs": [{"targets": [f"{address}:{own.alertmanager_port}"]}]}]
        },
        "scrape_configs": [*scrape_configs(scraping, tls_dir, client=bool(tls_dir)), *itself],
    }


def alertmanager_config(monitoring: Monitoring, webhook: str, email_password: str) -> dict[str, object]:
    """Alertmanager's configuration; ``webhook`` is the URL that gets alerts, where there is one, and ``email_password``
    that of the account on the mail server."""
    receiver: dict[str, object] = {"name": "operators"}
    if monitoring.mail:
        mail = monitoring.mail
        account = {"auth_username": mail.user, "auth_password": email_password} if mail.user else {}
        receiver["email_configs"] = [
            {
                **account,
                "to": ", ".join(mail.to),
                "from": mail.sender,
                "smarthost": mail.server,
                "require_tls": mail.starttls,
                "send_resolved": True,
            }
        ]
    if monitoring.webhook:
        receiver["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
    return {
        "route": {
            "receiver": "operators",
            "group_by": ["alertname", "cluster"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "12h",
        },
        # A host that is down takes its services with it.
        "inhibit_rules": [
            {
                "source_matchers": ["alertname = HostDown"],
                "target_matchers": ["alertname != HostDown"],
                "equal": ["instance", "cluster"],
            }
        ],
        "receivers": [receiver],
    }
