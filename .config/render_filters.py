"""Write plugins/filter/<name>.yml, which ansible-doc shows, from signatures and docstrings of the filters. `make docs`
runs it, a unit test compares."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "plugins" / "filter"
HEAD = "---\n# Made from plugins/filter/{file}.py by `make docs`: do not edit.\n"
NOTE = "For the roles and playbooks of this collection, whose needs its arguments follow."
TYPES = {"str": "str", "int": "int", "float": "float", "bool": "bool", "Any": "raw"}

# What an argument is, where the filters that have one of its name mean the same.
ARGUMENTS = {
    "account": "Name of the account that was removed, empty when it was to stay.",
    "address": "The address that other hosts know the host by.",
    "airflow": "Version of Airflow.",
    "back": "Whether it goes back to that version.",
    "bundles": "The DAG bundles of a host.",
    "certificates": "The certificates, made by the entry point C(cluster) of the role C(airflow).",
    "change": "What P(flightdeck.airflow.upgrade_change#filter) returned.",
    "cluster": "The cluster model.",
    "compared": "What the module C(schema_info) found, empty when it found nothing.",
    "component": "Name of a component of Airflow, such as C(scheduler).",
    "components": "Names of the components that the host has.",
    "config": "Options by section.",
    "current": "The settings that there are.",
    "database": "A database of the model.",
    "databases": "Databases of the model.",
    "derived": "Task slots of a queue that says no number.",
    "directory": "Path of a directory on the host.",
    "disks": "Size and free space of the host's disks by path.",
    "environment": "Variables of Airflow's environment.",
    "exported": "RabbitMQ's definitions, as its API exports them.",
    "exporters": "Exporters of a host's share of the model.",
    "extra_sections": "Names of sections that only a plugin of the user's knows.",
    "facts": "What the module C(preflight_facts) found on the host.",
    "file": "A file of the model.",
    "files": "Files of the model.",
    "found": "What the checks found.",
    "free": "Free bytes by host.",
    "group": "The group that may read the files.",
    "held": "What the server has, from the query of the role.",
    "host": "A host's name in the inventory.",
    "hosts": "Names or addresses.",
    "hostvars": "Ansible's own C(hostvars).",
    "inputs": "Text that changes the digest.",
    "key": "The secret C(digest_key).",
    "keys": "Fernet keys with commas between them.",
    "kind": "The type of a backup.",
    "known": "What the release says of its options.",
    "label": "The label of a backup, or empty.",
    "log_dir": "Path of the directory of the logs.",
    "major": "Major version of Airflow.",
    "max_connections": "PostgreSQL's C(max_connections).",
    "memory_mb": "Memory of the host in MiB.",
    "method": "What makes the backups, C(pgbackrest) or C(dump).",
    "name": "The cluster's name.",
    "names": "Names of hosts.",
    "node": "A host's share of the model.",
    "nodes": "The shares of all hosts by name.",
    "option": "Name of an option with its section and a dot, or empty.",
    "others": "What else changes the digest.",
    "own": "What the roles recorded as their own.",
    "password_file": "Path of the file with the password of Prometheus's own account.",
    "paths": "Paths of URLs.",
    "postgresql": "Version of PostgreSQL.",
    "present": "What was found on the host.",
    "python": "Minor version of Python.",
    "queue": "Name of a queue.",
    "queues": "Queues of the host.",
    "releases": "Active releases by host, empty where there is none.",
    "remote_control": "Whether workers answer Celery's remote control.",
    "rights": "Privileges, with commas between them, by type of object.",
    "rows": "What the module C(node_info) says of a host.",
    "run": "What the run has.",
    "said": "The output of the command.",
    "secret_versions": "Fingerprints of secret files by name.",
    "services": "Names of backing services; all of the host without any.",
    "settings": "Settings by name.",
    "share": "A share of the model or of the memory.",
    "shares": "Databases or nodes of the model that have an account.",
    "size": "Bytes of the restored data.",
    "skipped": "Tags that the run skips.",
    "system": "The fact C(flightdeck_system).",
    "text": "Output of C(pgbackrest info).",
    "time": "A time of the user's, or empty.",
    "timelines": "The timelines of the server, as C(flightdeck-restore history) prints them; empty for dumps.",
    "tls": "Whether the cluster encrypts.",
    "tls_dir": "Directory with the certificates, empty without TLS.",
    "token": "What a Fernet key encrypted.",
    "total_mb": "Memory of the host in MiB.",
    "user": "The account that the service runs as.",
    "users": "What belongs to the user.",
    "value": "What is converted.",
    "values": "The secrets, made by the entry point C(cluster) of the role C(airflow).",
    "variables": "Values by name.",
    "vcpus": "Processors of the host.",
    "version": "A version of Airflow.",
    "wanted": "The settings that there should be.",
    "webhook": "The secret C(alert_webhook_url), or empty.",
    "email_password": "The secret C(alert_email_password), or empty.",
    "workers": "Number of worker services on the host.",
}


def type_of(annotation: str) -> dict[str, str]:
    """Type of an option, and that of its elements, from the ``annotation`` of a parameter or result."""
    head, _, rest = annotation.split(" | ")[0].partition("[")
    if head in ("Iterable", "list", "Sequence"):
        return {"type": "list", "elements": type_of(rest.removesuffix("]"))["type"]}
    return {"type": TYPES.get(head, "dict")}


def marked(text: str) -> str:
    """``text`` of a docstring in Ansible's markup, on one line."""
    return re.sub(r"``(.+?)``(?!`)", r"C(\1)", " ".join(text.split()))


