"""What the value of each variable may be, beyond its type: ranges, forms and paths. Pure: nothing is looked up."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import ACCOUNTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import is_host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import slots
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.airflow_options import SECRET_NAME
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

# Task slots of one queue.
_MOST_SLOTS = 1000
# Lowest and highest value, and why. The highest ones are far beyond use: they find a wrong unit or a digit too many.
RANGES: dict[str, tuple[int, int, str]] = {
    "airflow_restart_timeout_seconds": (30, 7200, "An api-server alone takes 20 s to start."),
    "airflow_restart_parallel_hosts": (1, 1000, "At least one host has to restart at a time."),
    "airflow_watchdog_interval_seconds": (10, 86400, "A health check itself takes seconds."),
    "airflow_watchdog_failures": (1, 1000, "A service is restarted after that many failures."),
    "airflow_verify_timeout_seconds": (30, 86400, "The canary's tasks take 20 s on an idle cluster."),
    "airflow_dags_keep_revisions": (1, 100, "The current revision is one of them."),
    "airflow_keep_releases": (1, 100, "The current release is one of them."),
    "airflow_max_task_seconds": (60, 31_536_000, "Seconds, not milliseconds: it is the longest task."),
    "airflow_sqs_visibility_timeout_seconds": (60, 43_200, "SQS keeps no message back for longer."),
    "airflow_webserver_workers": (1, 64, "Each is a server process of about 300 MB."),
    "airflow_certificate_days": (1, 3650, "Browsers refuse more than 398; the CA itself lives ten years."),
    "airflow_certificate_renew_days": (0, 3650, "More than its lifetime renews a certificate in every run."),
    "airflow_firewall_guard_seconds": (10, 3600, "Ansible needs a few seconds to reconnect."),
    "airflow_failover_email_port": (1, 65535, "It is the mail server's."),
    "airflow_vip_router_id": (1, 255, "VRRP knows no others."),
    "airflow_worker_concurrency": (0, _MOST_SLOTS, "0 derives it; each slot is a process."),
    "airflow_worker_drain_timeout_seconds": (10, 31_536_000, "systemd takes 0 for no limit at all."),
}
# What the whole value must look like.
_FORMS: dict[str, tuple[str, str, str]] = {
    "airflow_cluster_name": (
        r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
        "1 to 63 letters, digits or '-', no '-' at the ends",
        "It becomes part of names of files and services: choose a plain one.",
    ),
    "airflow_user": (
        r"[a-z_][a-z0-9_-]{0,30}",
        "a Debian account name in lower case",
        "Choose a plain name of up to 31 characters.",
    ),
    **dict.fromkeys(
        ACCOUNTS.values(),
        (r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", "1 to 64 letters, digits, '.', '_', '@', '+' or '-'", "Choose another."),
    ),
    "airflow_admin_email": (r"[^@\s]+@[^@\s]+", "an address with one '@'", "Correct the address."),
    "airflow_failover_email_from": (r"([^@\s]+@[^@\s]+)?", "an address with one '@'", "Correct the address."),
    # One colon would be that of a port.
    "airflow_failover_email_host": (
        r"[A-Za-z0-9._-]*|[0-9A-Fa-f.:]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*",
        "the name or address of a mail server",
        "Give its port as airflow_failover_email_port.",
    ),
    **{
        f"airflow_{component}_memory_max": (
            r"infinity|[1-9]\d*[KMGT]?|(100|[1-9]?\d)(\.\d+)?%",
            "infinity, bytes with K, M, G or T, or a percentage",
            "Write it as systemd's MemoryMax, for example 4G.",
        )
        for component in COMPONENTS
    },
}
# The other accounts of the cluster, and those that own files of the system.
_SYSTEM_ACCOUNTS = frozenset(
    {"root", "postgres", "rabbitmq", "redis", "haproxy", "daemon", "nobody", "www-data", "sys", "bin", "mail", "backup"}
)
# Below 256 MiB no Airflow process comes up.
_LEAST_MEMORY = 256 * 1024**2
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_URLS = {
    "airflow_url": ("http", "https"),
    "airflow_failover_webhook_url": ("http", "https"),
    "airflow_package_index_url": ("http", "https", "file"),
    "airflow_sqs_endpoint_url": ("http", "https"),
    "airflow_package_proxy": ("http", "https", "socks5"),
}
# Without login and query: they are shown.
_PLAIN_URLS = ("airflow_url", "airflow_sqs_endpoint_url")
_PATHS_ON_HOST = ("airflow_home", "airflow_log_dir", "airflow_root", "airflow_uv_cache_dir", "airflow_package_ca_file")
_PATHS_ON_CONTROLLER = (
    "airflow_ca_file",
    "airflow_certificates_file",
    "airflow_dags_dir",
    "airflow_lock_file",
    "airflow_release_cache",
    "airflow_secrets_file",
    "airflow_web_certificate_file",
    "airflow_web_key_file",
)
_PATHS_OR_NOTHING = frozenset(
    {
        "airflow_package_ca_file",
        "airflow_dags_dir",
        "airflow_lock_file",
        "airflow_web_certificate_file",
        "airflow_web_key_file",
    }
)
# Not for data: emptied at boot, not writable, or the system's own.
_SYSTEM_DIR = re.compile(
    r"/((bin|boot|dev|etc|lib\w*|proc|root|run|sbin|sys|tmp|usr/(bin|lib\w*|sbin|share)|var/(run|tmp))"
    r"|var/(lib|log)/(apt|dpkg|haproxy|postgresql|rabbitmq|redis|systemd))(/.*)?"
)
# For the data of many: a directory below is right.
_SHARED_DIR = re.compile(
    r"/(home|media|mnt|opt|srv|usr|usr/local|usr/local/(bin|lib)|var|var/(cache|lib|log|opt|spool))?"
)
_PATH = re.compile(r"/[A-Za-z0-9/._+@-]*")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?")
# A name with extras, then nothing, a comparison of versions, a direct reference or a marker.
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[A-Za-z0-9._,\s-]*\])?\s*"
    r"((===|==|>=|<=|~=|!=|<|>)\s*[A-Za-z0-9.*+!_-]+(\s*,\s*(===|==|>=|<=|~=|!=|<|>)\s*[A-Za-z0-9.*+!_-]+)*|@\s*\S+)?\s*(;.*)?"
)
_AIRFLOW_ITSELF = frozenset({"apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# PostgreSQL settings that belong to the collection, and settings that cost data.
_POSTGRESQL_OWNED = {
    "port": "Set airflow_metastore_port.",
    "listen_addresses": "Who may connect is decided by the collection: leave it out.",
    "data_directory": "Debian's cluster main is used: leave it out.",
    "config_file": "Leave it out.",
    "hba_file": "The collection writes pg_hba.conf: leave it out.",
    "ident_file": "The collection writes pg_ident.conf: leave it out.",
    "unix_socket_directories": "The collection logs in through Debian's socket: leave it out.",
    "password_encryption": "pg_hba.conf asks for SCRAM: leave it out.",
}
_POSTGRESQL_NEVER_OFF = {
    "fsync": "Without it, a power failure destroys the metastore.",
    "full_page_writes": "Without it, a power failure can destroy the metastore.",
}


def url_fault(value: str, schemes: Iterable[str], plain: bool = False) -> str | None:
    """The fault of a URL whose scheme must be one of ``schemes``; None for a good one. It never repeats a login.

    A ``plain`` URL has neither login nor query.
    """
    if re.search(r"[\s\0-\x1f\x7f]", value):
        return "white space in it"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "an invalid host or port"
    schemes = tuple(schemes)
    if parts.scheme not in schemes:
        return f"{parts.scheme + '://' if parts.scheme and '://' in value else 'no scheme'} at its beginning"
    if parts.scheme == "file":
        return None if parts.path.startswith("/") else "no absolute path"
    if not parts.hostname or not is_host(parts.hostname):
        return "no valid host"
    if port == 0:
        return "port 0"
    if plain and (parts.username is not None or parts.password is not None):
        return "a login in it"
    if plain and (parts.query or parts.fragment):
        return "a query or fragment"
    return None


def is_certificate(text: str) -> bool:
    """Whether ``text`` is one or more certificates in PEM."""
    try:
        ssl.create_default_context(cadata=text)
    except (ValueError, ssl.SSLError):
        return False
    return True


def check_values(values: Mapping[str, Any], version: str) -> list[Problem]:
    """Problems of variables that have their right type. ``values`` maps names to values; ``version`` is Airflow's."""
    problems: list[Problem] = []
    for name, value in values.items():
        if name in RANGES:
            low, high, why = RANGES[name]
            if not low <= int(value) <= high:
                problems.append(Problem(Code.FD116, f"variable {name}", str(value), f"{low} to {high}", why))
        elif name in _FORMS:
            problems += _check_form(name, str(value))
        elif name in _URLS:
            fault = url_fault(str(value), _URLS[name], plain=name in _PLAIN_URLS) if str(value) else None
            # The clients ask for queues by host and port.
            if not fault and name == "airflow_sqs_endpoint_url" and urlsplit(str(value)).path.strip("/"):
                fault = "a path"
            problems += [_url_problem(name, fault, _URLS[name])] if fault else []
        elif name in _PATHS_ON_HOST or name in _PATHS_ON_CONTROLLER:
            problems += _check_path(name, str(value))
        elif name in _LISTS:
            problems += _LISTS[name](name, value, version)
    return problems


