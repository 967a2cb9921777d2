# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a cluster: what each is, where it runs, and what it needs. Data only.

A new service is an entry of ``SERVICES``, its role, its variables with their specs, and a test. Groups, firewall rules,
port checks, checks of memory, disk and packages, leftovers, the secrets that a process sees, and the order of the
report follow from the entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    KERBEROS_CONFIG,
    KERBEROS_KEYTAB,
    KINIT,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.platforms import PLATFORMS

# What may hold of a cluster or not, and decides which ports there are: ``_model/ports.py`` says when each does. The
# name of an optional service is one, too: the service has a host.
CONDITIONS = (
    "tls",
    "no_tls",
    "airflow_3",
    "patroni",
    "pgbouncer",
    "vip",
    "managed_metastore",
    "postgresql",
    "repository_tls",
    "rabbitmq",
    "redis",
    "remote_control",
    "metrics",
    "journals",
)
MANY = "1 or more"
# In the place of a group: what runs on it runs on all hosts.
EVERY_HOST = "*"
# Majors of Airflow.
MAJORS = (2, 3)


@dataclass(frozen=True)
class Port:
    """A port that a service listens on.

    ``purpose`` stands beside the firewall's rule. ``peers`` may connect: groups of hosts, EVERY_HOST, ``users`` or
    ``admins``; without any only the host itself. The number is that of ``variable``, or the fixed ``number``: a port, a
    range such as ``1000-1010``, or ``vrrp``, the protocol. The port is there when all of ``when`` hold. ``log_option``
    is the option of ``[logging]`` that names it to Airflow, where webservers fetch the logs of tasks from it.
    """

    purpose: str
    peers: tuple[str, ...] = ()
    variable: str = ""
    number: int | str = 0
    when: tuple[str, ...] = ()
    # Peers that there are under another condition, too.
    peers_when: tuple[tuple[str, str], ...] = ()
    log_option: str = ""


@dataclass(frozen=True)
class Password:
    """A password that the collection makes, in the secret ``name``.

    It belongs to ``account``, or to the one that the user names in ``variable``. A value of the user's has none of the
    characters in ``without``.
    """

    name: str
    account: str = ""
    variable: str = ""
    without: str = ""


@dataclass(frozen=True)
class Service:
    """One service.

    ``title`` is its name for people, who also write ``synonyms``: without "_" and the "s" of the plural. ``host_group``
    is the group whose hosts run it, where that is another service's, or EVERY_HOST. ``passwords`` are those of its own
    accounts.
    ``memory_mb`` and ``disk_mb`` are MiB that it needs at least to start and do a little; a key of ``disk_mb`` is a
    path or one of the model's directories. ``packages`` are those by which the preflight sees whether apt can install
    it; ``updated_with`` are patterns of other ones that it runs with, and that restart it. A process that holds one of
    its ports is its own when its unit matches ``units``, or in no unit its name
    ``processes``; a process that cannot be seen, when the socket belongs to one of ``accounts``. ``one_release`` says
    why its hosts must have the same Debian. ``status`` are the first words of its rows in the report. ``tag`` selects a
    backing service in a run of a part.
    """

    name: str
    title: str
    synonyms: tuple[str, ...] = ()
    host_group: str = ""
    # How many hosts may run it.
    hosts: str = MANY
    # A cluster may be without it.
    optional: bool = False
    # Conditions that must hold of a cluster that has it, each with what to do when it does not.
    needs: Mapping[str, str] = field(default_factory=dict)
    # It has a certificate to identify itself to its clients; other hosts are clients only.
    certificate: bool = False
    # Its members hold data together; a host that lost its data joins the others.
    members: bool = False
    ports: tuple[Port, ...] = ()
    passwords: tuple[Password, ...] = ()
    memory_mb: int = 0
    disk_mb: Mapping[str, int] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    updated_with: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    one_release: str = ""
    status: tuple[str, ...] = ()
    tag: str = ""


