# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of every host, and the Prometheus that collects them."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import reference
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    BACKING_SERVICES,
    COMPONENT,
    ETCD_CLIENT_PORT,
    NODE_EXPORTER_PORT,
    PATRONI_PORT,
    POSTGRESQL_EXPORTER_PORT,
    REDIS_EXPORTER_PORT,
    STATSD_EXPORTER_PORT,
    STATSD_PORT,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import LOOPBACK
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    AlertMail,
    Exporter,
    Metrics,
    Monitoring,
    Node,
    Scraping,
    secret_name,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import bracket

# Who reads statistics of PostgreSQL.
USER = "airflow_metrics"
# Beginnings of the names of Airflow's metrics that are collected: all but those that exist per file, trigger and host.
NAMES = (
    *("scheduler", "dag_processor_heartbeat", "triggerer", "triggers", "executor", "pool", "celery"),
    *("dag_processing.import_errors", "dag_processing.total_parse_time", "dag_processing.file_path_queue_size"),
    *("dag_processing.processor_timeouts", "dagbag_size", "dagrun.duration", "dagrun.schedule_delay"),
    *("ti_failures", "ti_successes", "ti.start", "ti.finish", "ti.queued", "ti.running", "ti.scheduled", "ti.deferred"),
    *("task.duration", "task.queued_duration", "task.scheduled_duration"),
    *("task_instances_without_heartbeats_killed", "zombies_killed"),
)


def unit_regex() -> str:
    """A regular expression, without characters that systemd reads as its own, of the units that metrics are made of."""
    units = {unit.replace("*", "") for component in COMPONENT.values() for unit in component.unit.values()}
    components = sorted(f"{unit}.+" if unit.endswith("@") else unit for unit in units)
    services = sorted(
        {
            unit.removesuffix(".service").replace("*", ".+")
            for service in BACKING_SERVICES
            for unit in service.units
            if unit.endswith(".service")
        }
    )
    return f"({'|'.join([*components, *services, 'flightdeck-.+'])})[.]service"


def exporters(node: Node, settings: Settings) -> tuple[Exporter, ...]:
    """What the host whose share is ``node`` has metrics of."""
    found = [("node", LOOPBACK, NODE_EXPORTER_PORT, "/metrics", False)]
    if node.airflow:
        found.append(("airflow", LOOPBACK, STATSD_EXPORTER_PORT, "/metrics", False))
    if node.metastore:
        found.append(("postgresql", LOOPBACK, POSTGRESQL_EXPORTER_PORT, "/metrics", False))
        if node.metastore.patroni:
            found.append(("patroni", node.address, PATRONI_PORT, "/metrics", settings.tls))
    if node.etcd:
        found.append(("etcd", node.address, ETCD_CLIENT_PORT, "/metrics", settings.tls))
    if node.rabbitmq:
        found.append(("rabbitmq", LOOPBACK, node.rabbitmq.prometheus_port, "/metrics/per-object", False))
    if node.redis:
        found.append(("redis", LOOPBACK, REDIS_EXPORTER_PORT, "/metrics", False))
    if node.haproxy:
        found.append(("haproxy", LOOPBACK, node.haproxy.metrics_port, "/metrics", False))
    return tuple(
        Exporter(name=name, address=address, port=port, path=path, tls=tls) for name, address, port, path, tls in found
    )


def share(node: Node, settings: Settings, *, monitored: bool) -> Metrics | None:
    """The metrics of the host whose share is ``node``; ``monitored`` says whether the cluster has a Prometheus."""
    if not settings.metrics:
        return None
    return Metrics(
        port=settings.ports["airflow_metrics_port"],
        # A Prometheus that is not of the cluster has no certificate by its CA.
        client_certificates=settings.tls and monitored,
        exporters=exporters(node, settings),
        units=unit_regex(),
        statsd_port=STATSD_PORT if node.airflow else None,
        max_backup_age_hours=node.backup.max_age_hours if node.backup else None,
    )


def scraping(nodes: Mapping[str, Node], settings: Settings) -> Scraping | None:
    """What a Prometheus has to collect from the hosts whose shares are ``nodes``."""
    if not settings.metrics:
        return None
    jobs: dict[str, dict[str, str]] = {}
    for name, node in nodes.items():
        for exporter in node.metrics.exporters if node.metrics else ():
            target = f"{bracket(node.address)}:{settings.ports['airflow_metrics_port']}"
            jobs.setdefault(exporter.name, {})[name] = target
    return Scraping(seconds=settings.metrics_seconds, jobs=jobs)


def server(settings: Settings) -> Monitoring:
    """The share of a host with Prometheus."""
    mail = AlertMail(
        to=settings.alert_email_to,
        sender=settings.alert_email_from,
        server=f"{bracket(settings.alert_email_host)}:{settings.alert_email_port}",
        starttls=settings.alert_email_starttls,
        user=settings.alert_email_user,
    )
    return Monitoring(
        port=settings.ports["airflow_monitoring_port"],
        alertmanager_port=settings.ports["airflow_alertmanager_port"],
        user=settings.monitoring_user,
        secret=secret_name("monitoring_password"),
        retention_days=settings.monitoring_retention_days,
        mail=mail if settings.alert_email_to else None,
        webhook=bool(settings.alert_webhook_url),
    )


def config(settings: Settings) -> Config:
    """Options by which Airflow sends its metrics to its own host: each host has its own numbers, so that those of
    several schedulers do not replace each other, and no packet crosses a network."""
    if not settings.metrics:
        return {}
    known = reference(settings.version)
    own = {
        # Otherwise each metric with tags is sent twice, by its former name as well.
        "legacy_names_on": False,
        # Otherwise some durations are in seconds.
        "timer_unit_consistency": True,
    }
    return {
        "metrics": {
            "statsd_on": True,
            "statsd_host": LOOPBACK,
            "statsd_port": STATSD_PORT,
            # Tags in names, which StatsD itself does not have.
            "statsd_influxdb_enabled": True,
            "metrics_allow_list": ",".join(NAMES),
            **{name: value for name, value in own.items() if f"metrics.{name}" in known},
        }
    }
