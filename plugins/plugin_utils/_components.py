"""What each Airflow component reads: the source of file layouts, secrets per host and restart digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

# In the order in which they start.
COMPONENTS = ("webserver", "scheduler", "dag_processor", "triggerer", "worker")

# Sections that only these components read; a section that is not listed concerns all of them.
SECTIONS: dict[str, tuple[str, ...]] = {
    "api": ("webserver", "triggerer", "worker"),
    "api_auth": ("webserver", "scheduler"),
    "celery": ("scheduler", "worker"),
    "celery_broker_transport_options": ("scheduler", "worker"),
    "execution_api": ("webserver", "scheduler"),
    "fab": ("webserver",),
    "operators": ("scheduler", "dag_processor", "worker"),
    "triggerer": ("webserver", "scheduler", "triggerer"),
    "workers": ("worker",),
}

# With TLS: what proves the others to this host, and this host to the others.
AUTHORITY = "ca.crt"
# Authorities that Debian trusts, for servers that are not the collection's.
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
# What proves a broker and a metastore to it that are not the collection's; there for some clusters only.
BROKER_AUTHORITY = "broker_ca.crt"
METASTORE_AUTHORITY = "metastore_ca.crt"
SERVER = ("server.crt", "server.key")

# What a scheduler reads that takes turns: whose turn it is, whom to tell, and in the place of the common logins that of its host.
LEASE = "scheduler_lease"
FAILOVER = "scheduler_failover"
TURNS = {"sql_alchemy_conn": "scheduler_conn", "sql_alchemy_conn_async": "scheduler_conn_async"}

# An empty file, which a component sees in place of a secret that is not its own.
NOTHING = "/etc/airflow/nothing"
HIDING = f"BindReadOnlyPaths={NOTHING}:"

# Settings of a unit that a daemon-reload is enough for.
APPLIED_AT_ONCE = {"CPUWeight", "KillMode", "MemoryMax", "OOMPolicy", "Restart", "RestartSec", "TasksMax", "TimeoutStopSec"}

# Secret files by component. A 3.x worker gets neither metastore URL nor Fernet key: its tasks talk to the execution API,
# which hands out connections decrypted.
_SECRETS_3: dict[str, tuple[str, ...]] = {
    "webserver": ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "api_secret_key", "jwt_secret"),
    "scheduler": ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "jwt_secret", "broker_url", "result_backend"),
    "dag_processor": ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key"),
    "triggerer": ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "api_secret_key"),
    "worker": ("broker_url", "result_backend", "api_secret_key"),
}
_SECRETS_2: dict[str, tuple[str, ...]] = {
    "webserver": ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
    "scheduler": ("sql_alchemy_conn", "fernet_key", "api_secret_key", "broker_url", "result_backend"),
    "dag_processor": ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
    "triggerer": ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
    "worker": ("sql_alchemy_conn", "fernet_key", "broker_url", "result_backend", "api_secret_key"),
}


def secrets_of(component: str, major: int) -> tuple[str, ...]:
    """Names of the secret files that ``component`` reads in Airflow ``major``."""
    own = (_SECRETS_3 if major >= 3 else _SECRETS_2)[component]
    broker = (BROKER_AUTHORITY,) if "broker_url" in own else ()
    return (*own, AUTHORITY, METASTORE_AUTHORITY, *broker, *(SERVER if component == "webserver" else ()))


def turn_secrets(major: int) -> tuple[str, ...]:
    """Names of the secret files that a host has besides when its scheduler takes turns."""
    return (LEASE, FAILOVER, *(TURNS[name] for name in secrets_of("scheduler", major) if name in TURNS))


def _sources(component: str, major: int, files: Collection[str]) -> dict[str, str]:
    """Which of the host's secret ``files`` a process of ``component`` sees, by the name under which it does."""
    own = {name: name for name in secrets_of(component, major)}
    if component == "scheduler" and LEASE in files:
        own |= {LEASE: LEASE, FAILOVER: FAILOVER, **{name: TURNS[name] for name in own if name in TURNS}}
    return own


def secret_mounts(component: str, major: int, files: Iterable[str], directory: str) -> list[str]:
    """What systemd mounts over ``directory`` for a process of ``component``: its own secret ``files``, and for the others an empty one.

    Empty, because Airflow refuses to list its options when a ``*_cmd`` of any of them fails.
    """
    files = set(files)
    # A certificate is public, and every process on the host may be told to look at it.
    own = {**_sources(component, major, files), SERVER[0]: SERVER[0]}
    seen = {name: f"{directory}/{own[name]}" if name in own else NOTHING for name in sorted(files)}
    return [source if source == f"{directory}/{name}" else f"{source}:{directory}/{name}" for name, source in seen.items()]


def process_settings(unit: str) -> list[str]:
    """Lines of a ``unit`` file that take effect when its process starts, without those that systemd applies to a running one.

    Nor what hides the secrets of others: a component that joins the host concerns nobody who is there.
    """
    service = unit.partition("\n[Service]\n")[2].partition("\n[Install]\n")[0]
    lines = (line.strip() for line in service.splitlines())
    return [line for line in lines if line and not line.startswith(("#", HIDING)) and line.split("=", 1)[0] not in APPLIED_AT_ONCE]


def digest(parts: Any) -> str:
    """Twelve hexadecimal digits that change when anything in ``parts`` changes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def component_digest(
    component: str, major: int, config: Mapping[str, Mapping[str, Any]], secret_versions: Mapping[str, str], *others: Any
) -> str:
    """Digest of exactly what a process of ``component`` read at its start.

    ``secret_versions`` maps secret files to keyed fingerprints, never to anything derived from the value alone.
    """
    sections = {name: options for name, options in config.items() if component in SECTIONS.get(name, COMPONENTS)}
    optional = (BROKER_AUTHORITY, METASTORE_AUTHORITY)
    own = {
        name: source
        for name, source in _sources(component, major, secret_versions).items()
        if source in secret_versions or name not in optional
    }
    secrets = {name: secret_versions.get(source, "") for name, source in own.items()}
    return digest([component, sections, secrets, others])
