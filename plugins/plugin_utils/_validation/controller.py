"""What the validation reads on the controller: the inventory's own files, and files that variables name."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

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
_CLUSTER_NAME = re.compile(r"^\s*[\"']?airflow_cluster_name[\"']?\s*[:=]\s*[\"']?([A-Za-z0-9_.-]+)", re.MULTILINE)


def check_ansible(version: str, requires: str) -> list[Problem]:
    """A problem when ansible-core ``version`` is not what ``requires`` (a version specifier) says, and for each
    collection like that."""
    problems = []
    if not SpecifierSet(requires).contains(version, prereleases=True):
        problems.append(
            Problem(
                Code.FD124,
                "ansible-core",
                version,
                requires,
                "Install one with pip; see requirements.in for the tested one.",
            )
        )
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
        text = Path(lock_file).expanduser().read_text(encoding="utf-8")
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


def check_web_certificate(certificate_file: str, key_file: str, host: str, now: datetime.datetime) -> list[Problem]:
    """Problems of the certificate that users see and its key, when the user brings one.

    ``host`` is the name or address that it must contain; empty for any.
    """
    if not certificate_file and not key_file:
        return []
    where = "airflow_web_certificate_file and airflow_web_key_file"
    if not certificate_file or not key_file:
        found = f"only airflow_web_{'certificate' if certificate_file else 'key'}_file"
        return [Problem(Code.FD140, where, found, "both, or none of the two", "Set the other one, too.")]
    try:
        certificate, key = (
            Path(path).expanduser().read_text(encoding="utf-8") for path in (certificate_file, key_file)
        )
        problem = certificates.mismatch(certificate, key, now)
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or 'no text'}"
    if problem:
        return [
            Problem(
                Code.FD140,
                where,
                f"{certificate_file!r} and {key_file!r}: {problem}",
                "a PEM certificate that is valid now and its unencrypted private key",
                "Correct the paths or the files; both empty lets the cluster's own CA sign one.",
            )
        ]
    names = certificates.other_names(certificate, host) if host else None
    if not names:
        return []
    remedy = "Set airflow_url to the URL that people open, or take a certificate for its host."
    return [
        Problem(
            Code.FD196,
            "airflow_web_certificate_file",
            f"a certificate for {names}",
            f"one for {host}, the host of the URL",
            remedy,
        )
    ]


def check_places(dags_dir: str, release_cache: str, secrets_file: str) -> list[Problem]:
    """Problems of the directories and the file that the controller needs, for what exists there already."""
    problems = []
    if dags_dir and not Path(dags_dir).expanduser().is_dir():
        problems.append(
            Problem(
                Code.FD111,
                "airflow_dags_dir",
                repr(dags_dir),
                "a directory on the controller",
                "Make it, or correct the path.",
            )
        )
    cache, secrets = (Path(path).expanduser() for path in (release_cache, secrets_file))
    if release_cache and cache.exists() and not cache.is_dir():
        problems.append(
            Problem(
                Code.FD127, "airflow_release_cache", "a file", "a directory on the controller", "Choose another path."
            )
        )
    if secrets_file and secrets.is_dir():
        problems.append(
            Problem(
                Code.FD127, "airflow_secrets_file", "a directory", "a file on the controller", "Add a file name to it."
            )
        )
    return problems


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
    """The warning about secrets in clear, if any, and the cluster of each inventory that says which one it is.

    ``sources`` are the inventories of a run.
    ``secrets_file`` is the managed one, which may be in clear: it has mode 0600 and is ignored by version control.
    """
    own = Path(secrets_file)
    plain: dict[str, list[str]] = {}
    clusters: dict[str, str] = {}
    for source in sources:
        if not os.path.exists(source):
            continue
        for path in _files(source):
            if path.name == own.name:
                # Whose name is not set, but has secrets: a cluster of its own.
                clusters.setdefault(source, f"the one of {source}")
            if secrets_file and path.resolve() == own.resolve():
                continue
            text = _read(path)
            if name := _CLUSTER_NAME.search(text):
                clusters[source] = name[1]
            if found := plain_secrets(text):
                plain[os.path.relpath(path)] = found
    return plain_warning(plain), clusters
