"""Whose key encrypted what is in the metadata database."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils import _secrets
from cryptography.fernet import Fernet

OLD, NEW, OTHER = (_secrets.GENERATORS["fernet_key"]() for _ in range(3))
TOKEN = Fernet(OLD).encrypt(b"a password").decode()


@pytest.mark.parametrize(
    ("keys", "can"), [(OLD, True), (f"{NEW},{OLD}", True), (f"{OLD},{NEW}", True), (NEW, False), (f"{NEW},{OTHER}", False)]
)
def test_a_token_shows_whose_key_made_it(keys, can):
    assert _secrets.decrypts(TOKEN, keys) is can


@pytest.mark.parametrize("token", ["not a token", "", "QQ=", TOKEN[:-8]])
def test_what_is_no_token_was_made_by_no_key(token):
    assert not _secrets.decrypts(token, OLD)
