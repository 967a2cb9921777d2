# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the DAG bundles of Airflow 3: their form, and what they need on the hosts. No message has a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import bundles as model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import data
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import GivenOption
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import dags
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.remote_logs import check_fields
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest, kind_of

_VARIABLE = "airflow_dag_bundles"
_OPTION = "dag_processor.dag_bundle_config_list"
_LOCAL = model.LOCAL
_GIT = "airflow.providers.git."
# Airflow gives it to its own examples.
_RESERVED = "example_dags"
# Its name is a part of paths.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
# As Amazon has them, and what other stores take.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
# Keys of an entry by its kind: those that it needs, and others.
_KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "git": (("url",), ("ref", "subdir", "user", "token", "key", "known_hosts", "ca", "connection")),
    "local": (("path",), ()),
    "s3": (("bucket", "connection"), ("prefix",)),
}
_COMMON = ("name", "kind", "refresh_seconds", "options")
# What units do not see, or see another directory in the place of.
_HIDDEN = ("dev", "home", "proc", "root", "run/user", "sys", "tmp", "var/tmp")
# What systemd reads in a unit as it is written.
_HOST_PATH = re.compile(r"/[^\x00-\x20\x7f%\\\"']+")
_REMEDY = "See docs/dags.md."


def check(
    options: Iterable[GivenOption], dags_folder: str, system_packages: Iterable[str], *, parses_dags: bool
) -> list[Problem]:
    """Problems of the bundles among the ``options`` of a host, whose DAGs are in ``dags_folder``.

    A host that ``parses_dags`` needs the programs of its bundles among its ``system_packages``.
    """
    given = next((one for one in options if one.name == _OPTION), None)
    bundles = data(given.value) if given else None
    if given is None or not isinstance(bundles, list):
        # No list is another check's.
        return []
    if fault := _fault(bundles):
        expected = "a list of {name: ..., classpath: ..., kwargs: {...}}, each name once"
        return [Problem(Code.FD135, given.where, fault, expected, "Correct it: Airflow would not start.")]
    problems = []
    if not any(_is_dags_folder(bundle, dags_folder) for bundle in bundles):
        remedy = (
            f"Add {{name: dags-folder, classpath: {_LOCAL}, kwargs: {{}}}}: without it Airflow reads neither "
            "airflow_dags_dir nor the DAG of flightdeck.airflow.verify."
        )
        problems.append(
            Problem(Code.FD147, given.where, "no bundle of the DAGs that the collection ships", "one", remedy)
        )
    names = {re.split("[:=]", package, maxsplit=1)[0] for package in system_packages}
    if parses_dags and "git" not in names and any(str(bundle["classpath"]).startswith(_GIT) for bundle in bundles):
        expected = "the Debian package git on hosts with DAG processors or workers"
        remedy = "Add git to airflow_system_packages."
        problems.append(Problem(Code.FD173, given.where, "a bundle that calls git", expected, remedy))
    return problems


def _fault(bundles: list[object]) -> str:
    """What Airflow would refuse in ``bundles``; empty for nothing."""
    seen: set[str] = set()
    for number, bundle in enumerate(bundles, 1):
        if not isinstance(bundle, Mapping):
            return f"entry {number}, which is no dictionary"
        name = bundle.get("name")
        for key in ("name", "classpath"):
            if not isinstance(bundle.get(key), str) or not bundle[key]:
                return f"entry {number} without a {key}"
        if not isinstance(bundle.get("kwargs"), Mapping):
            return f"{name!r} without kwargs as a dictionary"
        if name == _RESERVED:
            return f"the name {_RESERVED!r}, which Airflow keeps for itself"
        if name in seen:
            return f"{name!r} twice"
        seen.add(str(name))
    return ""


def _is_dags_folder(bundle: Mapping[str, object], dags_folder: str) -> bool:
    kwargs = bundle["kwargs"]
    path = kwargs.get("path") if isinstance(kwargs, Mapping) else None
    return bundle["classpath"] == _LOCAL and (path is None or str(path).rstrip("/") == dags_folder.rstrip("/"))


