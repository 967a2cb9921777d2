# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the value of each variable may be, beyond its type: ranges, forms and paths. Pure: nothing is looked up."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import ACCOUNTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS, SIZE_UNITS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import is_address, is_host, unusable
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import slots
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.credentials import (
    is_secret_text,
    is_secret_variable,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.firewall import check_source
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.proxies import PROXY_NAME
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.time_zones import is_time_zone
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import kind_of, plain

# Task slots of one queue.
_MOST_SLOTS = 1000
# Lowest and highest value, and why. The highest ones are far beyond use: they find a wrong unit or a digit too many.
RANGES: dict[str, tuple[int, int, str]] = {
    "airflow_restart_timeout_seconds": (30, 7200, "An api-server alone takes 20 s to start."),
    "airflow_restart_parallel_hosts": (1, 1000, "At least one host has to restart at a time."),
    "airflow_watchdog_interval_seconds": (10, 86400, "A health check itself takes seconds."),
    "airflow_watchdog_failures": (1, 1000, "A service is restarted after that many failures."),
    "airflow_verify_timeout_seconds": (30, 86400, "The canary's tasks take 20 s on an idle cluster."),
    "airflow_log_retention_days": (1, 36_500, "To keep logs for good, give so many days that none is that old."),
    "airflow_db_clean_days": (1, 36_500, "To keep rows for good, do not switch it on."),
    "airflow_db_clean_results_days": (1, 36_500, "Schedulers ask for the result of a task until it has ended."),
    "airflow_db_clean_minutes": (5, 1440, "The command alone takes 20 s to start on a busy host."),
    "airflow_dags_keep_revisions": (1, 100, "The current revision is one of them."),
    "airflow_keep_releases": (1, 100, "The current release is one of them."),
    "airflow_max_task_seconds": (60, 31_536_000, "Seconds, not milliseconds: it is the longest task."),
    "airflow_sqs_visibility_timeout_seconds": (60, 43_200, "SQS keeps no message back for longer."),
    "airflow_webserver_workers": (1, 64, "Each is a server process of about 300 MB."),
    "airflow_certificate_days": (1, 3650, "Browsers refuse more than 398; the CA itself lives ten years."),
    "airflow_certificate_renew_days": (0, 3650, "More than its lifetime renews a certificate in every run."),
    "airflow_firewall_guard_seconds": (10, 3600, "Ansible needs a few seconds to reconnect."),
    "airflow_backup_keep_full": (1, 1000, "The oldest one goes when a new one is complete."),
    "airflow_backup_keep_diff": (0, 1000, "0 keeps them as long as their full backup."),
    "airflow_backup_max_age_hours": (1, 8760, "Hours: it is the time between two backups, and some."),
    "airflow_backup_archive_timeout_seconds": (10, 3600, "Each time takes a file of 16 MiB, compressed."),
    "airflow_backup_archive_queue_mb": (64, 1_048_576, "A segment of the write-ahead log has 16 MiB."),
    **dict.fromkeys(
        ("airflow_alert_email_port", "airflow_failover_email_port"), (1, 65535, "It is the mail server's.")
    ),
    "airflow_metrics_seconds": (5, 60, "Alerts need several values within a minute or two."),
    "airflow_journal_retention_days": (1, 3650, "Days: airflow_journal_max_size limits them, too."),
    "airflow_monitoring_retention_days": (1, 3650, "Days: the disk of the host limits them."),
    "airflow_kerberos_renew_seconds": (10, 86400, "Each renewal asks the KDC; tickets rarely live longer."),
    "airflow_uid": (0, 60_000_000, "0 leaves the choice to Debian."),
    "airflow_gid": (0, 60_000_000, "0 leaves the choice to Debian."),
    "airflow_haproxy_web_timeout_seconds": (5, 86400, "A request that is answered within it is not cut."),
    "airflow_vip_router_id": (1, 255, "VRRP knows no others."),
    "airflow_worker_concurrency": (0, _MOST_SLOTS, "0 derives it; each slot is a process."),
    "airflow_worker_drain_timeout_seconds": (10, 31_536_000, "systemd takes 0 for no limit at all."),
}
_DAY = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
# A part of systemd's OnCalendar: days of the week, or one of the month, and a time; or a word.
_SCHEDULE = (
    rf"((({_DAY}(\.\.{_DAY})?(,{_DAY}(\.\.{_DAY})?)*|\*-\*-([*]|0[1-9]|1\d|2[0-8])) )?"
    r"([*]|[01]\d|2[0-3]|0/([1-9]|1\d|2[0-3])):([0-5]\d|0/[1-5]?\d)(:[0-5]\d)?|hourly|daily|weekly|monthly)?"
)
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
    **{
        f"airflow_backup_{kind}_schedule": (
            _SCHEDULE,
            "a time such as 02:15, Sun 02:15, Mon..Sat 02:15, *-*-01 02:15 or 0/6:00, a word such as daily, or nothing",
            "It is a part of systemd's OnCalendar: see systemd-analyze calendar.",
        )
        for kind in ("full", "diff", "incr")
    },
    "airflow_admin_email": (r"[^@\s]+@[^@\s]+", "an address with one '@'", "Correct the address."),
    **dict.fromkeys(
        ("airflow_alert_email_from", "airflow_failover_email_from"),
        (r"([^@\s]+@[^@\s]+)?", "an address with one '@'", "Correct the address."),
    ),
    # One colon would be that of a port.
    **{
        f"airflow_{kind}_email_host": (
            r"[A-Za-z0-9._-]*|[0-9A-Fa-f.:]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*",
            "the name or address of a mail server",
            f"Give its port as airflow_{kind}_email_port.",
        )
        for kind in ("alert", "failover")
    },
    # As the kernel names them, without what keepalived's configuration reads as its own. `ip` shows eth0@if2 for eth0.
    "airflow_vip_interface": (
        r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,14})?",
        "the name of a network interface, of up to 15 letters, digits, '_', '.' or '-'",
        "Write it as `ip link` shows it, without what follows '@' or ':'.",
    ),
    # Airflow would put the host's address in the place of _HOST, which is no name of a principal.
    "airflow_kerberos_principal": (
        r"((?!\S*_HOST)[A-Za-z0-9_][A-Za-z0-9._$-]*(/[A-Za-z0-9._-]+)?(@[A-Za-z0-9._-]+)?)?",
        "a principal such as airflow@EXAMPLE.COM, without _HOST",
        "The host's own name is {{ inventory_hostname }}, for example.",
    ),
    "airflow_kerberos_realm": (
        r"([A-Za-z0-9][A-Za-z0-9._-]*)?",
        "the name of a realm, such as EXAMPLE.COM",
        "It is the part of a principal behind '@'.",
    ),
    "airflow_sqs_region": (
        r"[A-Za-z0-9_-]*",
        "the name of a region, such as eu-central-1",
        "Write its name, not its title.",
    ),
    # What systemd-analyze takes is known on a host only; these are the characters of all its forms.
    "airflow_db_clean_schedule": (
        r"[A-Za-z0-9*][A-Za-z0-9 ,.:*~/_+-]{0,99}",
        "a time as OnCalendar of systemd",
        "Write it for example as *-*-* 03:30:00 or Sun 04:00; `systemd-analyze calendar` explains one.",
    ),
    "airflow_journal_max_size": (
        r"[1-9]\d{0,14}[KMGT]?",
        "bytes with K, M, G or T",
        "Write it for example as 50G.",
    ),
    "airflow_log_max_size": (
        r"infinity|[1-9]\d{0,14}[KMGT]?|(100|[1-9]\d?)%",
        "bytes with K, M, G or T, a whole percentage, or infinity",
        "Write it for example as 50G.",
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
# A file of a host may take 128 MiB.
_LEAST_JOURNALS = 512 * 1024**2
# What tasks of an hour may well write.
_LEAST_LOGS = 64 * 1024**2
_URLS = {
    "airflow_url": ("http", "https"),
    "airflow_http_proxy": ("http", "https"),
    "airflow_alert_webhook_url": ("http", "https"),
    "airflow_failover_webhook_url": ("http", "https"),
    "airflow_package_index_url": ("http", "https", "file"),
    "airflow_sqs_endpoint_url": ("http", "https"),
    "airflow_package_proxy": ("http", "https", "socks5"),
}
# Without login and query: they are shown.
_PLAIN_URLS = ("airflow_url", "airflow_sqs_endpoint_url", "airflow_http_proxy")
# What Airflow 2 and 3 have at their top: a path that begins like that is ambiguous.
_AIRFLOW_PATHS = frozenset({"api", "auth", "execution", "health", "pluginsv2", "static", "ui"})
_PATHS_ON_HOST = (
    "airflow_backup_directory",
    "airflow_home",
    "airflow_log_dir",
    "airflow_root",
    "airflow_uv_cache_dir",
    "airflow_package_ca_file",
    "airflow_worker_tmp_dir",
)
_PATHS_ON_CONTROLLER = (
    "airflow_ca_file",
    "airflow_certificates_file",
    "airflow_dags_dir",
    "airflow_kerberos_config_file",
    "airflow_kerberos_keytab_file",
    "airflow_lock_file",
    "airflow_monitoring_dir",
    "airflow_plugins_dir",
    "airflow_python_dir",
    "airflow_release_cache",
    "airflow_requirements_file",
    "airflow_secrets_file",
    "airflow_web_certificate_file",
    "airflow_web_key_file",
    "airflow_webserver_config_file",
    "airflow_wheels_dir",
)
_PATHS_OR_NOTHING = frozenset(
    {
        "airflow_package_ca_file",
        "airflow_dags_dir",
        "airflow_kerberos_config_file",
        "airflow_kerberos_keytab_file",
        "airflow_lock_file",
        "airflow_monitoring_dir",
        "airflow_plugins_dir",
        "airflow_python_dir",
        "airflow_requirements_file",
        "airflow_web_certificate_file",
        "airflow_web_key_file",
        "airflow_webserver_config_file",
        "airflow_wheels_dir",
        "airflow_worker_tmp_dir",
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
# Characters.
_SHORTEST_TOKEN = 20
_AIRFLOW_ITSELF = frozenset({"apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk"})
# Bytes of a variable of the environment: Linux takes 128 KiB with its name.
_LONGEST_VARIABLE = 130_000
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
    "client_encoding": "Airflow's texts are in UTF-8: leave it out.",
    "search_path": "The accounts have rights in the schema public only: leave it out.",
    "password_encryption": "pg_hba.conf asks for SCRAM: leave it out.",
    **dict.fromkeys(
        ("ssl", "ssl_ca_file", "ssl_cert_file", "ssl_key_file", "ssl_crl_file", "ssl_crl_dir"), "Set airflow_tls."
    ),
    **dict.fromkeys(
        (
            "cluster_name",
            "hot_standby",
            "primary_conninfo",
            "primary_slot_name",
            "promote_trigger_file",
            "recovery_target",
            "recovery_target_action",
            "recovery_target_inclusive",
            "recovery_target_lsn",
            "recovery_target_name",
            "recovery_target_time",
            "recovery_target_timeline",
            "recovery_target_xid",
            "synchronous_standby_names",
        ),
        "Patroni sets it on each member: leave it out.",
    ),
}
# Settings with the values that they may not have, and why.
_OFF, _ON = ("false", "off", "no", "0"), ("true", "on", "yes", "1")
_TRUTHS = ("true", "false", "yes", "no", "on", "off")
_POSTGRESQL_REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "autovacuum": (_OFF, "on", "Airflow updates its tables all the time: they would grow until the server stops."),
    "default_transaction_isolation": (
        ("serializable", "repeatable read"),
        "read committed",
        "Schedulers would fail each other's transactions.",
    ),
    "default_transaction_read_only": (_ON, "off", "Airflow could write nothing."),
    "fsync": (_OFF, "on", "Without it, a power failure destroys the metastore."),
    "full_page_writes": (_OFF, "on", "Without it, a power failure can destroy the metastore."),
    "ignore_checksum_failure": (_ON, "off", "It hides damage and spreads it."),
    "synchronous_commit": (
        (*_OFF, "local"),
        "on, remote_apply or remote_write",
        "Confirmed writes would be lost with a host.",
    ),
    "wal_level": (("minimal",), "replica or logical", "Nothing could follow the server or archive it."),
    "zero_damaged_pages": (_ON, "off", "It deletes data."),
}
# Settings with the lowest value that they may have, and why. Memory in MiB.
_POSTGRESQL_LEAST: dict[str, tuple[int, str]] = {
    "max_connections": (1, "How many the cluster needs is checked with the hosts."),
    "max_replication_slots": (5, "Each follower needs one."),
    "max_wal_senders": (5, "Each follower needs one, and two while it is copied."),
    "superuser_reserved_connections": (1, "The collection logs in when all others are used."),
}
# -1 is no limit. max_wal_size is 2 GB: with less, a follower may lack what it needs after a restart.
_LEAST_SLOT_WAL_MB = 2048
_POSTGRESQL_UNITS = {"b": 2**-20, "kb": 2**-10, "": 1.0, "mb": 1.0, "gb": 2.0**10, "tb": 2.0**20}


def url_problem(value: str, schemes: Iterable[str], plain: bool = False) -> str | None:
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
    # An empty one counts: it would stand in the middle of every other URL.
    if plain and re.search(r"[?#]", value):
        return "a query or fragment"
    return None


def public_url_problem(value: str) -> str | None:
    """The fault of a well-formed URL that is to be ``airflow_url``; None for a good one."""
    parts = urlsplit(value)
    host = str(parts.hostname)
    if is_address(host) and (why := unusable(host)):
        return f"the host {host}, {why}"
    path = parts.path.rstrip("/")
    if not path:
        return None
    # What needs no quoting anywhere: in URLs, regular expressions and configuration files.
    if not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", path):
        return f"the path {path!r}, which has other parts than letters, digits, '_', '-', '~' and '.', or an empty one"
    first = path.split("/")[1]
    if first in _AIRFLOW_PATHS:
        return f"the path {path!r}: /{first} is a path of Airflow itself"
    return None


def is_certificate(text: str) -> bool:
    """Whether ``text`` is one or more certificates in PEM."""
    # For ssl, other text is a TypeError.
    if not text.isascii():
        return False
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
            fault = url_problem(str(value), _URLS[name], plain=name in _PLAIN_URLS) if str(value) else None
            # The clients ask for queues, and a proxy for anything, by host and port.
            if (
                not fault
                and name in ("airflow_sqs_endpoint_url", "airflow_http_proxy")
                and urlsplit(str(value)).path.strip("/")
            ):
                fault = "a path"
            if not fault and name == "airflow_url" and str(value):
                fault = public_url_problem(str(value))
            problems += [_url_problem(name, fault, _URLS[name])] if fault else []
        elif name in _PATHS_ON_HOST or name in _PATHS_ON_CONTROLLER:
            problems += _check_path(name, str(value))
        elif name in _LISTS:
            problems += _LISTS[name](name, value, version)
    return problems


def _url_problem(name: str, fault: str, schemes: Iterable[str]) -> Problem:
    expected = f"{' or '.join(f'{scheme}://' for scheme in schemes)} and a host, with a port where needed"
    return Problem(Code.FD119, f"variable {name}", f"a URL with {fault}", expected, "Correct the URL.")


def _bytes(size: str) -> float:
    """Bytes of a ``size`` in its right form; without bound for one that depends on the host."""
    if size == "infinity" or size.endswith("%"):
        return float("inf")
    digits, unit = (size[:-1], size[-1]) if size[-1].isalpha() else (size, "")
    return int(digits) * (SIZE_UNITS[unit] if unit else 1)


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
    if name == "airflow_journal_max_size" and _bytes(value) < _LEAST_JOURNALS:
        remedy = "A number without a unit means bytes; systemd makes files of 8M for each host, and larger ones."
        return [Problem(Code.FD116, where, value, "at least 512M", remedy)]
    if name == "airflow_log_max_size" and _bytes(value) < _LEAST_LOGS:
        remedy = "A number without a unit means bytes; less is filled by the logs of an hour, which stay."
        return [Problem(Code.FD116, where, value, "at least 64M", remedy)]
    if name.endswith("_memory_max") and _bytes(value) < _LEAST_MEMORY:
        remedy = "A number without a unit means bytes; no Airflow process starts in less."
        return [Problem(Code.FD116, where, value, "at least 256M", remedy)]
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
        # The home of an account that is not there stays as it is.
        if re.search(r"[\0\n\r]", value) or not os.path.isabs(os.path.expanduser(value)):
            return [
                Problem(
                    Code.FD126,
                    where,
                    repr(value),
                    "an absolute path on the controller",
                    "Begin it with /, or {{ inventory_dir }}/../.",
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


def _has_login(requirement: str) -> bool:
    """Whether the URL of ``requirement`` has a secret. A user name alone is none, unless it is a token."""
    match = re.search(r"@\s*[\w+.-]+://(?P<user>[^/\s:@]*)(?P<password>:[^/\s@]*)?@", requirement)
    if not match:
        return False
    # Tokens take the place of the user name in URLs of the web.
    return bool(match["password"]) or is_secret_text(match["user"]) or len(match["user"]) >= _SHORTEST_TOKEN


def check_requirements(name: str, value: Any, version: str) -> list[Problem]:
    """Problems of the requirements in the list ``value`` of the variable ``name``."""
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
        if _has_login(text):
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


def _check_groups(name: str, value: Any, _version: str) -> list[Problem]:
    remedy = (
        "Name a group of the host that is for users, such as docker; those of services and of root open what is theirs."
    )
    return [
        Problem(Code.FD117, f"variable {name}", repr(text), "names of groups in lower case, none of a service", remedy)
        for text in _elements(value)
        if not re.fullmatch(_FORMS["airflow_user"][0], text) or text in _SYSTEM_ACCOUNTS
    ]


def _check_indexes(name: str, value: Any, _version: str) -> list[Problem]:
    schemes = _URLS["airflow_package_index_url"]
    faults = [url_problem(text, schemes) for text in _elements(value)]
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


def check_environment(name: str, value: Mapping[str, Any], _version: str = "") -> list[Problem]:
    """Names, forms and secrets of environment variables; what stands for an option of airflow.cfg is checked with
    the options."""
    problems = []
    for variable, content in value.items():
        where = f"{name}.{variable}"
        if not _VARIABLE.fullmatch(str(variable)):
            problems.append(
                _environment(where, "an invalid name", "letters, digits and '_', no digit first", "Correct the name.")
            )
        elif fault := _environment_value(where, content, is_option=str(variable).startswith("AIRFLOW__")):
            problems.append(fault)
        else:
            problems += _check_variable(where, str(variable), str(content))
    return problems


def _environment_value(where: str, content: Any, *, is_option: bool) -> Problem | None:
    """The problem of a value that would arrive as another text, if it is one."""
    if content is None:
        return _environment(where, "no value", "text", "Write '' for an empty one, or remove the variable.")
    if isinstance(content, (dict, list)):
        return _environment(where, kind_of(content), "text", "Write it as text.")
    # Of an option, Airflow reads a truth value and a number as they are meant.
    if not isinstance(content, str) and (not isinstance(content, int) or isinstance(content, bool)) and not is_option:
        found = f"{kind_of(content)} {plain(content)!r}" if isinstance(content, (bool, float)) else kind_of(content)
        return _environment(where, found, "text", "Write it in quotes, as the process is to see it: YAML changes it.")
    if re.search(r"[\0-\x08\n-\x1f\x7f]", str(content)):
        remedy = "An environment file holds one line per variable."
        return _environment(where, "a line break or another control character", "one line", remedy)
    if len(str(content).encode()) > _LONGEST_VARIABLE:
        remedy = "Linux starts no process with a longer one: keep it in a file, and give its path."
        return _environment(where, f"{len(str(content).encode())} bytes", f"at most {_LONGEST_VARIABLE}", remedy)
    if not is_option and re.search(r"\$(\w+|\{\w+\})", str(content)):
        remedy = (
            "systemd does not expand it: write the whole value. PATH needs <airflow_root>/current/bin:/usr/bin:/bin."
        )
        return _environment(where, "a reference to another variable", "text without $NAME", remedy)
    return None


def _check_variable(where: str, variable: str, text: str) -> list[Problem]:
    """Problems of ``variable`` with the value ``text``."""
    if variable in ("AIRFLOW_HOME", "AIRFLOW_CONFIG"):
        remedy = "Set airflow_home." if variable == "AIRFLOW_HOME" else "Set airflow_config."
        return [_environment(where, "a variable that the collection sets", "to leave it to the collection", remedy)]
    if variable == "TZ" and not is_time_zone(text):
        remedy = "Write it as Europe/Berlin or UTC: with another name the C library takes UTC and says nothing."
        return [Problem(Code.FD295, where, repr(text), "the name of a time zone", remedy)]
    if variable == "PYTHONPATH" and "/etc/airflow/python" not in text.split(":"):
        remedy = "Airflow finds the address of its host there: add it with a colon."
        return [_environment(where, repr(text), "/etc/airflow/python in it", remedy)]
    if variable == "PATH" and not any(part.rstrip("/").endswith("/current/bin") for part in text.split(":")):
        remedy = "Tasks and Airflow itself run programs of the release, such as python and airflow: put it first."
        return [_environment(where, repr(text), "<airflow_root>/current/bin in it", remedy)]
    if variable.upper().startswith("AIRFLOW__"):
        if re.fullmatch(r"AIRFLOW__[A-Z0-9_]+?__[A-Z0-9_]+", variable):
            # With all other options of Airflow.
            return []
        remedy = "Airflow reads no other name: correct it, in capitals and with two underscores each time."
        return [_environment(where, "a name that stands for no option", "AIRFLOW__SECTION__OPTION", remedy)]
    if variable.startswith("AIRFLOW_CONN_") and is_secret_variable("AIRFLOW_CONN", text):
        remedy = "Every user of the host can read it: use airflow_secret_environment, Airflow or a secrets backend."
        return [_environment(where, "a connection with a password", "no secret", remedy)]
    if PROXY_NAME.fullmatch(variable) and "@" in text:
        remedy = "Every user of the host can read it: allow the hosts' addresses in the proxy instead of a login."
        return [_environment(where, "a proxy with a login", "no secret", remedy)]
    if is_secret_variable(variable, text):
        remedy = (
            "Diffs and processes show it: use airflow_secret_environment, or airflow_secret_files and its path here."
        )
        if variable.startswith("AWS_"):
            remedy += " For SQS set airflow_sqs_access_key_id and airflow_sqs_secret_access_key."
        return [_environment(where, "a secret in clear", "no secret", remedy)]
    return []


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
        else:
            problems += _check_postgresql_value(where, lowered, str(content).strip().lower())
    return problems


def _check_postgresql_value(where: str, setting: str, text: str) -> list[Problem]:
    """Problems of a ``setting`` that PostgreSQL would take, and that would cost data or stop the cluster later."""
    if setting in _POSTGRESQL_REFUSED:
        refused, expected, why = _POSTGRESQL_REFUSED[setting]
        return [Problem(Code.FD117, where, text, expected, why)] if _whole_truth(text) in refused else []
    if setting in _POSTGRESQL_LEAST:
        least, why = _POSTGRESQL_LEAST[setting]
        # PostgreSQL takes other forms of numbers, too.
        if not text.isdecimal() or int(text) < least:
            return [Problem(Code.FD117, where, text, f"a whole number, at least {least}", why)]
        return []
    if setting == "max_slot_wal_keep_size":
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?b)?", text)
        if match and float(match[1]) * _POSTGRESQL_UNITS[match[2] or ""] < _LEAST_SLOT_WAL_MB:
            why = "A follower that was away for a while would lack what it needs, and never follow again."
            return [Problem(Code.FD117, where, text, "-1, or at least 2GB, the size of max_wal_size", why)]
    return []


def _whole_truth(text: str) -> str:
    """The name of the truth value that PostgreSQL takes ``text`` for, by its beginning; all else as it is."""
    # The beginning of on and off stands for neither.
    return next((name for name in _TRUTHS if name.startswith(text) and text not in ("", "o")), text)


def _check_no_proxy(name: str, value: Any, _version: str) -> list[Problem]:
    wrong = [text for text in _elements(value) if not is_host(text.removeprefix("."))]
    expected = "a host's name, its address, or a domain with a dot first"
    remedy = "Clients of HTTP do not agree on networks, ports and wildcards: name each host, or a domain."
    return [Problem(Code.FD117, f"variable {name}", repr(text), expected, remedy) for text in wrong]


def _check_kdcs(name: str, value: Any, _version: str) -> list[Problem]:
    problems = []
    for text in _elements(value):
        match = re.fullmatch(r"(?P<host>[^\s:\[\]]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[1-9]\d{0,4}))?", text)
        if not match or not is_host(match["host"].strip("[]")) or int(match["port"] or 88) > 65535:
            expected = "a host, or host:port, an IPv6 address in brackets"
            problems.append(Problem(Code.FD117, f"variable {name}", repr(text), expected, "One KDC per entry."))
    return problems


def _check_proxies(name: str, value: Any, _version: str) -> list[Problem]:
    problems = []
    for text in _elements(value):
        found = check_source(name, text)
        if not found and text.endswith("/0"):
            expected, remedy = "the addresses of your proxies", "Every client could claim any address."
            found = [Problem(Code.FD151, name, repr(text), expected, remedy)]
        problems += found
    return problems


_LISTS: dict[str, Callable[[str, Any, str], list[Problem]]] = {
    "airflow_extra_packages": check_requirements,
    "airflow_build_packages": _check_packages,
    "airflow_system_packages": _check_packages,
    "airflow_extra_groups": _check_groups,
    "airflow_package_extra_index_urls": _check_indexes,
    "airflow_config_extra_sections": _check_sections,
    "airflow_alert_email_to": _check_recipients,
    "airflow_failover_email_to": _check_recipients,
    "airflow_environment": check_environment,
    "airflow_kerberos_kdcs": _check_kdcs,
    "airflow_no_proxy": _check_no_proxy,
    "airflow_postgresql_config": _check_postgresql,
    "airflow_trusted_proxies": _check_proxies,
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
            name = entry.get("name")
            if name in (None, ""):
                problems.append(
                    Problem(
                        Code.FD115, where, "a queue without a name", "{name: ..., concurrency: ...}", "Add the name."
                    )
                )
            elif not isinstance(name, (str, int)) or isinstance(name, bool):
                problems.append(
                    Problem(
                        Code.FD115, where, f"{kind_of(name)} as a queue's name", "text", "Write the name in quotes."
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
                        f"concurrency {plain(entry.get('concurrency'))!r} of queue {str(entry.get('name', ''))!r}",
                        f"a whole number, 0 to {_MOST_SLOTS}",
                        "Give the tasks at once, or leave it out: 0 derives it from processors and memory.",
                    )
                )
        elif not isinstance(entry, (str, int)) or isinstance(entry, bool) or entry == "":
            problems.append(
                Problem(
                    Code.FD115,
                    where,
                    kind_of(entry) if entry is None else repr(plain(entry)),
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
    if settings.tls and settings.url.lower().startswith("http:"):
        found = "an http URL, and airflow_tls is true"
        remedy = "Write https://, because the load balancers redirect to it. Or set airflow_tls: false."
        problems.append(Problem(Code.FD129, "airflow_url", found, "an https URL", remedy))
    files = {
        "airflow_web_certificate_file": settings.web_certificate_file,
        "airflow_web_key_file": settings.web_key_file,
    }
    if (given := [name for name, path in files.items() if path]) and not settings.tls:
        remedy = "Remove it, or set airflow_tls: true. A proxy that encrypts has its own certificate."
        problems.append(Problem(Code.FD129, " and ".join(given), "a file, and airflow_tls is false", "nothing", remedy))
    if settings.proxy_protocol and not settings.trusted_proxies:
        expected, remedy = "airflow_trusted_proxies, which speak it", "Add the addresses of the proxies."
        problems.append(Problem(Code.FD129, "airflow_proxy_protocol", "true, and no trusted proxies", expected, remedy))
    if settings.no_proxy and not settings.http_proxy:
        expected, remedy = "airflow_http_proxy, to which these are exceptions", "Set it, or remove the exceptions."
        problems.append(Problem(Code.FD129, "airflow_no_proxy", "hosts, and no airflow_http_proxy", expected, remedy))
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
