"""The services of a cluster: what each is, where it runs, and what it needs. Data only.

A new service is an entry of ``SERVICES``, its role, its variables with their specs, and a test. Groups, firewall rules,
port checks, checks of memory, disk and packages, leftovers, the secrets that a process sees, and the order of the
report follow from the entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

# What may hold of a cluster or not, and decides which ports there are: ``_model/ports.py`` says when each does.
Condition = Literal[
    "tls", "no_tls", "airflow_3", "patroni", "pgbouncer", "vip", "managed_metastore", "rabbitmq", "redis"
]
# Majors of Airflow.
MAJORS = (2, 3)


@dataclass(frozen=True)
class Port:
    """A port that a service listens on.

    ``purpose`` stands beside the firewall's rule. ``peers`` may connect: groups of hosts, ``users`` or ``admins``;
    without any only the host itself. The number is that of ``variable``, or the fixed ``number``: a port, a range such
    as ``1000-1010``, or ``vrrp``, the protocol. The port is there when all of ``when`` hold.
    """

    purpose: str
    peers: tuple[str, ...] = ()
    variable: str = ""
    number: int | str = 0
    when: tuple[Condition, ...] = ()
    # Peers that there are under another condition, too.
    peers_when: tuple[tuple[Condition, str], ...] = ()


@dataclass(frozen=True)
class Service:
    """One service.

    ``title`` is its name for people. ``host_group`` is the group whose hosts run it, where that is another service's.
    ``memory_mb`` and ``disk_mb`` are MiB that it needs at least to start and do a little; a key of ``disk_mb`` is a
    path or one of the model's directories. ``packages`` are those by which the preflight sees whether apt can install
    it. A process that holds one of its ports is its own when its unit matches ``units``, or in no unit its name
    ``processes``; a process that cannot be seen, when the socket belongs to one of ``accounts``. ``one_release`` says
    why its hosts must have the same Debian. ``status`` are the first words of its rows in the report.
    """

    name: str
    title: str
    host_group: str = ""
    # A cluster may be without it.
    optional: bool = False
    # It has a certificate to identify itself to its clients; other hosts are clients only.
    certificate: bool = False
    # Its members hold data together; a host that lost its data joins the others.
    members: bool = False
    ports: tuple[Port, ...] = ()
    memory_mb: int = 0
    disk_mb: Mapping[str, int] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    one_release: str = ""
    status: tuple[str, ...] = ()


@dataclass(frozen=True)
class Component(Service):
    """One of Airflow's own services.

    ``unit`` is its systemd unit by major of Airflow, without suffix. ``sections`` of airflow.cfg are read by it and by
    the others that name them; a section that no component names concerns all. ``secrets`` are the files that it reads,
    by major.
    """

    unit: Mapping[int, str] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    secrets: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


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
# Files that RabbitMQ's unit asks for.
OPEN_FILES = 65536
# Measured resident sizes on Airflow 3.3 in MiB: the worker's main process, and one pool process before any task code
# runs.
MAIN_PROCESS_MB = 200
POOL_PROCESS_MB = 160
# Room for what a task itself needs.
TASK_MB = 96
# Kept for the system and other services when slots are derived from the memory.
RESERVED_MB = 1024

# Airflow's hosts that use the load balancers' listeners.
_EXECUTION_CLIENTS = ("scheduler", "dag_processor", "triggerer", "worker")
_METASTORE_CLIENTS = ("webserver", *_EXECUTION_CLIENTS)
_BROKER_CLIENTS = ("scheduler", "worker")


def _component(
    name: str,
    title: str,
    unit: str | Mapping[int, str],
    *,
    sections: tuple[str, ...],
    secrets: Mapping[int, tuple[str, ...]],
    ports: tuple[Port, ...] = (),
    memory_mb: int = 0,
    certificate: bool = False,
) -> Component:
    return Component(
        name=name,
        title=title,
        ports=ports,
        memory_mb=memory_mb,
        certificate=certificate,
        disk_mb={"home": 256, "log_dir": 512, "root": 256},
        packages=("zstd",),
        units=("airflow-*.service",),
        processes=("airflow*", "gunicorn*"),
        status=(name,),
        unit=dict.fromkeys(MAJORS, unit) if isinstance(unit, str) else unit,
        sections=sections,
        secrets=secrets,
    )


# Backing services first, then components in the order in which they start. Memory: resident sizes on Airflow 3.3,
# rounded up.
SERVICES: tuple[Service, ...] = (
    Service(
        "etcd",
        "etcd",
        optional=True,
        certificate=True,
        members=True,
        ports=(
            Port("etcd", ("metastore", "etcd"), number=ETCD_CLIENT_PORT),
            Port("etcd between its members", ("etcd",), number=ETCD_PEER_PORT),
        ),
        memory_mb=96,
        packages=("etcd-server",),
        units=("etcd.service",),
        processes=("etcd",),
        accounts=("etcd",),
        one_release="etcd 3.4 and 3.5 together are a state of an upgrade, not one to live with",
    ),
    Service(
        "metastore",
        "PostgreSQL",
        certificate=True,
        members=True,
        ports=(
            Port("PostgreSQL", ("haproxy",), variable="airflow_metastore_port", peers_when=(("patroni", "metastore"),)),
            Port("Patroni", ("haproxy", "metastore"), number=PATRONI_PORT, when=("patroni",)),
        ),
        memory_mb=384,
        disk_mb={"/var/lib/postgresql": 1024},
        packages=("postgresql-common", "python3-psycopg2"),
        units=("postgresql@*.service", "postgresql.service", "patroni.service"),
        processes=("postgres", "patroni"),
        accounts=("postgres",),
        one_release="PostgreSQL 15 and 17 cannot follow each other",
        status=("metastore",),
    ),
    Service(
        "rabbitmq",
        "RabbitMQ",
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
        memory_mb=256,
        disk_mb={"/var/lib/rabbitmq": DISK_FREE_LIMIT_MB + _BROKER_MARGIN_MB},
        packages=("rabbitmq-server",),
        units=("rabbitmq-server.service", "epmd.service", "epmd.socket", "epmd@*.service", "epmd@*.socket"),
        processes=("beam.smp", "epmd", "erl_child_setup"),
        accounts=("rabbitmq", "epmd"),
        one_release="RabbitMQ 3.10 and 4.0 form no cluster together",
        status=("rabbitmq", "quorum"),
    ),
    Service(
        "redis",
        "Redis",
        optional=True,
        certificate=True,
        ports=(Port("Redis", ("haproxy",), variable="airflow_redis_port"),),
        memory_mb=128,
        disk_mb={"/var/lib/redis": 1024},
        packages=("redis-server",),
        units=("redis-server.service",),
        processes=("redis-server", "redis-check-rdb"),
        accounts=("redis",),
        status=("redis",),
    ),
    Service(
        "haproxy",
        "HAProxy",
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
            Port("HAProxy statistics", ("admins",), variable="airflow_haproxy_stats_port"),
            # A webserver that was restarted asks here whether it is served again.
            Port("HAProxy metrics", ("admins", "webserver"), variable="airflow_haproxy_metrics_port"),
        ),
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
        ports=(Port("PgBouncer", _METASTORE_CLIENTS, variable="airflow_pgbouncer_port", when=("pgbouncer",)),),
        units=("pgbouncer.service",),
        processes=("pgbouncer",),
        accounts=("postgres",),
        status=("pgbouncer",),
    ),
    Service(
        "keepalived",
        "keepalived",
        host_group="haproxy",
        ports=(Port("keepalived", ("haproxy",), number=VRRP, when=("vip",)),),
        units=("keepalived.service",),
        processes=("keepalived",),
    ),
    _component(
        "webserver",
        "api-server",
        {2: "airflow-webserver", 3: "airflow-api-server"},
        ports=(Port("api-server", ("haproxy",), variable="airflow_webserver_port"),),
        memory_mb=300,
        certificate=True,
        sections=("api", "api_auth", "execution_api", "fab", "triggerer"),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
            3: ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "api_secret_key", "jwt_secret"),
        },
    ),
    _component(
        "scheduler",
        "scheduler",
        "airflow-scheduler",
        memory_mb=400,
        sections=("api_auth", "celery", "celery_broker_transport_options", "execution_api", "operators", "triggerer"),
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
        memory_mb=400,
        sections=("operators",),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
            3: ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key"),
        },
    ),
    _component(
        "triggerer",
        "triggerer",
        "airflow-triggerer",
        ports=(Port("task logs of the triggerer", ("webserver",), variable="airflow_triggerer_log_port"),),
        memory_mb=300,
        sections=("api", "triggerer"),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
            3: ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "api_secret_key"),
        },
    ),
    # One unit per queue. Its memory follows from its queues. On Airflow 3 it gets neither metastore URL nor Fernet key:
    # its tasks talk to the execution API, which hands out connections decrypted.
    _component(
        "worker",
        "worker",
        "airflow-worker@*",
        ports=(Port("task logs of the worker", ("webserver",), variable="airflow_worker_log_port"),),
        sections=("api", "celery", "celery_broker_transport_options", "operators", "workers"),
        secrets={
            2: ("sql_alchemy_conn", "fernet_key", "broker_url", "result_backend", "api_secret_key"),
            3: ("broker_url", "result_backend", "api_secret_key"),
        },
    ),
)

BY_NAME: Mapping[str, Service] = MappingProxyType({service.name: service for service in SERVICES})
COMPONENT: Mapping[str, Component] = MappingProxyType(
    {each.name: each for each in SERVICES if isinstance(each, Component)}
)
# In the order in which they start.
COMPONENTS = tuple(COMPONENT)
# Groups of the inventory, without their prefix.
GROUPS = tuple(service.name for service in SERVICES if not service.host_group)
OPTIONAL = tuple(service.name for service in SERVICES if service.optional)
SERVERS = tuple(service.name for service in SERVICES if service.certificate)
MEMBER_TIERS: Mapping[str, str] = MappingProxyType(
    {service.name: service.title for service in SERVICES if service.members}
)
# Brokers that the collection runs itself.
BROKER_GROUPS = ("rabbitmq", "redis")
# Sections of airflow.cfg that not every component reads.
RESTRICTED_SECTIONS = frozenset(section for component in COMPONENT.values() for section in component.sections)
# First words of the report's rows, from the bottom of the cluster to the top: what is read first is what the rest
# stands on.
ORDER = ("host", *(word for service in SERVICES for word in service.status), "health", "canary")
