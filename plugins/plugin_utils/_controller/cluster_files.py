# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a cluster on the controller: what they hold, whose they are, and whether they can be written."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import (
    certificates,
    certificates_file,
    migration,
    secrets_file,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import controller, identity, vars_files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, RefusalError


def read_secrets(loader: Any, path: Path) -> secrets_file.Content:
    """The content of the secrets file ``path``. Raises RefusalError when it cannot be read."""
    try:
        return secrets_file.read(loader, path)
    except AnsibleVaultError as error:
        remedy = "Give its vault password, by --vault-password-file or --vault-id."
        problem = Problem(
            Code.FD125, "airflow_secrets_file", f"{path}, which cannot be decrypted", "its password", remedy
        )
        raise RefusalError([problem]) from error
    except (AnsibleError, OSError, ValueError) as error:
        remedy = "Restore it from a backup, move it away, or correct the path."
        found = f"{path}: {_first_line(error)}"
        raise RefusalError(
            [Problem(Code.FD127, "airflow_secrets_file", found, "a secrets file of the collection", remedy)]
        ) from error


def old_files(
    loader: Any, directories: Iterable[str], path: Path, read: vars_files.Reader, writes: bool
) -> list[migration.Old]:
    """Secrets files where earlier versions put them, none of which contradicts ``path``, where they belong.

    Arguments:
        loader: Ansible's loader of files, with the vault passwords.
        directories: the inventory directories of the run.
        path: the present secrets file.
        read: how a file of variables is read.
        writes: whether this run may move an old file.

    Raises RefusalError for what cannot be moved, and when an old file hid variables from this run. That one is moved
    before.

    """
    old, problems = migration.find(loader, directories, path)
    problems = problems or migration.check(old, read_secrets(loader, path) if old else secrets_file.Content(), path)
    if problems:
        raise RefusalError(problems)
    for each in old:
        for file in each.hidden:
            if vars_files.ours(file, read):
                found = f"variables that this run does not have, because the directory {each.folder} hid them"
                remedy = (
                    "It is moved now: run again."
                    if writes
                    else "flightdeck.airflow.site moves it and ends; run it again then."
                )
                remedy = f"An earlier version put the secrets file there. {remedy}"
                problems.append(Problem(Code.FD192, str(file), found, f"the secrets in {path}", remedy))
        if problems and writes:
            migration.move(loader, each, path)
    if problems:
        raise RefusalError(problems)
    return old


def check(loader: Any, settings: Settings, cluster: Identity, given: Iterable[str], moves: bool) -> list[Problem]:
    """Problems of the files with secrets and certificates: whose they are, and whether what is missing can be written.

    Arguments:
        loader: Ansible's loader of files, with the vault passwords.
        settings: the settings of the cluster.
        cluster: which cluster it is.
        given: the secrets that variables give.
        moves: whether an old secrets file is to be moved to the present place.

    Raises RefusalError when the secrets file cannot be read.

    """
    variable, path = "airflow_secrets_file", Path(os.path.expanduser(settings.secrets_file))
    stored = read_secrets(loader, path)
    due = (
        moves
        or bool({*GENERATED} - {*given} - stored.values.keys())
        or bool(stored.values and stored.cluster != cluster.seen_from(path))
    )
    problems = identity.check(variable, path, secrets_file.CLUSTER, stored.cluster, cluster)
    return problems + controller.check_file(variable, path, due)


def check_certificates(
    loader: Any, settings: Settings, cluster: Identity, names: Mapping[str, Iterable[str]]
) -> list[Problem]:
    """The same for the certificates of a cluster with TLS; ``names`` are those that each certificate has to prove."""
    variable, path = "airflow_certificates_file", Path(os.path.expanduser(settings.certificates_file))
    ca = Path(os.path.expanduser(settings.ca_file))
    if problems := controller.check_variables_directory(variable, path):
        return problems
    try:
        keystore, whose = certificates_file.read(loader, path)
        due = whose != cluster.seen_from(path) or certificates.is_due(
            keystore, names, datetime.datetime.now(datetime.UTC), settings.certificate_renew_days
        )
        present = ca.read_text(encoding="utf-8") if ca.is_file() else ""
        published = keystore is not None and present == keystore["ca"]["certificate"]
    except (AnsibleError, OSError, ValueError) as error:
        remedy = "Give its vault password, restore it from a backup, move it away, or correct the path."
        return [
            Problem(Code.FD127, variable, f"{path}: {_first_line(error)}", "the certificates of the cluster", remedy)
        ]
    problems = identity.check(variable, path, certificates_file.CLUSTER, whose, cluster)
    problems += controller.check_file(variable, path, due)
    return problems + controller.check_file("airflow_ca_file", ca, due=not published)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