def given(settings: Settings) -> list[GivenOption]:
    """The option that follows from the variable, for the check of the packages that it needs."""
    entries = [entry for entry in settings.dag_bundles if entry.get("kind") in model.CLASSES]
    value = [{"classpath": model.CLASSES[str(entry["kind"])]} for entry in entries]
    return [GivenOption(_VARIABLE, "dag_processor", "dag_bundle_config_list", value)] if value else []


def check_entries(settings: Settings) -> list[Problem]:
    """Problems of the variable ``airflow_dag_bundles``."""
    entries = settings.dag_bundles
    problems = [problem for number, entry in enumerate(entries) for problem in _check_entry(_place(number), entry)]
    seen: dict[str, str] = {model.slug(model.SHIPPED): model.SHIPPED}
    for number, entry in enumerate(entries):
        name = entry.get("name")
        if isinstance(name, str) and _NAME.fullmatch(name):
            where, found = f"{_place(number)}.name", seen.get(model.slug(name))
            if name == _RESERVED:
                remedy = "Choose another name: Airflow gives it to its own examples."
                problems.append(Problem(Code.FD277, where, repr(name), "a name of your own", remedy))
            elif found == model.SHIPPED:
                remedy = "Choose another name: it has the shipped DAGs, with that of flightdeck.airflow.verify."
                problems.append(Problem(Code.FD277, where, repr(name), "a name of your own", remedy))
            elif found:
                expected = "names that differ in more than capitals, '-' and '_'"
                twice = f"{name!r} twice" if found == name else f"{found!r} and {name!r}"
                problems.append(Problem(Code.FD277, where, twice, expected, "Rename one."))
            seen.setdefault(model.slug(name), name)
    if entries and settings.version.startswith("2."):
        remedy = "Ship the files with airflow_dags_dir or airflow_dags_git_repository, or deploy Airflow 3."
        problems.append(Problem(Code.FD278, _VARIABLE, f"Airflow {settings.version}", "Airflow 3", remedy))
    if entries and "dag_bundle_config_list" in settings.options.get("dag_processor", {}):
        remedy = "Leave it out: what is in airflow_dag_bundles needs no bundle of the shipped DAGs besides."
        where = f"airflow_config.{_OPTION}"
        found, expected = "a second place for bundles", f"either this option or {_VARIABLE}"
        problems.append(Problem(Code.FD278, where, found, expected, remedy))
    return problems


def _place(number: int) -> str:
    return f"{_VARIABLE}[{number}]"


def _form(where: str, found: str, expected: str, remedy: str = _REMEDY) -> Problem:
    return Problem(Code.FD277, where, found, expected, remedy)


def _check_entry(where: str, entry: Mapping[str, object]) -> Iterator[Problem]:
    name, kind = entry.get("name"), entry.get("kind")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield _form(f"{where}.name", repr(name) if name else "nothing", "letters, digits, '-' and '_'")
    if not isinstance(kind, str) or kind not in _KEYS:
        close = closest(str(kind), _KEYS)
        remedy = f"Did you mean {close}?" if close else "Other classes are options of airflow_config: see docs/dags.md."
        yield _form(f"{where}.kind", repr(kind) if kind else "nothing", f"one of {', '.join(_KEYS)}", remedy)
        return
    needed, others = _KEYS[kind]
    known = (*_COMMON, *needed, *others)
    for key in sorted(str(key) for key in entry if key not in known):
        close = closest(key, known)
        remedy = f"Did you mean {close}?" if close else "Correct or remove it."
        yield _form(where, f"an unknown key {key}", f"of kind {kind}: {', '.join(known)}", remedy)
    for key in (key for key in needed if not entry.get(key)):
        yield _form(f"{where}.{key}", "nothing", f"a value: kind {kind} needs it")
    for key in (*needed, *others):
        if key != "connection" and key in entry and not isinstance(entry[key], str):
            yield _form(f"{where}.{key}", kind_of(entry[key]), "text", "Write it in quotes: YAML changes it.")
            return
    yield from _check_common(where, entry)
    yield from {"git": _check_git, "local": _check_local, "s3": _check_s3}[kind](where, entry)


