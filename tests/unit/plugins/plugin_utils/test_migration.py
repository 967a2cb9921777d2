"""A secrets file in group_vars/all, where earlier versions wrote it, moves to where it hides nothing."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import migration, secrets_file, vault_file

VALUES = {"digest_key": "d" * 64, "fernet_key": "one"}
ROTATION = {"alternate_users": ["broker_password"]}


@pytest.fixture
def loader():
    found = DataLoader()
    found.set_vault_secrets([("prod", VaultSecret(b"password"))])
    return found


@pytest.fixture
def places(tmp_path):
    folder = tmp_path / "group_vars/all"
    folder.mkdir(parents=True)
    return folder / "airflow_secrets.yml", tmp_path / ".airflow_secrets.yml"


def old(loader, old_path, **values):
    secrets_file.write(loader, old_path, secrets_file.Content(VALUES | values, ROTATION))


def moved(loader, places):
    """Moves what is found; what is in the file afterwards, and what was said."""
    found, problems = migration.find(loader, [places[1].parent], places[1])
    assert problems == []
    assert migration.check(found, secrets_file.read(loader, places[1]), places[1]) == []
    return [line for each in found for line in migration.move(loader, each, places[1])]


@pytest.mark.parametrize("encrypted", [True, False])
def test_everything_in_it_moves_and_its_directory_goes(loader, places, encrypted):
    loader = loader if encrypted else DataLoader()
    old(loader, places[0])
    said = moved(loader, places)
    assert secrets_file.read(loader, places[1]) == secrets_file.Content(VALUES, ROTATION)
    assert places[1].read_text().startswith("$ANSIBLE_VAULT") == encrypted
    assert not places[0].parent.exists()
    assert len(said) == 2
    assert not [line for line in said for value in VALUES.values() if value in line]
    assert moved(loader, places) == []


def test_a_directory_with_files_of_the_user_stays(places):
    old(DataLoader(), places[0])
    (places[0].parent / "main.yml").write_text("airflow_tls: false\n")
    moved(DataLoader(), places)
    assert sorted(path.name for path in places[0].parent.iterdir()) == [".gitignore", "main.yml"]
    assert moved(DataLoader(), places) == []


@pytest.mark.parametrize("left", [("airflow_secrets.yml", ".gitignore"), (".gitignore",), ("airflow_secrets.new",)])
def test_an_interrupted_move_is_finished(places, left):
    old(DataLoader(), places[0])
    content = secrets_file.read(DataLoader(), places[0])
    (places[0].parent / "airflow_secrets.new").touch()
    secrets_file.write(DataLoader(), places[1], content)
    for path in places[0].parent.iterdir():
        if path.name not in left:
            path.unlink()
    moved(DataLoader(), places)
    assert not places[0].parent.exists()
    assert secrets_file.read(DataLoader(), places[1]) == content


def test_two_files_with_different_values_are_refused(places):
    old(DataLoader(), places[0])
    secrets_file.write(DataLoader(), places[1], secrets_file.Content(VALUES | {"fernet_key": "two"}, ROTATION))
    found, _problems = migration.find(DataLoader(), [places[1].parent], places[1])
    (problem,) = migration.check(found, secrets_file.read(DataLoader(), places[1]), places[1])
    assert problem.code == "FD191"
    assert "airflow_fernet_key" in problem.found
    assert "digest" not in problem.found


def test_settings_in_it_would_be_lost_and_are_refused(places):
    old(DataLoader(), places[0])
    with places[0].open("a") as stream:
        stream.write("airflow_version: 3.3.2\n")
    found, (problem,) = migration.find(DataLoader(), [places[1].parent], places[1])
    assert found == []
    assert (problem.code, problem.found) == ("FD127", "airflow_version")


def test_a_file_of_the_user_with_the_same_name_stays(places):
    places[0].write_text("airflow_admin_password: mine-and-long-enough\n")
    assert migration.find(DataLoader(), [places[1].parent], places[1]) == ([], [])
    assert vault_file.read(DataLoader(), places[0])


def test_a_directory_of_the_user_is_none_of_ours(places):
    places[1].touch()
    assert migration.find(DataLoader(), [places[1].parent], places[1]) == ([], [])
    (places[0].parent / ".gitignore").write_text("other\n")
    assert migration.find(DataLoader(), [places[1].parent], places[1]) == ([], [])
