# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the validation reads on the controller: the inventory's own files, and files that variables name."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS, OPTIONAL
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import certificates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.secrets import plain_secrets, plain_warning
from packaging.specifiers import SpecifierSet

# Collections whose modules the roles use, and their versions; galaxy.yml says the same.
COLLECTIONS = {"community.postgresql": ">=3.5.0,<5.0.0"}
_SUFFIXES = ("", ".yml", ".yaml", ".json", ".ini", ".cfg")
# Larger files are data, not variables.
_LARGEST = 1024 * 1024
# A section of an INI inventory that has a line.
_INI_GROUP = re.compile(r"^\[(airflow_\w+)(?::children)?\][ \t]*\n(?=\s*[^\s\[])", re.MULTILINE)
_CLUSTER_NAME = re.compile(r"^\s*[\"']?airflow_cluster_name[\"']?\s*[:=]\s*[\"']?([A-Za-z0-9_.-]+)", re.MULTILINE)


def check_ansible(version: str, requires: str) -> list[Problem]:
    """A problem when ansible-core ``version`` is not what ``requires`` (a version specifier) says, and for each
    collection like that."""
    problems = []
    if not SpecifierSet(requires).contains(version, prereleases=True):
        remedy = f"Install one, as with pip install 'ansible-core{requires}'."
        problems.append(Problem(Code.FD124, "ansible-core", version, requires, remedy))
    for name, wanted in COLLECTIONS.items():
        present = _collection_version(name)
        # A checkout does not say its version.
        if present is None or (present and not SpecifierSet(wanted).contains(present, prereleases=True)):
            remedy = f"ansible-galaxy collection install --upgrade '{name}:{wanted}'."
            problems.append(Problem(Code.FD124, f"collection {name}", present or "nothing installed", wanted, remedy))
    return problems


def _collection_version(name: str) -> str | None:
    """The version of an installed collection, empty when it does not say, None without the collection."""
    try:
        spec = importlib.util.find_spec(f"ansible_collections.{name}")
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        return None
    for folder in spec.submodule_search_locations or ():
        manifest = Path(folder) / "MANIFEST.json"
        if manifest.is_file():
            return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return ""


def check_vault(wanted: str | None, identities: Iterable[str]) -> list[Problem]:
    """A problem when secrets are to be encrypted with the vault id ``wanted``, and this run has passwords of other
    ``identities``."""
    known = list(identities)
    if not wanted or not known or wanted in known:
        return []
    remedy = "Give its password by --vault-id, or correct the setting in ansible.cfg."
    expected = f"a vault id with a password in this run: {', '.join(known)}"
    return [Problem(Code.FD125, "vault_encrypt_identity", repr(wanted), expected, remedy)]


def check_files(host: str, lock_file: str, version: str) -> list[Problem]:
    """Problems of the file that ``airflow_lock_file`` names for ``host``, when it names one."""
    if not lock_file:
        return []
    where = f"airflow_lock_file of host {host}"
    try:
        text = Path(os.path.expanduser(lock_file)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = f"{lock_file!r}: {getattr(error, 'strerror', None) or 'no text'}"
        return [Problem(Code.FD127, where, found, "a readable file on the controller", "Correct the path.")]
    if "--hash=" not in text:
        return [
            Problem(
                Code.FD127,
                where,
                "requirements without hashes",
                "a lock",
                "Make it with: uv pip compile --generate-hashes.",
            )
        ]
    locked = re.search(r"^apache-airflow(?:-core)?\s*==\s*([^\s;\\]+)", text, re.MULTILINE)
    if not locked or locked[1] != version:
        found = f"Airflow {locked[1]}" if locked else "no apache-airflow"
        return [
            Problem(
                Code.FD127,
                where,
                found,
                f"apache-airflow=={version}",
                "Lock the version that airflow_version names, or change that.",
            )
        ]
    return []


def locks(lock_file: str, directory: Path, version: str) -> list[str]:
    """Texts of the locks that the release of Airflow ``version`` may be made of.

    The user's ``lock_file`` is the only one; without it they are those in ``directory``, one for each Python.
    """
    paths = [Path(os.path.expanduser(lock_file))] if lock_file else sorted(directory.glob(f"airflow-{version}-py*.txt"))
    return [path.read_text(encoding="utf-8") for path in paths]


def check_web_certificate(certificate_file: str, key_file: str, host: str, now: datetime.datetime) -> list[Problem]:
    """Problems of the certificate that users see and its key, when the user brings one.

    ``host`` is the name or address that it must contain; empty for any.
    """
    files = {"airflow_web_certificate_file": certificate_file, "airflow_web_key_file": key_file}
    if not any(files.values()):
        return []
    for name, path in files.items():
        if not path:
            other = next(given for given in files if given != name)
            return [
                Problem(Code.FD140, name, f"nothing, and {other} is set", "both or none", f"Set it, or remove {other}.")
            ]
    try:
        certificate, key = (Path(os.path.expanduser(path)).read_text(encoding="utf-8") for path in files.values())
        problem = certificates.pair_problem(certificate, key, now)
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or 'no text'}"
    if problem:
        return [
            Problem(
                Code.FD140,
                " and ".join(files),
                f"{certificate_file!r} and {key_file!r}: {problem}",
                "a PEM certificate that is valid now and its unencrypted private key",
                "Correct the paths or the files; both empty lets the cluster's own CA sign one.",
            )
        ]
    valid = certificates.names(certificate)
    if not host or certificates.covers(valid, host):
        return []
    remedy = "Browsers would refuse it: set airflow_url to one of its names, or get a certificate for this one."
    return [
        Problem(
            Code.FD196,
            "airflow_web_certificate_file",
            f"{certificate_file!r}, valid for {', '.join(valid) or 'no name'}",
            f"{host}, the host of the URL, among them",
            remedy,
        )
    ]