def _url_problem(name: str, fault: str, schemes: Iterable[str]) -> Problem:
    expected = f"{' or '.join(f'{scheme}://' for scheme in schemes)} and a host, with a port where needed"
    return Problem(Code.FD119, f"variable {name}", f"a URL with {fault}", expected, "Correct the URL.")


def _check_form(name: str, value: str) -> list[Problem]:
    pattern, expected, remedy = _FORMS[name]
    where = f"variable {name}"
    if not re.fullmatch(pattern, value):
        return [Problem(Code.FD117, where, repr(value), expected, remedy)]
    if name == "airflow_user" and value in _SYSTEM_ACCOUNTS:
        return [
            Problem(
                Code.FD117,
                where,
                repr(value),
                "an account of its own",
                "Airflow runs the users' code: it must not be another service.",
            )
        ]
    if name.endswith("_memory_max") and value != "infinity" and not value.endswith("%"):
        digits, unit = (value[:-1], value[-1]) if value[-1].isalpha() else (value, "")
        if int(digits) * _UNITS[unit] < _LEAST_MEMORY:
            return [
                Problem(
                    Code.FD116,
                    where,
                    value,
                    "at least 256M",
                    "A number without a unit means bytes; no Airflow process starts in less.",
                )
            ]
    if name.endswith("_memory_max") and re.fullmatch(r"0(\.\d+)?%", value):
        return [Problem(Code.FD116, where, value, "at least 1%", "No Airflow process starts in less.")]
    return []


