"""What is asked of an external PostgreSQL. The scenario metastores shows it on servers."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils._metastore_server import QUERIES, SECOND, SESSION
from ansible_collections.flightdeck.airflow.plugins.modules import metastore_info


@pytest.fixture(params=["transaction", "session"])
def pool_mode(request, monkeypatch):
    """SQLAlchemy with connections through a pooler, which lends processes of the server from ``free``."""
    free = [9, 8, 7]

    class Connection:
        held = None

        def execute(self, query):
            if self.held is None:
                self.held = free.pop()
            return SimpleNamespace(first=lambda: (self.held if "pid" in query else "PostgreSQL 15.14",))

        def rollback(self):
            if request.param == "transaction":
                free.append(self.held)
                self.held = None

    @contextmanager
    def connect():
        yield Connection()

    module = ModuleType("sqlalchemy")
    module.create_engine = lambda _url, future: SimpleNamespace(connect=connect)
    module.text = str
    monkeypatch.setitem(sys.modules, "sqlalchemy", module)
    return request.param


def test_a_pooler_that_shares_sessions_shows(pool_mode):
    said = metastore_info.ask("postgresql://x", QUERIES["postgresql"])
    assert said["version"] == "PostgreSQL 15.14"
    assert (said[SESSION] == said[SECOND]) == (pool_mode == "transaction")