@dataclass(frozen=True)
class Front:
    """What the load balancers serve of a component by HTTP, under ``name``, on the port of ``variable``.

    With TLS it is on the port of ``tls_variable``, where there is one, and the other one redirects. ``check_path``
    answers with status 200 when the component works, by major of Airflow; in another major there is no such front.
    ``allow_paths`` are the only ones that are passed on, ``deny_paths`` are not. People use it when ``users`` is true:
    with the certificate that the user may give. ``requests`` is how many a process of the component gets at once while
    its pools have Airflow's own size; 0 is for no limit. ``follows`` is another front of the component: where that is
    served, its health is that of this one.
    """

    name: str
    variable: str
    check_path: Mapping[int, str]
    tls_variable: str = ""
    users: bool = False
    allow_paths: tuple[str, ...] | None = None
    deny_paths: tuple[str, ...] | None = None
    requests: int = 0
    follows: str = ""


@dataclass(frozen=True)
class BrokerAccount:
    """A component's own account of a managed RabbitMQ, with fewer rights than that of schedulers and workers.

    ``secret`` is its password and ``file`` the secret file with its URL. Its rights are regular expressions, anchored
    at both ends, of names of queues and exchanges: what it may declare, what it may bind and publish to, what it may
    bind to and consume from. Of another broker the file has the URL that schedulers and workers use.
    """

    user: str
    secret: str
    file: str
    configure: str
    write: str
    read: str


@dataclass(frozen=True)
class Heartbeat:
    """What a component writes to the metastore, as a job, to show that it is alive.

    The options of ``section`` of airflow.cfg, its own unless another is named: it writes every ``interval``, and is
    dead after ``threshold``, where it has one. A restart of the component ends with the first of its heartbeats.
    """

    interval: str
    threshold: str = ""
    section: str = ""


@dataclass(frozen=True)
class Component(Service):
    """One of Airflow's own services.

    ``unit`` is its systemd unit by major of Airflow, without suffix. ``sections`` of airflow.cfg are read by it and by
    the others that name them; a section that no component names concerns all. ``secrets`` are the files that it reads,
    by major. The load balancers serve its first port as ``fronts``; the first of these also shows whether its unit
    works. Airflow's health page has the state of each that has a ``heartbeat``. ``sessions`` is how many each of its
    processes may have in the metastore at worst: a pool of 5 and an overflow of 10 for each engine (Airflow's
    defaults). In the majors ``parses_dags`` its hosts need the DAGs. It runs as an ``account`` of its own, where it has
    one, which goes with it, and so do its own ``files``.
    """

    unit: Mapping[int, str] = field(default_factory=dict)
    fronts: tuple[Front, ...] = ()
    broker_account: BrokerAccount | None = None
    sections: tuple[str, ...] = ()
    secrets: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    heartbeat: Heartbeat | None = None
    sessions: int = 0
    parses_dags: tuple[int, ...] = ()
    account: str = ""
    files: tuple[str, ...] = ()