def _check_path(name: str, value: str) -> list[Problem]:
    where = f"variable {name}"
    if not value:
        needed = name not in _PATHS_OR_NOTHING
        return (
            [Problem(Code.FD126, where, "nothing", "an absolute path", "Leave it out, or give a path.")]
            if needed
            else []
        )
    if name in _PATHS_ON_CONTROLLER:
        if re.search(r"[\0\n\r]", value) or not value.startswith(("/", "~")):
            return [
                Problem(
                    Code.FD126,
                    where,
                    repr(value),
                    "an absolute path on the controller",
                    "Begin it with /, or {{ inventory_dir }}/.",
                )
            ]
        return []
    if not _PATH.fullmatch(value) or ".." in value.split("/"):
        return [
            Problem(
                Code.FD126,
                where,
                repr(value),
                "an absolute path of letters, digits and . _ + @ - /",
                "It stands in unit files and configurations: choose a plain one.",
            )
        ]
    path = "/" + "/".join(part for part in value.split("/") if part not in ("", "."))
    if name == "airflow_package_ca_file":
        return []
    # A cache may be anywhere.
    if _SHARED_DIR.fullmatch(path) or (_SYSTEM_DIR.fullmatch(path) and name != "airflow_uv_cache_dir"):
        remedy = "This one is the system's: choose one below /var/lib, /opt or /srv."
        return [Problem(Code.FD126, where, repr(value), "a directory of its own", remedy)]
    return []


def _elements(value: Any) -> list[str]:
    return [str(element) for element in value]


def _check_requirements(name: str, value: Any, version: str) -> list[Problem]:
    problems = []
    where = f"variable {name}"
    seen: dict[str, str] = {}
    for text in _elements(value):
        match = _REQUIREMENT.fullmatch(text.strip())
        if not match:
            # The text may hold a login.
            shown = repr(text) if "@" not in text else "a requirement"
            problems.append(
                Problem(
                    Code.FD117,
                    where,
                    shown,
                    "one Python requirement, for example name==1.0",
                    "No options and no paths: one package each.",
                )
            )
            continue
        package = re.sub(r"[-_.]+", "-", match["name"]).lower()
        if re.search(r"@\s*\S*://[^/\s]*@", text):
            problems.append(
                Problem(
                    Code.FD117,
                    where,
                    f"a login in the URL of {package}",
                    "no login",
                    "Everybody on the host can read it: use a package index.",
                )
            )
        if package in _AIRFLOW_ITSELF:
            problems.append(
                Problem(
                    Code.FD117,
                    where,
                    repr(text),
                    f"packages besides Airflow {version}",
                    "Set airflow_version, or airflow_lock_file.",
                )
            )
        if package in seen:
            problems.append(
                Problem(Code.FD117, where, f"{package} twice", "each package once", "Remove one of the two.")
            )
        seen[package] = text
    return problems


