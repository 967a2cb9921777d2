# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What options of airflow.cfg may be beyond their type, which packages they need, and which ones cannot work here.

Names are ``section.option``; one that a version of Airflow does not have concerns no cluster of that version.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_LEVELS = ("CRITICAL", "FATAL", "ERROR", "WARN", "WARNING", "INFO", "DEBUG")
_START_METHODS = ("fork", "forkserver", "spawn")
_SORT_MODES = ("modified_time", "random_seeded_by_host", "alphabetical")
_SAME_SITE = ("Lax", "Strict", "None", "")
_SESSION_BACKENDS = ("database", "securecookie")
_GRID_ORDERS = ("topological", "hierarchical_alphabetical")

# All values of an option, in the only case that Airflow takes.
ENUMERATIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "api.grid_view_sorting_order": _GRID_ORDERS,
        "api.server_type": ("uvicorn", "gunicorn"),
        "celery.mp_start_method": _START_METHODS,
        "celery.pool": ("prefork", "eventlet", "gevent", "solo", "threads"),
        "core.dag_ignore_file_syntax": ("regexp", "glob"),
        "core.default_task_weight_rule": ("absolute", "downstream", "upstream"),
        "core.mp_start_method": _START_METHODS,
        "core.security": ("", "kerberos"),
        "dag_processor.dag_version_inflation_check_level": ("off", "warning", "error"),
        "dag_processor.file_parsing_sort_mode": _SORT_MODES,
        "fab.cookie_samesite": _SAME_SITE,
        "fab.session_backend": _SESSION_BACKENDS,
        "logging.celery_logging_level": (*_LEVELS, ""),
        "logging.dag_processor_log_target": ("file", "stdout"),
        "logging.fab_logging_level": _LEVELS,
        "logging.gunicorn_logging_level": _LEVELS,
        "logging.logging_level": _LEVELS,
        "logging.uvicorn_logging_level": _LEVELS,
        "scheduler.file_parsing_sort_mode": _SORT_MODES,
        "standard.venv_install_method": ("auto", "pip", "uv"),
        "webserver.analytics_tool": ("google_analytics", "metarouter", "segment", "matomo", ""),
        "webserver.caching_hash_method": ("md5", "sha1", "sha224", "sha256", "sha384", "sha512"),
        "webserver.cookie_samesite": _SAME_SITE,
        "webserver.dag_default_view": ("grid", "graph", "duration", "gantt", "landing_times"),
        "webserver.dag_orientation": ("LR", "TB", "RL", "BT"),
        "webserver.grid_view_sorting_order": _GRID_ORDERS,
        "webserver.session_backend": _SESSION_BACKENDS,
    }
)
# The same, in any case.
ENUMERATIONS_OF_ANY_CASE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "api.expose_config": ("true", "false", "t", "f", "1", "0", "non-sensitive-only"),
        "core.test_connection": ("disabled", "enabled", "hidden"),
        "webserver.expose_config": ("true", "false", "t", "f", "1", "0", "non-sensitive-only"),
    }
)
# Pairs logger=LEVEL with commas or spaces between them.
LEVELS_BY_LOGGER = ("logging.namespace_levels",)
LEVELS = _LEVELS
# Names of the tz database.
TIME_ZONES = ("core.default_timezone", "webserver.default_ui_timezone")
# Octal numbers. As a number, YAML reads 0664 as 436.
FILE_MODES = (
    "core.daemon_umask",
    "logging.file_task_handler_new_file_permissions",
    "logging.file_task_handler_new_folder_permissions",
)
# What no value but an empty one can do, and why.
UNUSABLE: Mapping[str, str] = MappingProxyType(
    {
        "core.default_impersonation": (
            "Workers have NoNewPrivileges, so sudo fails and every task with it. Run such tasks over SSH, for example."
        ),
        "core.internal_api_url": "The collection deploys no internal API: its components use the metastore.",
        "database.sql_alchemy_schema": "The accounts have rights in the schema public only: leave it out.",
    }
)
# Sections that nothing reads, because the executor is Celery's.
WITHOUT_EFFECT = ("celery_kubernetes_executor", "kubernetes_executor", "local_kubernetes_executor")
# Switches, and the package that each needs when it is on.
SWITCHES: Mapping[str, str] = MappingProxyType(
    {
        "metrics.otel_on": "opentelemetry-exporter-otlp",
        "metrics.statsd_datadog_enabled": "datadog",
        "metrics.statsd_on": "statsd",
        "sentry.sentry_on": "sentry-sdk",
        "traces.otel_on": "opentelemetry-exporter-otlp",
    }
)
# Values that need a package.
VALUES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("api.server_type", "gunicorn"): "gunicorn",
        ("celery.pool", "eventlet"): "eventlet",
        ("celery.pool", "gevent"): "gevent",
        ("webserver.worker_class", "eventlet"): "eventlet",
        ("webserver.worker_class", "gevent"): "gevent",
        ("webserver.worker_class", "tornado"): "tornado",
    }
)
# Options that need a package whatever their value is, unless that is empty.
OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "elasticsearch.host": "apache-airflow-providers-elasticsearch",
        "opensearch.host": "apache-airflow-providers-opensearch",
    }
)
# Beginnings of [logging] remote_base_log_folder, with the package that handles them.
REMOTE_LOGS: Mapping[str, str] = MappingProxyType(
    {
        "cloudwatch://": "apache-airflow-providers-amazon",
        "gs://": "apache-airflow-providers-google",
        "hdfs://": "apache-airflow-providers-apache-hdfs",
        "oss://": "apache-airflow-providers-alibaba",
        "s3://": "apache-airflow-providers-amazon",
        "stackdriver://": "apache-airflow-providers-google",
        "wasb": "apache-airflow-providers-microsoft-azure",
    }
)
# First parts of providers' names that a second one follows.
NAMESPACES = frozenset({"apache", "atlassian", "cncf", "common", "dbt", "microsoft"})