# On the loopback address: exporters of metrics, which one port of the host passes on.
NODE_EXPORTER_PORT = 9100
STATSD_EXPORTER_PORT = 9103
POSTGRESQL_EXPORTER_PORT = 9187
REDIS_EXPORTER_PORT = 9121
# UDP.
STATSD_PORT = 8125
ETCD_CLIENT_PORT = 2379
ETCD_PEER_PORT = 2380
PATRONI_PORT = 8008
EPMD_PORT = 4369
# 20000 above the default AMQP port, whatever the AMQP port is.
DISTRIBUTION_PORT = 25672
# Nodes send what rabbitmqctl asks for straight to it: each of its processes listens on one of these.
TOOL_PORTS = "35672-35682"
VRRP = "vrrp"
# RabbitMQ blocks publishers when less is free. MiB.
DISK_FREE_LIMIT_MB = 1024
_BROKER_MARGIN_MB = 512
# What every host needs beside its services. MiB.
SYSTEM_MB = 256
# A release with its archive and its unpacked copy takes about 900 MiB.
RELEASE_MB = 1280
INODES = 10_000
# For new logs. MiB.
LOGS_MB = 512
# In which an api-server's process serves requests: the default of its library, AnyIO.
REQUEST_THREADS = 40
# Files that RabbitMQ's unit asks for.
OPEN_FILES = 65536
# Measured resident sizes on Airflow 3.3 in MiB: the worker's main process, and one pool process before any task code
# runs.
MAIN_PROCESS_MB = 200
POOL_PROCESS_MB = 160
# Room for what a task itself needs.
TASK_MB = 96
# By which a webserver logs in to the server that knows the users; some clusters have one of them.
LOGIN_SECRETS = ("ldap_bind_password", "openid_client_secret")
# Of numbers of bytes.
SIZE_UNITS = MappingProxyType({"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4})
# Kept for the system and other services when slots are derived from the memory.
RESERVED_MB = 1024

# Airflow's hosts that use the load balancers' listeners.
_EXECUTION_CLIENTS = ("scheduler", "dag_processor", "triggerer", "worker")
_METASTORE_CLIENTS = ("webserver", *_EXECUTION_CLIENTS)
_BROKER_CLIENTS = ("scheduler", "worker", "flower")


def _versions(package: str) -> str:
    """The versions of ``package``, a field of Platform, in the releases of Debian."""
    return " and ".join(str(getattr(platform, package)) for platform in PLATFORMS.values())


def _component(
    name: str,
    title: str,
    unit: str | Mapping[int, str],
    *,
    sections: tuple[str, ...],
    secrets: Mapping[int, tuple[str, ...]],
    synonyms: tuple[str, ...] = (),
    ports: tuple[Port, ...] = (),
    passwords: tuple[Password, ...] = (),
    memory_mb: int = 0,
    certificate: bool = False,
    fronts: tuple[Front, ...] = (),
    optional: bool = False,
    needs: Mapping[str, str] | None = None,
    broker_account: BrokerAccount | None = None,
    hosts: str = MANY,
    heartbeat: Heartbeat | None = None,
    sessions: int = 0,
    parses_dags: tuple[int, ...] = (),
    packages: tuple[str, ...] = (),
    account: str = "",
    files: tuple[str, ...] = (),
) -> Component:
    return Component(
        name=name,
        title=title,
        synonyms=synonyms,
        ports=ports,
        passwords=passwords,
        memory_mb=memory_mb,
        certificate=certificate,
        disk_mb={"home": 256, "log_dir": LOGS_MB, "root": 256},
        packages=("zstd", *packages),
        units=("airflow-*.service",),
        processes=("airflow*", "gunicorn*"),
        status=(name,),
        unit=dict.fromkeys(MAJORS, unit) if isinstance(unit, str) else unit,
        fronts=fronts,
        optional=optional,
        needs=needs or {},
        broker_account=broker_account,
        hosts=hosts,
        sections=sections,
        secrets=secrets,
        heartbeat=heartbeat,
        sessions=sessions,
        parses_dags=parses_dags,
        account=account,
        files=files,
    )


# Backing services first, then components in the order in which they start. Memory: resident sizes on Airflow 3.3,
# rounded up.
SERVICES: tuple[Service, ...] = (
    Service(
        "etcd",
        "etcd",
        tag="metastore",
        synonyms=("dcs",),
        hosts="none, 3, 5 or 7",
        optional=True,
        needs={"patroni": "Remove the group, or add hosts to airflow_metastore."},
        certificate=True,
        members=True,
        ports=(
            Port("etcd", ("metastore", "etcd"), number=ETCD_CLIENT_PORT),
            Port("etcd between its members", ("etcd",), number=ETCD_PEER_PORT),
        ),
        memory_mb=96,
        packages=("etcd-server",),
        updated_with=("etcd-client",),
        units=("etcd.service",),
        processes=("etcd",),
        accounts=("etcd",),
        one_release=f"etcd {_versions('etcd')} together are a state of an upgrade, not one to live with",
        status=("etcd",),
    ),
    # Before the metastore, whose WAL it keeps.
    Service(
        "backup",
        "pgBackRest",
        synonyms=("archive", "backups", "barman", "pgbackrest", "repo", "repository"),
        hosts="none or 1",
        optional=True,
        needs={
            "repository_tls": "The repository knows hosts by their certificates: set airflow_tls, or empty the group.",
            "postgresql": "Dumps are made of PostgreSQL: empty the group, and back your server up by mysqldump.",
        },
        certificate=True,
        # An external metastore knows nothing of the repository.
        ports=(Port("pgBackRest", ("metastore",), variable="airflow_backup_port", when=("managed_metastore",)),),
        memory_mb=128,
        disk_mb={"repository": 1024},
        packages=("pgbackrest",),
        units=("pgbackrest.service", "flightdeck-backup@*.service"),
        processes=("pgbackrest",),
        accounts=("postgres",),
        status=("backup",),
    ),
    Service(
        "metastore",
        "PostgreSQL",
        synonyms=("database", "db", "metadata", "metadatabase", "pg", "postgre", "postgresql", "patroni"),
        hosts="1, or 3 and more; none with `airflow_metastore_url`",
        certificate=True,
        members=True,
        ports=(
            Port("PostgreSQL", ("haproxy",), variable="airflow_metastore_port", peers_when=(("patroni", "metastore"),)),
            Port("Patroni", ("haproxy", "metastore"), number=PATRONI_PORT, when=("patroni",)),
            Port("pgBackRest", ("backup",), variable="airflow_backup_port", when=("backup",)),
        ),
        memory_mb=384,
        disk_mb={"/var/lib/postgresql": 1024},
        packages=("postgresql-common", "python3-psycopg2"),
        updated_with=("postgresql-*", "libpq5", "patroni", "python3-etcd", "pgbackrest"),
        units=("postgresql@*.service", "postgresql.service", "patroni.service", "pgbackrest.service"),
        processes=("postgres", "patroni", "pgbackrest"),
        accounts=("postgres",),
        one_release=f"PostgreSQL {_versions('postgresql')} cannot follow each other",
        status=("patroni", "metastore"),
    ),
    Service(
        "rabbitmq",
        "RabbitMQ",
        synonyms=("amqp", "broker", "mq", "queue", "rabbit"),
        hosts="1, 3 or 5; none with another broker or `airflow_broker_url`",
        certificate=True,
        members=True,
        ports=(
            # A node that joins checks here whether the first one serves.
            Port("AMQP", ("haproxy", "rabbitmq"), variable="airflow_rabbitmq_port", when=("no_tls",)),
            Port("AMQP", ("haproxy", "rabbitmq"), variable="airflow_rabbitmq_tls_port", when=("tls",)),
            Port("Erlang's port mapper", ("rabbitmq",), number=EPMD_PORT),
            Port("RabbitMQ between its nodes", ("rabbitmq",), number=DISTRIBUTION_PORT),
            Port("RabbitMQ's command line tools", ("rabbitmq",), number=TOOL_PORTS),
            Port("RabbitMQ management", ("admins",), variable="airflow_rabbitmq_management_port", when=("no_tls",)),
            Port("RabbitMQ management", ("admins",), variable="airflow_rabbitmq_management_tls_port", when=("tls",)),
            Port("RabbitMQ management for the host itself", variable="airflow_rabbitmq_management_port", when=("tls",)),
            Port("RabbitMQ metrics", ("admins",), variable="airflow_rabbitmq_prometheus_port"),
        ),
        passwords=(Password("rabbitmq_admin_password", "admin"),),
        memory_mb=256,
        disk_mb={"/var/lib/rabbitmq": DISK_FREE_LIMIT_MB + _BROKER_MARGIN_MB},
        packages=("rabbitmq-server",),
        updated_with=("erlang-*",),
        units=("rabbitmq-server.service", "epmd.service", "epmd.socket", "epmd@*.service", "epmd@*.socket"),
        processes=("beam.smp", "epmd", "erl_child_setup"),
        accounts=("rabbitmq", "epmd"),
        one_release=f"RabbitMQ {_versions('rabbitmq')} form no cluster together",
        status=("rabbitmq", "quorum", "queue"),
    ),
    Service(
        "redis",
        "Redis",
        synonyms=("valkey",),
        hosts="none or 1, with `airflow_broker: redis`",
        optional=True,
        certificate=True,
        ports=(Port("Redis", ("haproxy",), variable="airflow_redis_port"),),
        passwords=(Password("redis_metrics_password", "airflow_metrics"),),
        memory_mb=128,
        disk_mb={"/var/lib/redis": 1024},
        packages=("redis-server",),
        updated_with=("redis-tools",),
        units=("redis-server.service",),
        processes=("redis-server", "redis-check-rdb"),
        accounts=("redis",),
        status=("redis",),
    ),
    Service(
        "haproxy",
        "HAProxy",
        synonyms=("balancer", "loadbalancer", "lb", "proxy"),
        hosts="1; 2 with `airflow_vip`",
        certificate=True,
        ports=(
            Port("UI and API", ("users",), variable="airflow_haproxy_web_port", when=("no_tls",)),
            Port("UI and API", ("users",), variable="airflow_haproxy_https_port", when=("tls",)),
            Port("redirect to the UI", ("users",), variable="airflow_haproxy_web_port", when=("tls",)),
            Port(
                "execution API", _EXECUTION_CLIENTS, variable="airflow_haproxy_execution_api_port", when=("airflow_3",)
            ),
            Port(
                "PostgreSQL", _METASTORE_CLIENTS, variable="airflow_haproxy_metastore_port", when=("managed_metastore",)
            ),
            Port("AMQP", _BROKER_CLIENTS, variable="airflow_haproxy_broker_port", when=("rabbitmq",)),
            Port("Redis", _BROKER_CLIENTS, variable="airflow_haproxy_broker_port", when=("redis",)),
            Port("Flower", ("users",), variable="airflow_haproxy_flower_port", when=("flower",)),
            Port("HAProxy statistics", ("admins",), variable="airflow_haproxy_stats_port"),
            # A webserver that was restarted asks here whether it is served again.
            Port("HAProxy metrics", ("admins", "webserver"), variable="airflow_haproxy_metrics_port"),
        ),
        passwords=(Password("haproxy_stats_password", "admin"),),
        memory_mb=64,
        packages=("haproxy",),
        units=("haproxy.service",),
        processes=("haproxy",),
        # It binds as root.
        accounts=("root", "haproxy"),
        status=("haproxy", "path"),
    ),
    Service(
        "pgbouncer",
        "PgBouncer",
        host_group="haproxy",
        tag="haproxy",
        ports=(Port("PgBouncer", _METASTORE_CLIENTS, variable="airflow_pgbouncer_port", when=("pgbouncer",)),),
        updated_with=("pgbouncer",),
        units=("pgbouncer.service",),
        processes=("pgbouncer",),
        accounts=("postgres",),
        status=("pgbouncer",),
    ),
    Service(
        "keepalived",
        "keepalived",
        host_group="haproxy",
        tag="haproxy",
        ports=(Port("keepalived", ("haproxy",), number=VRRP, when=("vip",)),),
        updated_with=("keepalived",),
        units=("keepalived.service",),
        processes=("keepalived",),
    ),
    Service(
        "metrics",
        "metrics exporters",
        tag="monitoring",
        host_group=EVERY_HOST,
        # A Prometheus that is not of the cluster is an administrator's.
        ports=(
            Port("metrics", ("admins", "monitoring"), variable="airflow_metrics_port", when=("metrics",)),
            Port("metrics of the host", number=NODE_EXPORTER_PORT, when=("metrics",)),
            Port("metrics of Airflow", number=STATSD_EXPORTER_PORT, when=("metrics",)),
            Port("metrics of PostgreSQL", number=POSTGRESQL_EXPORTER_PORT, when=("metrics",)),
            Port("metrics of Redis", number=REDIS_EXPORTER_PORT, when=("metrics", "redis")),
        ),
        memory_mb=80,
        packages=("prometheus-node-exporter", "prometheus-exporter-exporter"),
        updated_with=("prometheus-*exporter", "collectd*"),
        units=("prometheus-*-exporter.service", "collectd.service"),
        processes=("prometheus-*", "collectd"),
        accounts=("prometheus",),
    ),
    Service(
        "monitoring",
        "Prometheus",
        synonyms=("alertmanager", "alerts", "metrics", "monitor", "prom", "prometheus"),
        hosts="none or 1",
        optional=True,
        needs={"metrics": "Prometheus has nothing to collect: set airflow_metrics, or empty the group."},
        certificate=True,
        ports=(
            Port("Prometheus", ("admins",), variable="airflow_monitoring_port"),
            Port("Alertmanager", ("admins",), variable="airflow_alertmanager_port"),
        ),
        passwords=(Password("monitoring_password", variable="airflow_monitoring_user"),),
        memory_mb=400,
        disk_mb={"/var/lib/prometheus": 1024},
        packages=("prometheus", "prometheus-alertmanager"),
        units=("prometheus.service", "prometheus-alertmanager.service"),
        processes=("prometheus", "prometheus-aler*"),
        accounts=("prometheus",),
    ),
    Service(
        "journal_receiver",
        "receiver of journals",
        tag="monitoring",
        host_group="monitoring",
        ports=(Port("journals", (EVERY_HOST,), variable="airflow_journal_port", when=("journals",)),),
        memory_mb=64,
        packages=("systemd-journal-remote",),
        units=("flightdeck-journal-receiver.service",),
        processes=("flightdeck-jour*",),
        accounts=("systemd-journal-remote",),
    ),
    Service(
        "journal",
        "sender of the journal",
        tag="monitoring",
        host_group=EVERY_HOST,
        memory_mb=16,
        packages=("systemd-journal-remote",),
        units=("flightdeck-journal-sender.service",),
        accounts=("systemd-journal-remote",),
    ),
    # First, so that tasks find a ticket. It needs no metastore, and nothing else of Airflow's: it runs kinit.
    _component(
        "kerberos",
        "ticket renewer",
        "airflow-kerberos",
        synonyms=("kinit", "krb5", "renewer", "ticket"),
        hosts="none, or 1 and more",
        optional=True,
        memory_mb=150,
        packages=("krb5-user",),
        sections=("kerberos",),
        secrets=dict.fromkeys(MAJORS, ()),
        account="airflow-kerberos",
        files=(KERBEROS_KEYTAB, KERBEROS_CONFIG, KINIT),
    ),
    _component(
        "webserver",
        "api-server",
        {2: "airflow-webserver", 3: "airflow-api-server"},
        synonyms=("api", "apiserver", "frontend", "gui", "server", "ui", "web"),
        ports=(Port("api-server", ("haproxy",), variable="airflow_webserver_port"),),
        passwords=(Password("admin_password", variable="airflow_admin_user"),),
        fronts=(
            Front(
                "web",
                "airflow_haproxy_web_port",
                {2: "/api/v1/version", 3: "/api/v2/version"},
                tls_variable="airflow_haproxy_https_port",
                users=True,
                deny_paths=("/execution",),
                # The first request to that one stops the process for seconds: Cadwyn makes the routes of all versions.
                follows="execution_api",
            ),
            Front(
                "execution_api",
                "airflow_haproxy_execution_api_port",
                {3: "/execution/health"},
                allow_paths=("/execution",),
                # docs/tuning.md says why. Of 15 sessions, 5 are left for people.
                requests=10,
            ),
        ),
        memory_mb=300,
        certificate=True,
        sessions=20,
        sections=("api", "api_auth", "dag_processor", "execution_api", "fab", "triggerer"),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
            3: ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "api_secret_key", "jwt_secret"),
        },
    ),
    _component(
        "scheduler",
        "scheduler",
        "airflow-scheduler",
        synonyms=("master", "sched"),
        memory_mb=400,
        heartbeat=Heartbeat("scheduler_heartbeat_sec", "scheduler_health_check_threshold"),
        sessions=15,
        parses_dags=(2,),
        sections=(
            *("api_auth", "celery", "celery_broker_transport_options", "dag_processor", "execution_api"),
            *("operators", "triggerer"),
        ),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "api_secret_key", "broker_url", "result_backend"),
            3: (
                "sql_alchemy_conn",
                "sql_alchemy_conn_async",
                "fernet_key",
                "jwt_secret",
                "broker_url",
                "result_backend",
            ),
        },
    ),
    _component(
        "dag_processor",
        "DAG processor",
        "airflow-dag-processor",
        synonyms=("dagprocessor", "processor", "parser", "dag"),
        memory_mb=400,
        heartbeat=Heartbeat("job_heartbeat_sec", section="scheduler"),
        sessions=20,
        parses_dags=MAJORS,
        sections=("dag_processor", "operators"),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
            3: ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key"),
        },
    ),
    _component(
        "triggerer",
        "triggerer",
        "airflow-triggerer",
        synonyms=("trigger",),
        ports=(
            Port(
                "task logs of the triggerer",
                ("webserver",),
                variable="airflow_triggerer_log_port",
                log_option="trigger_log_server_port",
            ),
        ),
        memory_mb=300,
        heartbeat=Heartbeat("job_heartbeat_sec", "triggerer_health_check_threshold"),
        sessions=15,
        sections=("api", "triggerer"),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
            3: ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "api_secret_key"),
        },
    ),
    # One unit per queue. Its memory and its sessions follow from its queues. On Airflow 3 it gets neither metastore URL
    # nor Fernet key: its tasks talk to the execution API, which hands out connections decrypted.
    _component(
        "worker",
        "worker",
        "airflow-worker@*",
        synonyms=("celery", "celeryworker", "executor", "node"),
        ports=(
            Port(
                "task logs of the worker",
                ("webserver",),
                variable="airflow_worker_log_port",
                log_option="worker_log_server_port",
            ),
        ),
        parses_dags=MAJORS,
        sections=("api", "celery", "celery_broker_transport_options", "dag_processor", "operators", "workers"),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "broker_url", "result_backend", "api_secret_key"),
            3: ("broker_url", "result_backend", "api_secret_key"),
        },
    ),
    # On Airflow 2, too, it gets no metastore URL: it asks workers only.
    _component(
        "flower",
        "Flower",
        "airflow-flower",
        hosts="none, or 1 and more",
        optional=True,
        needs={"remote_control": "Nothing asks workers over Amazon SQS: empty the group, or choose another broker."},
        ports=(Port("Flower", ("haproxy",), variable="airflow_flower_port"),),
        fronts=(
            Front(
                "flower",
                "airflow_haproxy_flower_port",
                dict.fromkeys(MAJORS, "/healthcheck"),
                users=True,
                # The first has no login. For the others Flower sends its broker password to RabbitMQ without TLS.
                deny_paths=("/metrics", "/broker", "/api/queues"),
            ),
        ),
        # Flower takes what follows a comma for another login.
        passwords=(
            Password("flower_password", variable="airflow_flower_user", without=","),
            Password("flower_broker_password", "airflow_flower"),
        ),
        # Celery's events and commands, and the replies to them; no exchange or queue of tasks.
        broker_account=BrokerAccount(
            "airflow_flower",
            "flower_broker_password",
            "flower_broker_url",
            configure=r"celeryev(\..+)?|celery\.pidbox|([0-9a-f-]+\.)?reply\.celery\.pidbox",
            write=r"celeryev\..+|celery\.pidbox|[0-9a-f-]+\.reply\.celery\.pidbox",
            read=r"celeryev(\..+)?|([0-9a-f-]+\.)?reply\.celery\.pidbox",
        ),
        memory_mb=200,
        certificate=True,
        sections=("celery", "celery_broker_transport_options"),
        secrets=dict.fromkeys(MAJORS, ("flower_broker_url", "flower_password")),
    ),
)

