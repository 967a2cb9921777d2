"""The cluster before anything is changed."""

from __future__ import annotations

from tasks import in_task


def test_a_task_tells_what_it_has_around_it(cluster):
    assert in_task(cluster, "import os\nreturn os.environ['AIRFLOW_HOME']") == "/var/lib/airflow"
