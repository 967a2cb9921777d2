# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DAG bundles of Airflow 3: where its DAGs come from, and what the processes that read them need for that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import FILES_DIR
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import DagBundle, OwnFile

LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"
# The bundle of the DAGs that the collection ships, with the canary among them.
SHIPPED = "dags-folder"
# By the kind of an entry, the class that reads it and the type of its connection.
CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "git": "airflow.providers.git.bundles.git.GitDagBundle",
        "local": LOCAL,
        "s3": "airflow.providers.amazon.aws.bundles.s3.S3DagBundle",
    }
)
TYPES: Mapping[str, str] = MappingProxyType({"git": "git", "s3": "aws"})
# DAG processors read all files, workers those of their tasks.
READERS = ("dag_processor", "worker")
# What imports the classes of the list: that of git fails without the program.
IMPORTERS = ("webserver", "scheduler", *READERS)
_SSH = re.compile(r"ssh://|[\w.-]+@[\w.-]+:")
_FOLDER = f"{FILES_DIR}/dag_bundles"


def config(entries: Iterable[Mapping[str, object]] = ()) -> list[dict[str, object]]:
    """Airflow's list of bundles: that of the shipped DAGs, and those of the user's ``entries``."""
    # At each look for new files: where the time since the last look counts, it is that of all DAG processors together,
    # and one that always comes second would not know a new file.
    shipped: dict[str, object] = {"name": SHIPPED, "classpath": LOCAL, "kwargs": {"refresh_interval": 0}}
    return [shipped, *(_bundle(entry) for entry in entries)]


def _bundle(entry: Mapping[str, object]) -> dict[str, object]:
    kind = str(entry.get("kind"))
    kwargs: dict[str, object] = {}
    match kind:
        case "git":
            kwargs = {"repo_url": entry.get("url"), "tracking_ref": entry.get("ref", "main")}
            kwargs |= {"subdir": path} if (path := _path(entry, "subdir")) else {}
            kwargs["git_conn_id"] = connection_id(entry)
        case "local":
            kwargs = {"path": entry.get("path")}
        case "s3":
            kwargs = {"bucket_name": entry.get("bucket"), "aws_conn_id": connection_id(entry)}
            kwargs |= {"prefix": prefix} if (prefix := _path(entry, "prefix")) else {}
    # A bundle with versions is refreshed again when another DAG processor has found a new one.
    interval = entry.get("refresh_seconds", None if kind == "git" else 0)
    kwargs |= {} if interval is None else {"refresh_interval": interval}
    options = entry.get("options")
    kwargs |= options if isinstance(options, Mapping) else {}
    return {"name": entry.get("name"), "classpath": CLASSES.get(kind, ""), "kwargs": kwargs}


def _path(entry: Mapping[str, object], key: str) -> str:
    return str(entry.get(key) or "").strip("/")


def slug(name: object) -> str:
    """The part of names of variables and connections that stands for the bundle ``name``."""
    return re.sub(r"[^a-z0-9]", "_", str(name).lower())


def connection_id(entry: Mapping[str, object]) -> str:
    """The connection that the bundle of ``entry`` uses: the user's, or the one that is made for it."""
    given = entry.get("connection")
    return given if isinstance(given, str) else f"flightdeck_bundle_{slug(entry.get('name'))}"


def by_ssh(entry: Mapping[str, object]) -> bool:
    """Whether the repository of ``entry`` is reached by SSH."""
    return bool(_SSH.match(str(entry.get("url"))))


def variable(entry: Mapping[str, object]) -> str:
    """The secret variable of the environment with the connection of ``entry``; empty where it has none of its own."""
    if entry.get("kind") not in TYPES or isinstance(entry.get("connection"), str):
        return ""
    return f"AIRFLOW_CONN_{connection_id(entry).upper()}"