BY_NAME: Mapping[str, Service] = MappingProxyType({service.name: service for service in SERVICES})
COMPONENT: Mapping[str, Component] = MappingProxyType(
    {each.name: each for each in SERVICES if isinstance(each, Component)}
)
# In the order in which they start.
COMPONENTS = tuple(COMPONENT)
# In the order in which a host deploys them.
BACKING_SERVICES = tuple(service for service in SERVICES if not isinstance(service, Component))
# Groups of the inventory, without their prefix.
GROUPS = tuple(service.name for service in SERVICES if not service.host_group)
OPTIONAL = tuple(service.name for service in SERVICES if service.optional)
# Components with an account of RabbitMQ, with these accounts.
BROKER_ACCOUNTS: Mapping[str, BrokerAccount] = MappingProxyType(
    {each.name: each.broker_account for each in COMPONENT.values() if each.broker_account}
)
SERVERS = tuple(service.name for service in SERVICES if service.certificate)
MEMBER_TIERS: Mapping[str, str] = MappingProxyType(
    {service.name: service.title for service in SERVICES if service.members}
)
# Brokers that the collection runs itself.
BROKER_GROUPS = ("rabbitmq", "redis")
# Variables of ports that hosts may have for themselves, with the field of the model's Host, and those that are the same
# on all.
HOST_PORT_VARIABLES: Mapping[str, str] = MappingProxyType(
    {"airflow_webserver_port": "webserver_port", "airflow_worker_log_port": "log_port"}
)
PORT_VARIABLES = tuple(
    sorted(
        {port.variable for service in SERVICES for port in service.ports if port.variable} - HOST_PORT_VARIABLES.keys()
    )
)
HEARTBEATS: Mapping[str, Heartbeat] = MappingProxyType(
    {
        each.name: replace(each.heartbeat, section=each.heartbeat.section or each.name)
        for each in COMPONENT.values()
        if each.heartbeat
    }
)
# By component that has logs of tasks, where it serves them.
LOG_PORTS: Mapping[str, Port] = MappingProxyType(
    {each.name: port for each in SERVICES for port in each.ports if port.log_option}
)
# Sections of airflow.cfg that not every component reads.
RESTRICTED_SECTIONS = frozenset(section for component in COMPONENT.values() for section in component.sections)
# First words of the report's rows, from the bottom of the cluster to the top: what is read first is what the rest
# stands on.
ORDER = (
    *("host", "certificate"),
    *(word for service in SERVICES for word in service.status),
    *("dags", "db_clean", "health", "canary"),
)
