"""Logs of tasks in an object store."""

from __future__ import annotations

import json

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import remote_logs
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import packages
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import remote_logs as validation

SECRET = "wJalrXUtnFEMI"
S3 = {"login": "AKIA", "password": SECRET, "extra": {"region_name": "eu-central-1"}}


def codes(url="s3://logs/airflow", connection=S3, options=None):
    problems = validation.check(url, connection, options or {})
    assert not [problem for problem in problems if SECRET in str(problem)]
    return [problem.code for problem in problems]


@pytest.mark.parametrize(
    ("url", "folder", "container"),
    [
        ("s3://logs", "s3://logs", None),
        ("s3://logs/a/b/", "s3://logs/a/b", None),
        ("gs://logs/a", "gs://logs/a", None),
        ("wasb://logs/a/b", "wasb://a/b", "logs"),
    ],
)
def test_options(url, folder, container):
    found = remote_logs.config(url)
    assert found["logging"] == {
        "remote_logging": True,
        "remote_base_log_folder": folder,
        "remote_log_conn_id": "flightdeck_logs",
    }
    azure = {"remote_wasb_log_container": container} if container else None
    assert found.get("azure_remote_logging") == azure
    assert codes(url) == []


def test_without_a_url_there_is_nothing():
    assert (remote_logs.config(""), remote_logs.variables("", S3)) == ({}, {})
    assert codes("", {}) == []


def test_the_connection_is_that_of_the_scheme_for_those_that_write_or_read_logs():
    ((name, entry),) = remote_logs.variables("s3://logs", S3).items()
    assert name == "AIRFLOW_CONN_FLIGHTDECK_LOGS"
    assert json.loads(entry["value"]) == {"conn_type": "aws", **S3}
    assert entry["components"] == ["webserver", "triggerer", "worker"]


@pytest.mark.parametrize(
    "url", ["ftp://logs", "logs", "s3://", "s3://a:b@logs/x", "s3://logs?x=1", "S3://logs", "s3://a b"]
)
def test_another_url_is_refused(url):
    assert codes(url) == ["FD291"]


@pytest.mark.parametrize(
    ("connection", "options", "expected"),
    [
        ({}, {}, ["FD292"]),
        ({}, {"logging": {"remote_log_conn_id": "mine"}}, []),
        ({"extra": {"region_name": "eu-central-1"}}, {}, []),
        ({"passwort": SECRET}, {}, ["FD293"]),
        ({"password": 5}, {}, ["FD293"]),
        ({"extra": SECRET}, {}, ["FD293"]),
        (S3, {"logging": {"remote_logging": True, "remote_base_log_folder": "s3://b"}}, ["FD294", "FD294"]),
    ],
)
def test_connections(connection, options, expected):
    assert codes(connection=connection, options=options) == expected


@pytest.mark.parametrize(
    ("url", "provider"), [("s3://a1", "amazon"), ("gs://a1", "google"), ("wasb://a1", "microsoft-azure")]
)
def test_the_provider_has_to_be_in_the_release(url, provider):
    name = f"apache-airflow-providers-{provider}"
    (problem,) = packages.check(validation.given(url), ())
    assert (problem.code, problem.where) == ("FD173", "airflow_remote_logs")
    assert name in problem.remedy
    assert packages.check(validation.given(url), [name]) == []
