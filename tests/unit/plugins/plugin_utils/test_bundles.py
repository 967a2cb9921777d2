"""DAG bundles that Airflow starts with, that verify.yml can use, and whose programs are on the hosts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import bundles as model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.cluster import build
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import given_options
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import bundles, packages
from test_cluster import defaults, reference

FOLDER = "/var/lib/airflow/dags/current"
OWN = {"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}}
GIT = {
    "name": "team",
    "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
    "kwargs": {"repo_url": "https://git.example.org/dags.git", "tracking_ref": "main"},
}


def check(value, *packages, parses_dags=True, environment=None):
    config = {"dag_processor": {"dag_bundle_config_list": value}} if value is not None else {}
    options = given_options(config, environment or {}, "3.3.2")
    return bundles.check(options, FOLDER, packages, parses_dags=parses_dags)


@pytest.mark.parametrize(
    ("value", "packages", "codes"),
    [
        (None, [], []),
        ([OWN], [], []),
        ([{**OWN, "kwargs": {"path": None}}], [], []),
        ([{**OWN, "name": "a", "kwargs": {"path": f"{FOLDER}/"}}], [], []),
        (json.dumps([OWN]), [], []),
        ([{**OWN, "kwargs": {"path": "/srv/dags"}}], [], ["FD147"]),
        ([{**OWN, "classpath": "mine.Bundle"}], [], ["FD147"]),
        ([], [], ["FD147"]),
        ([GIT], ["git"], ["FD147"]),
        ([OWN, GIT], ["git"], []),
        ([OWN, GIT], ["libpq5", "git=1:2.39.5-0+deb12u2"], []),
        ([OWN, GIT], ["git-lfs"], ["FD173"]),
        ([GIT], [], ["FD147", "FD173"]),
        # Airflow would not start.
        (["dags-folder"], [], ["FD135"]),
        ([{"name": "a", "classpath": "b"}], [], ["FD135"]),
        ([{**OWN, "kwargs": None}], [], ["FD135"]),
        ([{**OWN, "name": 7}], [], ["FD135"]),
        ([{**OWN, "name": "example_dags"}], [], ["FD135"]),
        ([OWN, OWN], [], ["FD135"]),
        # No list at all is said with the types.
        ("many", [], []),
        ({"name": "a"}, [], []),
    ],
)
def test_bundles(value, packages, codes):
    assert [problem.code for problem in check(value, *packages)] == codes


def test_only_what_parses_dags_needs_git():
    assert check([OWN, GIT], parses_dags=False) == []


def test_the_list_in_the_environment_counts():
    name = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
    (problem,) = check([OWN], environment={name: "[]"})
    assert (problem.code, problem.where) == ("FD147", f"airflow_environment.{name}")


SECRET = "hunter2-hunter2"
HTTPS = {"name": "sales", "kind": "git", "url": "https://git.example.org/sales.git"}
SSH = {
    "name": "Data-Science",
    "kind": "git",
    "url": "git@git.example.org:dags.git",
    "key": f"-----BEGIN KEY-----\n{SECRET}\n-----END KEY-----",
    "known_hosts": "git.example.org ssh-ed25519 AAAA",
}
SHARED = {"name": "shared", "kind": "local", "path": "/srv/dags"}
S3 = {"name": "lake", "kind": "s3", "bucket": "airflow-dags", "connection": {"login": "AKIA", "password": SECRET}}


def entries(*given, **changes):
    """Problems of the variable with these entries."""
    problems = bundles.check_entries(replace(defaults(**changes), dag_bundles=given))
    assert not [problem for problem in problems if SECRET in str(problem)]
    return [problem.code for problem in problems]


def kwargs(entry):
    _, found = model.config([entry])
    return found["kwargs"]


def connection(entry):
    ((name, found),) = model.variables([entry]).items()
    assert found["components"] == ["dag_processor", "worker"]
    return name, json.loads(found["value"])


def test_the_shipped_dags_keep_a_bundle_of_their_own():
    found = model.config([HTTPS, SHARED, S3])
    assert [each["name"] for each in found] == ["dags-folder", "sales", "shared", "lake"]
    assert found[0] == model.config()[0]
    assert check(found, "git") == []


def test_what_airflow_reads_of_each_kind():
    assert kwargs(HTTPS) == {
        "repo_url": HTTPS["url"],
        "tracking_ref": "main",
        "git_conn_id": "flightdeck_bundle_sales",
    }
    assert kwargs(
        {**HTTPS, "ref": "v1", "subdir": "/dags/", "refresh_seconds": 300, "options": {"submodules": True}}
    ) == {
        "repo_url": HTTPS["url"],
        "tracking_ref": "v1",
        "subdir": "dags",
        "git_conn_id": "flightdeck_bundle_sales",
        "refresh_interval": 300,
        "submodules": True,
    }
    assert kwargs(SHARED) == {"path": "/srv/dags", "refresh_interval": 0}
    assert kwargs({**S3, "prefix": "prod/"}) == {
        "bucket_name": "airflow-dags",
        "aws_conn_id": "flightdeck_bundle_lake",
        "prefix": "prod",
        "refresh_interval": 0,
    }


def test_credentials_are_a_connection_of_those_that_read_the_bundle():
    assert connection(HTTPS) == ("AIRFLOW_CONN_FLIGHTDECK_BUNDLE_SALES", {"conn_type": "git"})
    assert connection({**HTTPS, "token": SECRET})[1] == {"conn_type": "git", "login": "git", "password": SECRET}
    name, found = connection(SSH)
    assert name == "AIRFLOW_CONN_FLIGHTDECK_BUNDLE_DATA_SCIENCE"
    assert found["extra"]["private_key"].endswith("-----END KEY-----\n")
    assert found["extra"]["strict_host_key_checking"] == "yes"
    (file,) = model.files([SSH])
    assert found["extra"]["known_hosts_file"] == file.path
    assert connection(S3)[1] == {"conn_type": "aws", "login": "AKIA", "password": SECRET}


def test_a_connection_of_the_users_is_used_by_its_id():
    for entry in ({**HTTPS, "connection": "mine"}, {**S3, "connection": "mine"}):
        assert model.variables([entry]) == {}
        assert model.share([entry], ["worker"]) == ()
        assert "mine" in kwargs(entry).values()


def test_each_server_has_its_own_ca():
    certificate = "-----BEGIN CERTIFICATE-----"
    given = [
        {**HTTPS, "ca": certificate},
        {**HTTPS, "name": "b", "url": "https://b.example.org:8443/x", "ca": certificate},
    ]
    assert entries(*given) == []
    assert model.environment([SSH], {}) == {}
    assert model.environment(given, {"GIT_CONFIG_COUNT": "3"})["GIT_CONFIG_KEY_4"].endswith("sslCAInfo")
    found = model.environment(given, {})
    names = {found[f"GIT_CONFIG_KEY_{number}"]: found[f"GIT_CONFIG_VALUE_{number}"] for number in range(2)}
    assert found["GIT_CONFIG_COUNT"] == "2"
    assert sorted(names) == ["http.https://b.example.org:8443/.sslCAInfo", "http.https://git.example.org/.sslCAInfo"]
    assert set(names.values()) == {file.path for file in model.files(given)}


def test_what_hosts_have_of_it():
    settings = replace(defaults(), dag_bundles=(HTTPS, SHARED, {**SSH, "name": "ssh"}))
    nodes = {name: node.airflow for name, node in build(reference(), settings).nodes.items() if node.airflow}
    variable = "AIRFLOW_CONN_FLIGHTDECK_BUNDLE_SALES"
    for node in nodes.values():
        readers = {unit.label.partition(" ")[0] for unit in node.units} & {"dag_processor", "worker"}
        assert {name for name, names in node.secret_environments.items() if variable in names} == readers
        assert {
            name for name, lines in node.unit_lines.items() if "RequiresMountsFor=/srv/dags" in lines.unit
        } == readers
        assert [bundle.name for bundle in node.dag_bundles] == (["sales", "shared", "ssh"] if readers else [])
        assert ("git" in node.system_packages, "openssh-client" in node.system_packages) == (True, bool(readers))
        assert ("/etc/airflow/dag_bundles" in files.paths(node)) == bool(readers)


def test_other_mounts_of_a_unit_stay():
    given = {"worker": {"RequiresMountsFor": "/srv/a", "LimitNOFILE": 7}}
    found = model.unit_options(given, [SHARED])
    assert found["worker"] == {"RequiresMountsFor": ["/srv/a", "/srv/dags"], "LimitNOFILE": 7}
    assert found["dag_processor"] == {"RequiresMountsFor": ["/srv/dags"]}
    assert model.unit_options(given, [HTTPS]) == given


@pytest.mark.parametrize(
    "entry",
    [
        HTTPS,
        SSH,
        SHARED,
        S3,
        {**HTTPS, "token": SECRET, "user": "deploy", "ref": "release/1", "subdir": "dags"},
        {**HTTPS, "url": "/srv/git/dags.git"},
        {**HTTPS, "connection": "mine"},
        {**HTTPS, "url": SSH["url"], "connection": {"extra": {"private_key": SECRET}}},
        {**S3, "connection": {"extra": {"region_name": "eu-central-1"}}},
    ],
)
def test_what_can_be_is_accepted(entry):
    assert entries(entry) == []


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"name": "a"},
        {**HTTPS, "kind": "gti"},
        {**HTTPS, "name": "a b"},
        {**HTTPS, "name": "dags-folder"},
        {**HTTPS, "name": "Dags_Folder"},
        {**HTTPS, "name": "example_dags"},
        {**HTTPS, "branch": "main"},
        {"name": "a", "kind": "git"},
        {**HTTPS, "url": f"https://user:{SECRET}@git.example.org/x"},
        {**HTTPS, "url": "ftp://git.example.org/x"},
        {**HTTPS, "ref": "a..b"},
        {**HTTPS, "ref": 1.5},
        {**HTTPS, "subdir": "../x"},
        {**HTTPS, "token": SECRET, "connection": "mine"},
        {**HTTPS, "url": "http://git.example.org/x", "token": SECRET},
        {**HTTPS, "key": SECRET},
        {**HTTPS, "ca": "/etc/ssl/ca.crt"},
        {**HTTPS, "refresh_seconds": -1},
        {**HTTPS, "options": []},
        {**HTTPS, "connection": 5},
        {**HTTPS, "connection": {"passwort": SECRET}},
        {key: SSH[key] for key in SSH if key != "known_hosts"},
        {key: SSH[key] for key in SSH if key != "key"},
        {**SHARED, "path": "dags"},
        {**SHARED, "path": "/home/jane/dags"},
        {**SHARED, "path": "/srv/a b"},
        {key: SHARED[key] for key in SHARED if key != "path"},
        {**S3, "bucket": "s3://airflow-dags"},
        {**S3, "prefix": "a/../b"},
        {key: S3[key] for key in S3 if key != "connection"},
    ],
)
def test_what_cannot_be_is_refused(entry):
    assert set(entries(entry)) == {"FD277"}


def test_names_are_those_of_connections_too():
    assert entries(HTTPS, HTTPS) == ["FD277"]
    assert entries({**HTTPS, "name": "a-b"}, {**SHARED, "name": "A_b"}) == ["FD277"]


def test_a_second_place_and_airflow_2_are_refused():
    assert entries(HTTPS, airflow_version="2.11.2") == ["FD278"]
    assert entries(HTTPS, airflow_config={"dag_processor": {"dag_bundle_config_list": [OWN]}}) == ["FD278"]
    assert entries(airflow_version="2.11.2") == []


def test_the_provider_has_to_be_in_the_release():
    (problem,) = packages.check(bundles.given(replace(defaults(), dag_bundles=(SHARED, S3))), ())
    assert (problem.code, problem.where) == ("FD173", "airflow_dag_bundles")
    assert "apache-airflow-providers-amazon" in problem.remedy
    assert bundles.given(defaults()) == []


def test_the_example_of_the_page_is_what_the_scenario_deploys():
    root = Path(__file__).parents[4]
    texts = re.findall(r"^```yaml\n(.*?)^```$", (root / "docs/dags.md").read_text(), re.MULTILINE | re.DOTALL)
    (example,) = (text for text in map(yaml.safe_load, texts) if "airflow_dag_bundles" in text)
    example = example["airflow_dag_bundles"]
    variables = (root / "molecule/custom/inventory/group_vars/all/bundles.yml").read_text()
    deployed = yaml.safe_load(variables)["airflow_dag_bundles"]
    assert [list(entry) for entry in example] == [list(entry) for entry in deployed]
    certificate = "-----BEGIN CERTIFICATE-----"
    assert entries(*({**entry, **({"ca": certificate} if "ca" in entry else {})} for entry in example)) == []
