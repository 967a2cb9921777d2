# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Filters that turn a slice of the cluster model into file contents, digests and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils import (
    _components,
    _config,
    _environment,
    _leftovers,
    _release,
    _secrets,
    _worker,
)


class FilterModule:
    """The filters of this file by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {
            "airflow_cfg": _config.render_config,
            "component_digest": _components.component_digest,
            "environment_file": _environment.environment_file,
            "former_files": _leftovers.former_files,
            "former_units": _leftovers.former_units,
            "process_settings": _components.process_settings,
            "release_id": _release.release_id,
            "secret_content": _secrets.content,
            "secret_files": _secrets.secret_files,
            "secret_mounts": _components.secret_mounts,
            "secret_versions": _secrets.secret_versions,
            "with_certificates": _secrets.with_certificates,
            "worker_concurrency": _worker.worker_concurrency,
            "worker_instances": _worker.worker_instances,
        }
