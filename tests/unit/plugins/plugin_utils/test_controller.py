"""What the validation reads on the controller."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS, OPTIONAL
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import controller

ROOT = Path(__file__).parents[4]


def test_the_needed_collections_are_the_declared_ones():
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"] == controller.COLLECTIONS


@pytest.mark.parametrize(
    ("version", "good"), [("2.19.0", True), ("2.20.1rc1", True), ("2.18.9", False), ("2.9.27", False)]
)
def test_an_old_ansible_is_refused(version, good):
    assert [problem.code for problem in controller.check_ansible(version, ">=2.19.0")] == ([] if good else ["FD124"])


@pytest.mark.parametrize(
    ("name", "wanted", "found"),
    [
        ("unknown.nothing", ">=1", "nothing installed"),
        ("community.postgresql", ">=99", "."),
        ("community.postgresql", "<3", "."),
    ],
)
def test_a_collection_that_is_missing_or_of_another_version_is_named(monkeypatch, name, wanted, found):
    monkeypatch.setattr(controller, "COLLECTIONS", {name: wanted})
    (problem,) = controller.check_ansible("2.19.0", ">=2.19.0")
    assert (problem.where, problem.expected) == (f"collection {name}", wanted)
    assert found in problem.found
    assert f"{name}:{wanted}" in problem.remedy


@pytest.mark.parametrize(
    ("wanted", "identities", "good"),
    [
        ("prod", ["dev", "prod"], True),
        ("prod", ["dev"], False),
        ("prod", [], True),
        (None, ["dev"], True),
        ("", [], True),
    ],
)
def test_secrets_are_encrypted_for_an_identity_with_a_password(wanted, identities, good):
    problems = controller.check_vault(wanted, identities)
    assert [problem.code for problem in problems] == ([] if good else ["FD125"])
    assert all("dev" in problem.expected for problem in problems)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("apache-airflow==3.3.2 \\\n    --hash=sha256:0\n", None),
        ("apache-airflow-core==3.3.2 --hash=sha256:0\n", None),
        ("apache-airflow==3.3.2\n", "without hashes"),
        ("apache-airflow==3.1.8 --hash=sha256:0\n", "Airflow 3.1.8"),
        ("celery==5.6 --hash=sha256:0\n", "no apache-airflow"),
        (None, "No such file"),
    ],
)
def test_a_lock_of_the_user_holds_the_right_airflow_and_hashes(tmp_path, text, says):
    lock = tmp_path / "lock.txt"
    if text is not None:
        lock.write_text(text)
    problems = controller.check_files("h1", str(lock), "3.3.2")
    assert [problem.code for problem in problems] == (["FD127"] if says else [])
    assert all(says in problem.found for problem in problems)
    assert controller.check_files("h1", "", "3.3.2") == []


def test_the_collections_own_locks_pass():
    for lock in (ROOT / "roles/airflow/files/locks").glob("airflow-*-py*.txt"):
        assert controller.check_files("h1", str(lock), lock.name.split("-")[1]) == []


def test_places_on_the_controller(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert controller.check_places("", str(tmp_path / "new")) == []
    found = controller.check_places(str(file), str(file))
    assert [problem.code for problem in found] == ["FD111", "FD127"]


@pytest.mark.parametrize(
    ("path", "due", "codes"),
    [
        ("inventory/.airflow_secrets.yml", True, []),
        ("inventory/new/deep/.airflow_secrets.yml", True, []),
        ("inventory", True, ["FD127"]),
        ("file/.airflow_secrets.yml", True, ["FD194"]),
        ("file/.airflow_secrets.yml", False, []),
    ],
)
def test_a_file_that_has_to_be_written_can_be(tmp_path, path, due, codes):
    (tmp_path / "inventory").mkdir()
    (tmp_path / "file").touch()
    problems = controller.check_file("airflow_secrets_file", tmp_path / path, due)
    assert [problem.code for problem in problems] == codes
    assert all("airflow_secrets_file" in problem.where for problem in problems)


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("/inv/group_vars/all/airflow_secrets.yml", False),
        ("/inv/group_vars/all/.airflow_secrets.yml", False),
        ("/inv/host_vars/airflow_secrets.yml", False),
        ("/inv/.airflow_secrets.yml", True),
        ("/group_vars/of/another/kind/.airflow_secrets.yml", True),
    ],
)
def test_a_file_of_the_collection_is_not_among_variables(path, good):
    assert bool(controller.check_variables_directory("airflow_secrets_file", Path(path))) != good


NEEDED = [name for name in COMPONENTS if name not in OPTIONAL]
WHOLE = yaml.safe_dump({"all": {"children": {f"airflow_{name}": {"hosts": {"h": None}} for name in NEEDED}}})
WHOLE_INI = "\n".join(f"[airflow_{name}]\nh\n" for name in NEEDED)


@pytest.fixture
def inventories(tmp_path):
    """Writes files, and returns what the validation finds in them for some of them as sources."""

    def look(files, *sources, own="prod/.airflow_secrets.yml"):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return controller.check_inventories([str(tmp_path / source) for source in sources], str(tmp_path / own))

    return look


def test_secrets_in_clear_are_found_in_the_files_that_ansible_reads(inventories):
    files = {
        "prod/hosts.yml": "airflow_cluster_name: prod",
        "prod/group_vars/all/airflow.yml": "airflow_admin_password: x",
        "prod/.airflow_secrets.yml": "airflow_fernet_key: x",
        "prod/group_vars/all/.airflow.yml.swp": "airflow_jwt_secret: x",
        "prod/group_vars/all/notes.md": "airflow_jwt_secret: x",
        "prod/host_vars/w1.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162",
        "staging/hosts": "[airflow_worker]\nw2 airflow_broker_password=x",
        "staging/.airflow_secrets.yml": "airflow_fernet_key: x",
    }
    warning, clusters = inventories(files, "prod", "w3,")
    assert "airflow_admin_password in" in warning
    assert "jwt" not in warning
    assert "fernet" not in warning
    assert list(clusters.values()) == ["prod"]
    warning, clusters = inventories(files, "prod/hosts.yml", "staging")
    assert "airflow_broker_password" in warning
    assert len(set(clusters.values())) == 2


@pytest.mark.parametrize(
    ("files", "sources", "count"),
    [
        ({"a.yml": WHOLE, "b.yml": WHOLE}, ("a.yml",), 1),
        ({"a.yml": WHOLE, "b.yml": WHOLE}, ("a.yml", "b.yml"), 2),
        ({"a/hosts.yml": WHOLE, "b/hosts": WHOLE_INI}, ("a", "b"), 2),
        ({"a/prod.yml": WHOLE, "a/staging.yml": WHOLE}, ("a",), 2),
        # One cluster in several files: its groups without hosts, one with further workers, variables, and one name for
        # both sites.
        ({"a/groups.yml": WHOLE.replace("h: null", "").replace("hosts:", "vars:"), "a/hosts.yml": WHOLE}, ("a",), 1),
        ({"a.yml": WHOLE, "b.yml": "all: {children: {airflow_worker: {hosts: {w9: }}}}"}, ("a.yml", "b.yml"), 1),
        ({"a/x.yml": WHOLE, "a/y.yml": WHOLE, "a/group_vars/all.yml": "airflow_cluster_name: one"}, ("a",), 1),
        ({"a/hosts.yml": WHOLE + "# !vault\nx: !vault |\n  $ANSIBLE\n"}, ("a",), 1),
    ],
)
def test_every_whole_cluster_of_a_run_is_counted(inventories, files, sources, count):
    assert len(set(inventories(files, *sources)[1].values())) == count


def test_the_users_certificate_is_checked_before_anything_happens(tmp_path):
    now = datetime.datetime.now(datetime.UTC)
    ca = certificates.make_ca("x", now)
    pair = certificates.issue(ca, "lb1", ["lb1"], now, days=1)
    certificate, key, other = (tmp_path / name for name in ("web.crt", "web.key", "other.key"))
    certificate.write_text(pair["certificate"])
    key.write_text(pair["key"])
    other.write_text(ca["key"])
    assert controller.check_web_certificate("", "", "lb1", now) == []
    for host in ("lb1", "LB1.", ""):
        assert controller.check_web_certificate(str(certificate), str(key), host, now) == []
    for files, where in (
        ((str(certificate), ""), "airflow_web_key_file"),
        (("", str(key)), "airflow_web_certificate_file"),
    ):
        (problem,) = controller.check_web_certificate(*files, "lb1", now)
        assert (problem.code, problem.where, problem.found.startswith("nothing")) == ("FD140", where, True)
    for files, says in (
        ((str(certificate), str(other)), "the key belongs to another certificate"),
        ((str(certificate), str(tmp_path / "none")), "No such file"),
    ):
        (problem,) = controller.check_web_certificate(*files, "lb1", now)
        assert problem.code == "FD140"
        assert says in problem.found


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        (["airflow.example.org"], "airflow.example.org", True),
        (["Airflow.Example.org"], "airflow.example.org", True),
        (["*.example.org"], "airflow.example.org", True),
        (["*.example.org"], "a.airflow.example.org", False),
        (["*.example.org"], "example.org", False),
        (["lb1"], "airflow.example.org", False),
        (["192.0.2.10"], "192.0.2.10", True),
        (["2001:db8::10"], "2001:db8::10", True),
        (["airflow.example.org"], "192.0.2.10", False),
        (["lb1"], "", True),
    ],
)
def test_the_users_certificate_is_for_the_host_of_the_url(tmp_path, names, host, good):
    now = datetime.datetime.now(datetime.UTC)
    pair = certificates.issue(certificates.make_ca("x", now), "lb1", names, now, days=1)
    files = [tmp_path / name for name in ("web.crt", "web.key")]
    for path, content in zip(files, pair.values(), strict=True):
        path.write_text(str(content))
    problems = controller.check_web_certificate(*map(str, files), host, now)
    assert [problem.code for problem in problems] == ([] if good else ["FD196"])
    assert all(names[0] in problem.found and host in problem.expected for problem in problems)
