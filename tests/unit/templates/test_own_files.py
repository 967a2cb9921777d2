"""What the roles record of the user's files, until leftovers are removed and after."""

from __future__ import annotations

from ansible_collections.flightdeck.airflow.plugins.module_utils import _host
from test_golden import ROLE, load, render, variables

RECORD = "/etc/airflow/own_files.json"
SECRETS = {"token": "hunter2"}


def task(file, *present, secrets, former=()):
    """Arguments of the first task in ``file``, on a worker that has paths of the user's from ``former`` runs."""
    values = variables("3.3.2", "worker1", airflow_secret_files=secrets)
    values["airflow_secrets"] |= {f"file:{name}": value for name, value in secrets.items()}
    values["ansible_facts"] = {
        "flightdeck_files": list(present),
        "flightdeck_own_files": list(former),
        **values["ansible_facts"],
    }
    (first, *_others) = load(ROLE / f"tasks/{file}.yml")
    known = {**values, **first.get("vars", {})}
    return {name: render(text, known) for name, text in first["flightdeck.airflow.config_files"].items()}


def recorded(found, tmp_path):
    """The paths that the host tells in the next run."""
    contents = [file["content"] for file in found["files"] if file["path"] == RECORD]
    for content in contents:
        (tmp_path / "record").write_text(content)
        return _host.own_files(str(tmp_path / "record"))
    return None


def test_the_record_names_what_was_written(tmp_path):
    found = task("config", secrets=SECRETS)
    assert recorded(found, tmp_path) == ["/etc/airflow/secrets/token"]
    assert any(file["path"] == "/etc/airflow/secrets/token" and file["secret"] for file in found["files"])


def test_it_names_what_is_left_until_that_is_removed(tmp_path):
    former = ["/etc/airflow/code", "/etc/airflow/files/a"]
    both = recorded(task("config", secrets=SECRETS, former=former), tmp_path)
    assert both == [*former, "/etc/airflow/secrets/token"]
    found = task("remove_leftovers", secrets=SECRETS, former=both)
    assert found["absent"] == ["/etc/airflow/files/a"]
    assert recorded(found, tmp_path) == ["/etc/airflow/secrets/token"]


def test_it_goes_with_the_last(tmp_path):
    former = ["/etc/airflow/secrets/token"]
    assert recorded(task("config", secrets={}, former=former), tmp_path) == former
    found = task("remove_leftovers", secrets={}, former=former)
    assert found == {"absent": [*former, RECORD], "files": []}
    assert recorded(task("config", secrets={}), tmp_path) is None
