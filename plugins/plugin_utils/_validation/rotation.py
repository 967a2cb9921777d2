# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks before a rotation of secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import ROTATABLE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def check(
    names: Iterable[str],
    values: Mapping[str, str],
    given: Mapping[str, str],
    limit: str = "",
    external: Iterable[str] = (),
) -> list[Problem]:
    """What speaks against rotating ``names``.

    ``given`` are the secrets that the inventory's variables have, ``limit`` is ``--limit``, and ``external`` secrets
    belong to accounts on external servers.
    """
    problems = []
    if limit:
        remedy = "A host that is left out would be shut out: run without --limit."
        problems.append(Problem(Code.FD162, "--limit", repr(limit), "all hosts", remedy))
    for name in names:
        if name not in ROTATABLE:
            problems.append(
                Problem(
                    Code.FD160,
                    "airflow_rotate",
                    repr(name),
                    ", ".join(ROTATABLE),
                    "Name secrets without the prefix airflow_.",
                )
            )
        elif name in external:
            remedy = (
                "Change the password on your server, then the URL in the inventory, and run flightdeck.airflow.site."
            )
            problems.append(
                Problem(Code.FD179, "airflow_rotate", name, "a secret of a server that the collection runs", remedy)
            )
        elif name not in values or given.get(name, values[name]) != values[name]:
            problems.append(
                Problem(
                    Code.FD161,
                    f"airflow_{name}",
                    "a value of your own in the inventory",
                    "the one that the collection made and keeps",
                    "Remove yours from the inventory and run again; before that, put it into the file that "
                    "airflow_secrets_file names.",
                )
            )
    return problems