def _connection(entry: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {"conn_type": TYPES[str(entry["kind"])]}
    given = entry.get("connection")
    if isinstance(given, Mapping):
        return {**found, **given}
    if token := entry.get("token"):
        found |= {"login": str(entry.get("user", "git")), "password": token}
    if by_ssh(entry):
        # OpenSSH reads no key without a line break at its end.
        key = str(entry.get("key", "")).strip() + "\n"
        known = {"known_hosts_file": _file(entry, "known_hosts"), "strict_host_key_checking": "yes"}
        found["extra"] = {"private_key": key, **known}
    return found


def variables(entries: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """The secret variables of the environment with the connections of the ``entries``, as
    ``airflow_secret_environment`` has them."""
    return {
        name: {"value": json.dumps(_connection(entry), sort_keys=True, default=str), "components": list(READERS)}
        for entry in entries
        if (name := variable(entry))
    }


def _file(entry: Mapping[str, object], kind: str) -> str:
    return f"{_FOLDER}/{slug(entry.get('name'))}.{kind}"


def files(entries: Iterable[Mapping[str, object]]) -> tuple[OwnFile, ...]:
    """The files by which readers of the ``entries`` know the servers of repositories."""
    return tuple(
        OwnFile(
            path=_file(entry, kind),
            src="",
            content=str(entry[kind]).strip() + "\n",
            template=False,
            mode="0640",
            components=READERS,
        )
        for entry in entries
        for kind in ("ca", "known_hosts")
        if entry.get("kind") == "git" and entry.get(kind)
    )


def environment(entries: Iterable[Mapping[str, object]], common: Mapping[str, object]) -> dict[str, object]:
    """Variables of the environment of readers: the CA of each server of ``entries`` that has its own, as settings of
    git, after those that the user has in the ``common`` environment."""
    settings = {}
    for entry in entries:
        if entry.get("kind") == "git" and entry.get("ca"):
            parts = urlsplit(str(entry["url"]))
            settings[f"http.{parts.scheme}://{parts.netloc}/.sslCAInfo"] = _file(entry, "ca")
    if not settings:
        return {}
    given = str(common.get("GIT_CONFIG_COUNT", "0"))
    first = int(given) if given.isdecimal() else 0
    found: dict[str, object] = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(sorted(settings.items()), first):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def unit_options(given: Mapping[str, object], entries: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """The directives ``given`` for units by component; with those by which readers wait for the paths of ``entries``,
    which may be mounts."""
    paths = [str(entry.get("path")) for entry in entries if entry.get("kind") == "local"]
    found = dict(given)
    for component in READERS if paths else ():
        options = found.get(component)
        own = dict(options) if isinstance(options, Mapping) else {}
        before = own.get("RequiresMountsFor", [])
        own["RequiresMountsFor"] = [*(before if isinstance(before, list) else [before]), *paths]
        found[component] = own
    return found


def packages(entries: Iterable[Mapping[str, object]], components: Iterable[str]) -> list[str]:
    """Debian packages that ``components`` of a host need for the ``entries``."""
    repositories = [entry for entry in entries if entry.get("kind") == "git"]
    there = set(components)
    found = ["git"] if repositories and there.intersection(IMPORTERS) else []
    return found + (["openssh-client"] if any(map(by_ssh, repositories)) and there.intersection(READERS) else [])


def share(entries: Iterable[Mapping[str, object]], components: Iterable[str]) -> tuple[DagBundle, ...]:
    """The bundles of ``entries`` that a host with ``components`` reads, as they are tried before processes get them.

    One whose connection is the user's is not among them: the connection may be in a database that is not there yet.
    """
    if not set(components).intersection(READERS):
        return ()
    return tuple(_share(entries))


def _share(entries: Iterable[Mapping[str, object]]) -> Iterator[DagBundle]:
    for entry in entries:
        if not isinstance(entry.get("connection"), str):
            found = _bundle(entry)
            kwargs = found["kwargs"]
            yield DagBundle(
                name=str(entry.get("name")),
                kind=str(entry.get("kind")),
                kwargs=kwargs if isinstance(kwargs, Mapping) else {},
                variable=variable(entry),
            )
