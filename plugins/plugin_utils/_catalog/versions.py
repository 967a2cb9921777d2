"""The versions of Airflow that a cluster may have. Data only."""

from __future__ import annotations

SUPPORTED_VERSIONS = ("2.11.2", "3.3.2")
# Python of the host by Airflow version: what the collection has a lock for.
PYTHONS = {"3.3.2": ("3.11", "3.13"), "2.11.2": ("3.11",)}
# Schema that each version leaves behind in alembic_version, oldest version first.
HEADS = {"2.11.2": "5f2621c13b39", "3.3.2": "d2f4e1b3c5a7"}
# Oldest server that each Airflow supports.
LEAST_SERVER = {"2.11.2": {"postgresql": "12", "mysql": "8.0"}, "3.3.2": {"postgresql": "14", "mysql": "8.0"}}