def document(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """The documentation of the filter ``name``. Raises KeyError for an argument that ARGUMENTS does not have."""
    function = inspect.unwrap(function)
    said = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    options, positional = {}, []
    for number, parameter in enumerate(signature.parameters.values()):
        # With several values, each has the type.
        several = parameter.kind is inspect.Parameter.VAR_POSITIONAL
        entry: dict[str, Any] = {"description": ARGUMENTS[parameter.name]}
        entry |= {"type": "list", "elements": "raw"} if several else type_of(str(parameter.annotation))
        if parameter.default is not inspect.Parameter.empty:
            entry["default"] = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        elif not several:
            entry["required"] = True
        options[parameter.name if number else "_input"] = entry
        if number and not several and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            positional.append(parameter.name)
    first, *needed = [each for each in signature.parameters.values() if each.default is inspect.Parameter.empty]
    call = ", ".join(each.name for each in needed)
    paragraphs = [marked(each) for each in said.split("\n\n")]
    short = re.sub(r"C\((.+?)\)", r"\1", re.split(r"[.:;]( |$)", paragraphs[0])[0])
    docs = {
        "name": name,
        "short_description": short[0].upper() + short[1:],
        "version_added": "0.1.0",
        "description": [*paragraphs, NOTE],
        "author": "Flightdeck contributors (@flightdeck)",
        "options": options,
    }
    if positional:
        docs["positional"] = ", ".join(positional)
    return {
        "DOCUMENTATION": docs,
        "EXAMPLES": f'result: "{{{{ {first.name} | flightdeck.airflow.{name}{f"({call})" if call else ""} }}}}"\n',
        "RETURN": {"_value": {"description": paragraphs[0], **type_of(str(signature.return_annotation))}},
    }


class _Dumper(yaml.SafeDumper):
    """Text of several lines as such, and no references."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Nothing is written as a reference."""
        return True

    def increase_indent(self, flow: bool = False, *_how: Any, **_named: Any) -> None:
        """Lists stand deeper than their key, as in the other files."""
        super().increase_indent(flow, False)


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if text.endswith("\n") else None
    ),
)


def filters() -> Mapping[str, tuple[str, Callable[..., Any]]]:
    """Every filter by name, with the name of its file."""
    if str(ROOT / ".collections") not in sys.path:
        sys.path.insert(0, str(ROOT / ".collections"))
    found: dict[str, tuple[str, Callable[..., Any]]] = {}
    for path in sorted(TARGET.glob("*.py")):
        module = importlib.import_module(f"ansible_collections.flightdeck.airflow.plugins.filter.{path.stem}")
        found |= {name: (path.stem, function) for name, function in module.FilterModule().filters().items()}
    return found


def render() -> dict[Path, str]:
    """Every file with its text."""
    return {
        TARGET / f"{name}.yml": HEAD.format(file=file)
        + yaml.dump(document(name, function), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
        for name, (file, function) in filters().items()
    }


if __name__ == "__main__":
    files = render()
    for stale in set(TARGET.glob("*.yml")) - set(files):
        stale.unlink()
    for target, content in files.items():
        target.write_text(content, encoding="utf-8")
