# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Filters that turn a slice of the cluster model into file contents, digests and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import airflow, leftovers
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import airflow_cfg, digests, environment, secrets, worker_units


class FilterModule:
    """The filters of this file by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {
            "airflow_cfg": airflow_cfg.render_config,
            "component_digest": digests.component_digest,
            "environment_file": environment.environment_file,
            "former_files": leftovers.former_files,
            "former_units": leftovers.former_units,
            "release_id": digests.release_id,
            "secret_content": secrets.content,
            "secret_files": secrets.secret_files,
            "secret_mounts": airflow.secret_mounts,
            "secret_versions": secrets.secret_versions,
            "with_certificates": secrets.with_certificates,
            "worker_concurrency": worker_units.worker_concurrency,
            "worker_instances": worker_units.worker_instances,
        }
