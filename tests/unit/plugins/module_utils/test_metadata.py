"""What the metadata database says: whose key encrypted its texts, and which schema a release knows."""

from __future__ import annotations

import sqlite3

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _metadata
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets
from cryptography.fernet import Fernet

OLD, NEW, OTHER = (secrets.make("fernet_key") for _ in range(3))
TOKEN = Fernet(OLD).encrypt(b"a password").decode()


# By names: the keys differ in each run, and names of tests must not.
@pytest.mark.parametrize(
    ("keys", "can"),
    [
        pytest.param(OLD, True, id="its key"),
        pytest.param(f"{NEW},{OLD}", True, id="its key as the second one"),
        pytest.param(f"{OLD},{NEW}", True, id="its key as the first one"),
        pytest.param(NEW, False, id="another key"),
        pytest.param(f"{NEW},{OTHER}", False, id="other keys"),
    ],
)
def test_a_token_shows_whose_key_made_it(keys, can):
    assert _metadata.decrypts(TOKEN, keys) is can


@pytest.mark.parametrize("token", ["not a token", "", "QQ=", pytest.param(TOKEN[:-8], id="a token without its end")])
def test_what_is_no_token_was_made_by_no_key(token):
    assert not _metadata.decrypts(token, OLD)


def test_the_shortest_encrypted_text_is_asked_for():
    database = sqlite3.connect(":memory:")
    database.execute(
        "CREATE TABLE connection (password TEXT, extra TEXT, is_encrypted BOOLEAN, is_extra_encrypted BOOLEAN)"
    )
    database.execute("CREATE TABLE variable (val TEXT, is_encrypted BOOLEAN)")
    assert database.execute(_metadata.ENCRYPTED).fetchall() == []
    database.execute("INSERT INTO connection VALUES ('', 'an extra', true, true), ('in clear', 'x', false, false)")
    database.execute("INSERT INTO variable VALUES ('a longer variable', true), ('clear', false)")
    assert database.execute(_metadata.ENCRYPTED).fetchall() == [("an extra",)]
    database.close()


def test_a_release_knows_the_versions_of_its_migrations(tmp_path):
    folder = tmp_path / "migrations/versions"
    folder.mkdir(parents=True)
    (folder / "0001_first.py").write_text(
        '"""First.\n\nRevision ID: 000\n"""\nrevision = "e3a246e0dc1"\ndown_revision = None\n'
    )
    (folder / "0002_second.py").write_text("revision: str = '5f2621c13b39'\ndown_revision = 'e3a246e0dc1'\n")
    assert _metadata.revisions(str(tmp_path)) == {"e3a246e0dc1", "5f2621c13b39"}
    assert _metadata.revisions(str(tmp_path / "none")) == set()
