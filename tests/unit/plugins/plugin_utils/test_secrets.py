"""Whose key encrypted what is in the metadata database."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import secrets as secrets_render
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
    assert secrets_render.decrypts(TOKEN, keys) is can


@pytest.mark.parametrize("token", ["not a token", "", "QQ=", pytest.param(TOKEN[:-8], id="a token without its end")])
def test_what_is_no_token_was_made_by_no_key(token):
    assert not secrets_render.decrypts(token, OLD)
