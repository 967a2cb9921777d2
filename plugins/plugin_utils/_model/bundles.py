"""The DAG bundles of Airflow 3: where its DAGs come from."""

from __future__ import annotations

LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"
# The bundle of the DAGs that the collection ships, with the canary among them.
SHIPPED = "dags-folder"


def config() -> list[dict[str, object]]:
    """Airflow's list of bundles."""
    # At each look for new files: where the time since the last look counts, it is that of all DAG processors together,
    # and one that always comes second would not know a new file.
    return [{"name": SHIPPED, "classpath": LOCAL, "kwargs": {"refresh_interval": 0}}]
