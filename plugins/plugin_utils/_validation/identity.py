# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that a file on the controller belongs to the cluster of the run."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def check(variable: str, path: Path, key: str, recorded: Identity | None, present: Identity) -> list[Problem]:
    """A problem when the file ``path`` holds the secrets or certificates of another cluster.

    Arguments:
        variable: the setting that names the file.
        path: the file.
        key: where the file records its cluster, for the remedy.
        recorded: the cluster that the file was written for; None for a file that does not say.
        present: the cluster of this run.

    """
    if recorded is None or recorded.same_cluster(present.seen_from(path)):
        return []
    remedy = (
        "Give each cluster a directory of its own with its inventory, or set airflow_secrets_file, "
        "airflow_certificates_file and airflow_ca_file for each. When both are one cluster that moved or was renamed, "
        f"remove {key} from the file."
    )
    return [
        Problem(Code.FD190, variable, f"{path}, the file of {_shown(recorded)}", f"a file of {_shown(present)}", remedy)
    ]


def _shown(cluster: Identity) -> str:
    first = sorted(cluster.hosts.items())[:1]
    hosts = "".join(f", such as {name} at {address}" for name, address in first)
    return f"cluster {cluster.name} with {len(cluster.hosts)} hosts{hosts}"