def _check_packages(name: str, value: Any, _version: str) -> list[Problem]:
    wrong = [text for text in _elements(value) if not _PACKAGE.fullmatch(text)]
    return [
        Problem(
            Code.FD117,
            f"variable {name}",
            repr(text),
            "the name of a Debian package",
            "One package each: lower case, no options.",
        )
        for text in wrong
    ]


def _check_indexes(name: str, value: Any, _version: str) -> list[Problem]:
    schemes = _URLS["airflow_package_index_url"]
    faults = [url_fault(text, schemes) for text in _elements(value)]
    return [_url_problem(name, fault, schemes) for fault in faults if fault]


def _check_sections(name: str, value: Any, _version: str) -> list[Problem]:
    wrong = [text for text in _elements(value) if not re.fullmatch(r"[a-z][a-z0-9_.]*", text)]
    return [
        Problem(
            Code.FD117,
            f"variable {name}",
            repr(text),
            "a section's name in lower case",
            "Write the name as the package's documentation does.",
        )
        for text in wrong
    ]


def _check_recipients(name: str, value: Any, _version: str) -> list[Problem]:
    wrong = [text for text in _elements(value) if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", text)]
    return [
        Problem(Code.FD117, f"variable {name}", repr(text), "an address with one '@'", "One recipient per entry.")
        for text in wrong
    ]


def _check_environment(name: str, value: Mapping[str, Any], _version: str) -> list[Problem]:
    """Names, forms and secrets of environment variables; what stands for an option of airflow.cfg is checked with
    the options."""
    problems = []
    for variable, content in value.items():
        where = f"{name}.{variable}"
        text = "" if content is None else str(content)
        if not _VARIABLE.fullmatch(str(variable)):
            problems.append(
                _environment(where, "an invalid name", "letters, digits and '_', no digit first", "Correct the name.")
            )
        elif isinstance(content, (dict, list)):
            problems.append(_environment(where, "a list or dictionary", "text", "Write it as text."))
        elif re.search(r"[\n\r\0]", text):
            problems.append(
                _environment(
                    where, "a line break or NUL", "one line", "An environment file holds one line per variable."
                )
            )
        elif variable in ("AIRFLOW_HOME", "AIRFLOW_CONFIG"):
            remedy = "Set airflow_home." if variable == "AIRFLOW_HOME" else "Set airflow_config."
            problems.append(
                _environment(where, "a variable that the collection sets", "to leave it to the collection", remedy)
            )
        elif variable == "PYTHONPATH" and "/etc/airflow/python" not in text.split(":"):
            remedy = "Airflow finds the address of its host there: add it with a colon."
            problems.append(_environment(where, repr(text), "/etc/airflow/python in it", remedy))
        elif re.match(r"AIRFLOW_CONN_", str(variable)) and (
            re.search(r"://[^/\s:@]*:[^/\s@]+@", text) or re.search(r'"(password|secret|token)\w*"\s*:\s*"[^"]', text)
        ):
            remedy = (
                "Every user of the host can read the environment of a process: store the connection in Airflow or "
                "a secrets backend."
            )
            problems.append(_environment(where, "a connection with a password", "no secret", remedy))
        # Names of Airflow's options are checked with all others of Airflow.
        elif text and SECRET_NAME.search(str(variable)) and not str(variable).startswith("AIRFLOW__"):
            remedy = (
                "Diffs and processes show it: keep it in an Airflow connection, a secrets backend, or a file whose "
                "path stands here."
            )
            if str(variable).startswith("AWS_"):
                remedy += " For SQS set airflow_sqs_access_key_id and airflow_sqs_secret_access_key."
            problems.append(_environment(where, "a secret in clear", "no secret", remedy))
    return problems


def _environment(where: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem(Code.FD139, where, found, expected, remedy)


def _check_postgresql(name: str, value: Mapping[str, Any], _version: str) -> list[Problem]:
    problems = []
    for setting, content in value.items():
        where = f"{name}.{setting}"
        lowered = str(setting).lower()
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?", str(setting)) or lowered.startswith(
            "include"
        ):
            problems.append(
                Problem(Code.FD117, where, "no setting's name", "the name of a PostgreSQL setting", "Correct the name.")
            )
        elif lowered in _POSTGRESQL_OWNED:
            problems.append(
                Problem(
                    Code.FD134,
                    where,
                    "a setting of the collection",
                    "to leave it to the collection",
                    _POSTGRESQL_OWNED[lowered],
                )
            )
        elif isinstance(content, dict) or content is None or re.search(r"[\n\r\0]", str(content)):
            problems.append(
                Problem(
                    Code.FD117,
                    where,
                    "no single value",
                    "text, a number, true or false",
                    "Write one value on one line.",
                )
            )
        elif lowered in _POSTGRESQL_NEVER_OFF and str(content).lower() in ("false", "off", "no", "0"):
            problems.append(Problem(Code.FD117, where, str(content), "on", _POSTGRESQL_NEVER_OFF[lowered]))
    return problems


_LISTS: dict[str, Callable[[str, Any, str], list[Problem]]] = {
    "airflow_extra_packages": _check_requirements,
    "airflow_system_packages": _check_packages,
    "airflow_package_extra_index_urls": _check_indexes,
    "airflow_config_extra_sections": _check_sections,
    "airflow_environment": _check_environment,
    "airflow_failover_email_to": _check_recipients,
    "airflow_postgresql_config": _check_postgresql,
}


def check_queue_entries(where: str, value: Any) -> list[Problem]:
    """Problems of the form of ``airflow_worker_queues``: each entry is a name or {name, concurrency}."""
    problems = []
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, Mapping):
            unknown = sorted(str(key) for key in entry if key not in ("name", "concurrency"))
            if unknown:
                problems.append(
                    Problem(
                        Code.FD115,
                        where,
                        f"{', '.join(unknown)} of a queue",
                        "name and concurrency only",
                        "Remove or correct the key.",
                    )
                )
            if "name" not in entry:
                problems.append(
                    Problem(
                        Code.FD115, where, "a queue without a name", "{name: ..., concurrency: ...}", "Add the name."
                    )
                )
            if isinstance(entry.get("concurrency"), bool):
                problems.append(
                    Problem(
                        Code.FD115,
                        where,
                        "a truth value as concurrency",
                        "a whole number",
                        "Write a number, or leave it out.",
                    )
                )
            elif (number := slots(entry.get("concurrency"))) is None or number > _MOST_SLOTS:
                problems.append(
                    Problem(
                        Code.FD112,
                        where,
                        f"concurrency {entry.get('concurrency')!r} of queue {str(entry.get('name', ''))!r}",
                        f"a whole number, 0 to {_MOST_SLOTS}",
                        "Give the tasks at once, or leave it out: 0 derives it from processors and memory.",
                    )
                )
        elif isinstance(entry, (list, bool)) or entry is None:
            problems.append(
                Problem(
                    Code.FD115,
                    where,
                    repr(entry),
                    "a name, or {name: ..., concurrency: ...}",
                    "Write the queue's name.",
                )
            )
    return problems