def check_places(dags_dir: str, release_cache: str) -> list[Problem]:
    """Problems of the directories that the controller needs, for what exists there already."""
    problems = []
    # A relative path is another problem.
    if dags_dir.startswith(("/", "~")) and not Path(os.path.expanduser(dags_dir)).is_dir():
        problems.append(
            Problem(
                Code.FD111,
                "airflow_dags_dir",
                repr(dags_dir),
                "a directory on the controller",
                "Make it, or correct the path.",
            )
        )
    cache = Path(os.path.expanduser(release_cache))
    if release_cache and cache.exists() and not cache.is_dir():
        problems.append(
            Problem(
                Code.FD127, "airflow_release_cache", "a file", "a directory on the controller", "Choose another path."
            )
        )
    return problems


def check_variables_directory(variable: str, path: Path) -> list[Problem]:
    """A problem when ``path``, the value of ``variable``, is in a directory that Ansible reads variables from.

    It would read the file, and the directory would hide a file of the same name, such as ``group_vars/all.yml``.
    """
    if not {"group_vars", "host_vars"} & set(path.parent.parts[-3:]):
        return []
    remedy = f"Move the file, for example beside the inventory as .{path.name.lstrip('.')}, and correct {variable}."
    return [Problem(Code.FD194, variable, str(path), "a file outside of group_vars and host_vars", remedy)]


def check_file(variable: str, path: Path, due: bool) -> list[Problem]:
    """Problems of ``path``, the value of ``variable``, a file that the collection writes. ``due`` says whether this run
    has to."""
    if path.is_dir():
        return [Problem(Code.FD127, variable, "a directory", "a file on the controller", "Add a file name to it.")]
    if not due or not (why := unwritable(path)):
        return []
    return [
        Problem(
            Code.FD194,
            variable,
            why,
            f"a place where {path} can be written",
            f"Give that user the right, or set {variable}.",
        )
    ]


def unwritable(path: Path) -> str:
    """Why ``path`` cannot be written, in words; empty when it can, as far as can be known without doing it. Changes
    nothing."""
    try:
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            return f"{folder}, which is no directory"
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"the directory {folder}, which the user who runs Ansible cannot write"
        # The file itself is replaced, which asks its directory only.
        ignore = path.parent / ".gitignore"
        if ignore.exists() and not os.access(ignore, os.R_OK | os.W_OK):
            return f"{ignore}, which the user who runs Ansible cannot write"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""


def _files(source: str) -> Iterator[Path]:
    """Files of an inventory: itself, or what a directory holds, and its group_vars and host_vars."""
    path = Path(source)
    if path.is_file():
        yield path
        roots = [path.parent / "group_vars", path.parent / "host_vars"]
    else:
        roots = [path]
    for root in roots:
        for directory, inner, names in os.walk(root):
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            for name in sorted(names):
                file = Path(directory) / name
                # A script computes an inventory; what it prints is not in it.
                if file.suffix in _SUFFIXES and not name.startswith(".") and not os.access(file, os.X_OK):
                    yield file


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_size <= _LARGEST else ""
    except (OSError, UnicodeDecodeError):
        return ""


def check_inventories(sources: Iterable[str], secrets_file: str) -> tuple[str | None, dict[str, str]]:
    """The warning about secrets in clear, if any, and the clusters of the inventories, by source or file.

    ``sources`` are the inventories of a run.
    ``secrets_file`` is the managed one, which may be in clear: it has mode 0600 and is ignored by version control.
    """
    own = Path(secrets_file)
    plain: dict[str, list[str]] = {}
    clusters: dict[str, str] = {}
    for source in sources:
        if not os.path.exists(source):
            continue
        name = ""
        complete = []
        for path in _files(source):
            if secrets_file and path.resolve() == own.resolve():
                continue
            text = _read(path)
            if found := _CLUSTER_NAME.search(text):
                name = found[1]
            if _has_whole_cluster(text):
                complete.append(str(path))
            if secrets := plain_secrets(text):
                plain[os.path.relpath(path)] = secrets
        root = Path(source) if os.path.isdir(source) else Path(source).parent
        if name:
            clusters[source] = name
        elif complete:
            # A cluster whose name is not set.
            clusters |= {path: f"the one of {path}" for path in complete}
        elif secrets_file and (root / own.name).exists() and (root / own.name).resolve() != own.resolve():
            clusters[source] = f"the one of {source}"
    return plain_warning(plain), clusters


class _AnyTag(yaml.SafeLoader):
    """Reads the structure of an inventory, whatever tags its values have."""


_AnyTag.add_multi_constructor("", lambda _loader, _suffix, _node: None)


def _has_whole_cluster(text: str) -> bool:
    """Whether ``text``, a static inventory in YAML or INI, puts hosts into every group that Airflow itself needs."""
    names = [f"airflow_{component}" for component in COMPONENTS if component not in OPTIONAL]
    if not all(name in text for name in names):
        return False
    try:
        document = _AnyTag(text).get_single_data()
    except yaml.YAMLError:
        document = None
    found = set(_groups_of(document)) if isinstance(document, dict) else set(re.findall(_INI_GROUP, text))
    return found.issuperset(names)


def _groups_of(groups: object) -> Iterator[str]:
    """Names of the groups with hosts in the ``groups`` of a YAML inventory, at any depth."""
    for name, group in groups.items() if isinstance(groups, dict) else ():
        if isinstance(group, dict):
            if group.get("hosts") or group.get("children"):
                yield str(name)
            yield from _groups_of(group.get("children"))