def _check_common(where: str, entry: Mapping[str, object]) -> Iterator[Problem]:
    interval = entry.get("refresh_seconds", 0)
    if not isinstance(interval, int) or isinstance(interval, bool) or interval < 0:
        yield _form(f"{where}.refresh_seconds", kind_of(interval), "a number of seconds from 0")
    options = entry.get("options", {})
    if not isinstance(options, Mapping):
        yield _form(f"{where}.options", kind_of(options), "a dictionary of arguments of the bundle's class")
    connection = entry.get("connection", {})
    if isinstance(connection, Mapping):
        yield from check_fields(Code.FD277, f"{where}.connection", connection)
    elif not isinstance(connection, str):
        yield _form(f"{where}.connection", kind_of(connection), "the id of a connection, or its fields")


def _check_git(where: str, entry: Mapping[str, object]) -> Iterator[Problem]:
    url, ref, subdir = (str(entry.get(key, default)) for key, default in (("url", ""), ("ref", "main"), ("subdir", "")))
    own = [key for key in ("token", "key", "known_hosts") if entry.get(key)]
    if url and (fault := dags.repository_fault(url)):
        expected = "https://..., ssh://..., user@host:path, or an absolute path on the hosts"
        yield _form(f"{where}.url", fault, expected, "A login goes into token or key.")
    if not dags.REF.fullmatch(ref):
        yield _form(f"{where}.ref", repr(ref), "a branch, a tag or a commit")
    if subdir and (not dags.PATH.fullmatch(subdir.strip("/")) or ".." in subdir.split("/")):
        yield _form(f"{where}.subdir", repr(subdir), "a directory in the repository")
    for key in own if entry.get("connection") else ():
        yield _form(f"{where}.{key}", "a value, and a connection", "one of the two")
    if entry.get("token") and not url.startswith("https://"):
        yield _form(f"{where}.token", "a value, and another URL", "a repository at https://")
    if entry.get("ca") and not url.startswith("https://"):
        yield _form(f"{where}.ca", "a value, and another URL", "a repository at https://")
    if entry.get("ca") and "BEGIN CERTIFICATE" not in str(entry["ca"]):
        remedy = "It is no path: read the file with the lookup ansible.builtin.file."
        yield _form(f"{where}.ca", "text without a certificate", "a CA certificate in PEM", remedy)
    ssh = model.by_ssh(entry)
    for key in ("key", "known_hosts"):
        if entry.get(key) and not ssh:
            yield _form(f"{where}.{key}", "a value, and another URL", "a repository by SSH")
        elif ssh and not entry.get(key) and not entry.get("connection"):
            what = {"key": "a private key", "known_hosts": "the server's lines of a known_hosts file"}[key]
            yield _form(f"{where}.{key}", "nothing", f"{what}: hosts have none for Airflow's account")


def _check_local(where: str, entry: Mapping[str, object]) -> Iterator[Problem]:
    path = str(entry.get("path", ""))
    if path and (not _HOST_PATH.fullmatch(path) or ".." in path.split("/")):
        expected = "an absolute path on the hosts, without blanks, quotes, backslashes and '%'"
        yield _form(f"{where}.path", repr(path), expected)
    elif any(f"{path}/".startswith(f"/{hidden}/") for hidden in _HIDDEN):
        yield _form(f"{where}.path", repr(path), "a path that services see, such as one below /srv")


def _check_s3(where: str, entry: Mapping[str, object]) -> Iterator[Problem]:
    bucket, prefix = str(entry.get("bucket", "")), str(entry.get("prefix", ""))
    if bucket and not _BUCKET.fullmatch(bucket):
        yield _form(f"{where}.bucket", repr(bucket), "the name of a bucket", "A path goes into prefix.")
    if re.search(r"[\x00-\x1f\x7f]", prefix) or ".." in prefix.split("/"):
        yield _form(f"{where}.prefix", repr(prefix), "a path in the bucket")