def check_relations(settings: Settings, drains: Mapping[str, int]) -> list[Problem]:
    """Variables that contradict each other. ``drains`` maps worker hosts to their drain timeout in seconds."""
    problems = []
    longest = settings.max_task_seconds
    slow = {host: seconds for host, seconds in drains.items() if seconds > longest}
    if slow:
        host, seconds = next(iter(slow.items()))
        problems.append(
            Problem(
                Code.FD129,
                "airflow_max_task_seconds",
                f"{longest} s, less than airflow_worker_drain_timeout_seconds, {seconds} s on host {host}",
                "the longest task, at least as long as a worker waits for one",
                "Raise it: the broker takes back the message of every task that runs longer, and the task runs twice.",
            )
        )
    root, home, logs = (path.rstrip("/") for path in (settings.root, settings.home, settings.log_dir))
    for name, path in (("airflow_home", home), ("airflow_log_dir", logs)):
        if f"{root}/".startswith(f"{path}/") or f"{path}/".startswith(f"{root}/"):
            problems.append(
                Problem(
                    Code.FD129,
                    "airflow_root",
                    f"{root}, which is or shares a path with {name}, {path}",
                    "releases outside of what the Airflow account may write",
                    "Move one of the two.",
                )
            )
    if home == logs:
        problems.append(
            Problem(
                Code.FD129,
                "airflow_log_dir",
                f"{logs}, which is airflow_home too",
                "two directories",
                "Choose one below it.",
            )
        )
    return problems
