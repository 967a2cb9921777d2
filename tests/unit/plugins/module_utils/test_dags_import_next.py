"""The settings of a process that imports DAGs with a release which is not active."""

from __future__ import annotations

from ansible_collections.flightdeck.airflow.plugins.module_utils._dags_import import staged

UNIT = [
    "User=airflow",
    "EnvironmentFile=/etc/airflow/environment",
    "EnvironmentFile=/etc/airflow/environment.d/dag_processor",
    "TemporaryFileSystem=/etc/airflow/secrets:ro",
    "BindReadOnlyPaths=/etc/airflow/secrets/fernet_key",
    "BindReadOnlyPaths=/etc/airflow/nothing:/etc/airflow/secrets/broker_url",
    "BindReadOnlyPaths=/srv/own:/etc/own",
]


def test_it_sees_the_next_configuration_and_its_own_secrets_of_it():
    mounts = ["/s/secrets/jwt_secret", "/etc/airflow/nothing:/s/secrets/fernet_key"]
    assert staged(UNIT, "/s", mounts, ["airflow.cfg"]) == [
        "User=airflow",
        "EnvironmentFile=/s/environment",
        "EnvironmentFile=/etc/airflow/environment.d/dag_processor",
        "TemporaryFileSystem=/etc/airflow/secrets:ro",
        "BindReadOnlyPaths=/srv/own:/etc/own",
        "BindReadOnlyPaths=/s/secrets/jwt_secret:/etc/airflow/secrets/jwt_secret",
        "BindReadOnlyPaths=/etc/airflow/nothing:/etc/airflow/secrets/fernet_key",
        "BindReadOnlyPaths=/s/airflow.cfg:/etc/airflow/airflow.cfg",
    ]
