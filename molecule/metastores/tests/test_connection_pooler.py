"""A connection pooler before the external server: noticed when it gives one session to two clients."""

from __future__ import annotations

import json

import pytest
from cluster_access import ansible
from test_idempotence import SITE

# Through the pooler that prepare.yml configures; by the name of the database, it binds sessions to clients or does not.
LOGINS = {"airflow_metastore_url": "outside_app_login", "airflow_metastore_owner_url": "outside_owner_login"}


def check_through(database):
    urls = {
        variable: f"{{{{ 'postgresql://' ~ {login} ~ '@' ~ lab_subnet }}}}.31:6432/{database}"
        for variable, login in LOGINS.items()
    }
    return ansible(SITE, "--check", "-e", json.dumps(urls), program="ansible-playbook", timeout=600)


def test_a_pooler_that_shares_sessions_is_refused():
    with pytest.raises(RuntimeError, match=r"FD178 .*found a pooler that gives one session to two clients"):
        check_through("airflow")


def test_a_pooler_that_binds_sessions_is_accepted():
    assert "FD178" not in check_through("airflow_session")
