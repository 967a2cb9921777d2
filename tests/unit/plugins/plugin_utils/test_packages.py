"""Options that need a package of the release, and options without effect."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import given_options
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import controller, effects, packages

LOCKS = Path(__file__).parents[4] / "roles/airflow/files/locks"
NEW = "3.3.2"


def check(config, *extra, environment=None, version=NEW):
    options = given_options(config, environment or {}, version)
    return packages.check(options, packages.installed(controller.locks("", LOCKS, version), extra))


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_the_locks_of_the_collection_hold_airflow(version):
    found = packages.installed(controller.locks("", LOCKS, version), ["My_Package[x]>=1", "a @ git+https://x/a.git"])
    assert {"apache-airflow", "apache-airflow-providers-celery", "my-package", "a"} <= found


@pytest.mark.parametrize(
    ("config", "package"),
    [
        ({"metrics": {"statsd_on": True}}, None),
        ({"metrics": {"statsd_on": "false", "statsd_datadog_enabled": False}}, None),
        ({"metrics": {"statsd_datadog_enabled": "True"}}, "datadog"),
        ({"traces": {"otel_on": True}}, None),
        ({"sentry": {"sentry_on": "t"}}, "sentry-sdk"),
        ({"api": {"server_type": "gunicorn"}}, None),
        ({"celery": {"pool": "gevent"}}, "gevent"),
        ({"elasticsearch": {"host": "http://es:9200"}}, "apache-airflow-providers-elasticsearch"),
        (
            {"secrets": {"backend": "airflow.providers.hashicorp.secrets.vault.VaultBackend"}},
            "apache-airflow-providers-hashicorp",
        ),
        (
            {"core": {"xcom_backend": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"}},
            None,
        ),
        (
            {"email": {"email_backend": "airflow.providers.microsoft.azure.x"}},
            "apache-airflow-providers-microsoft-azure",
        ),
        (
            {
                "dag_processor": {
                    "dag_bundle_config_list": [{"classpath": "airflow.providers.git.bundles.git.GitDagBundle"}]
                }
            },
            None,
        ),
        (
            {
                "dag_processor": {
                    "dag_bundle_config_list": '[{"classpath": "airflow.providers.amazon.aws.bundles.s3.S3"}]'
                }
            },
            "apache-airflow-providers-amazon",
        ),
        ({"secrets": {"backend": "my_company.secrets.Backend"}}, None),
        (
            {"logging": {"remote_logging": True, "remote_base_log_folder": "s3://logs/x"}},
            "apache-airflow-providers-amazon",
        ),
        (
            {"logging": {"remote_logging": "True", "remote_base_log_folder": "gs://logs"}},
            "apache-airflow-providers-google",
        ),
        (
            {"logging": {"remote_logging": True, "remote_base_log_folder": "wasb-logs"}},
            "apache-airflow-providers-microsoft-azure",
        ),
        ({"logging": {"remote_logging": False, "remote_base_log_folder": "s3://logs/x"}}, None),
    ],
)
def test_an_option_that_needs_a_package_names_it(config, package):
    found = check(config)
    assert [(problem.code, problem.expected) for problem in found] == (
        [("FD173", f"{package} in the release")] if package else []
    )
    if package:
        assert check(config, f"{package}==1.0") == []


@pytest.mark.parametrize("folder", ["ftp://logs", "/srv/logs", "", None])
def test_remote_logs_go_to_a_place_that_airflow_knows(folder):
    (problem,) = check({"logging": {"remote_logging": True, "remote_base_log_folder": folder}})
    assert (problem.code, "s3://" in problem.expected) == ("FD135", True)


def test_options_of_the_environment_count():
    environment = {"AIRFLOW__SENTRY__SENTRY_ON": "True", "AIRFLOW__METRICS__STATSD_DATADOG_ENABLED": "False"}
    (problem,) = check({"metrics": {"statsd_datadog_enabled": True}}, environment=environment)
    assert (problem.where, problem.expected) == (
        "airflow_environment.AIRFLOW__SENTRY__SENTRY_ON",
        "sentry-sdk in the release",
    )


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"kubernetes_executor": {"namespace": "a", "pod_template_file": "b"}}, "airflow_config.kubernetes_executor"),
        ({"logging": {"delete_local_logs": True}}, "airflow_config.logging.delete_local_logs"),
        ({"logging": {"delete_local_logs": True, "remote_logging": True}}, None),
        ({"core": {"security": "kerberos"}}, "airflow_config.core.security"),
        ({"core": {"parallelism": 4}}, None),
    ],
)
def test_options_without_effect_are_warnings(config, where):
    problems = effects.check_options(given_options(config, {}, NEW))
    assert [(problem.code, problem.where) for problem in problems] == ([("FD148", where)] if where else [])
