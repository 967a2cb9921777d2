"""The services of a cluster: what each is, where it runs, and what it needs. Data only."""

from __future__ import annotations

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
# Secret files by component. A 3.x worker gets neither metastore URL nor Fernet key: its tasks talk to the execution API,
# which hands out connections decrypted.
SECRETS_3: dict[str, tuple[str, ...]] = {
    "webserver": ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "api_secret_key", "jwt_secret"),
    "scheduler": ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "jwt_secret", "broker_url", "result_backend"),
    "dag_processor": ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key"),
    "triggerer": ("sql_alchemy_conn", "sql_alchemy_conn_async", "fernet_key", "api_secret_key"),
    "worker": ("broker_url", "result_backend", "api_secret_key"),
}
SECRETS_2: dict[str, tuple[str, ...]] = {
    "webserver": ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
    "scheduler": ("sql_alchemy_conn", "fernet_key", "api_secret_key", "broker_url", "result_backend"),
    "dag_processor": ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
    "triggerer": ("sql_alchemy_conn", "fernet_key", "api_secret_key"),
    "worker": ("sql_alchemy_conn", "fernet_key", "broker_url", "result_backend", "api_secret_key"),
}
# Names of the units by component, on every version of Airflow; what a component's role calls its siblings.
UNITS: dict[str, tuple[str, ...]] = {
    "webserver": ("airflow-api-server.service", "airflow-webserver.service"),
    "scheduler": ("airflow-scheduler.service",),
    "dag_processor": ("airflow-dag-processor.service",),
    "triggerer": ("airflow-triggerer.service",),
    "worker": ("airflow-worker@*.service",),
}
MAJORS = (2, 3)
# Groups of the brokers that the collection runs itself.
BROKER_GROUPS = ("rabbitmq", "redis")
GROUPS = ("etcd", "metastore", *BROKER_GROUPS, "haproxy", *COMPONENTS)
# A cluster may be without them.
OPTIONAL = ("etcd", "redis")
# What these services prove to their clients; other hosts are clients only.
SERVERS = ("etcd", "metastore", *BROKER_GROUPS, "haproxy", "webserver")
ETCD_CLIENT_PORT = 2379
ETCD_PEER_PORT = 2380
PATRONI_PORT = 8008
EPMD_PORT = 4369
# RabbitMQ's distribution port: 20000 above the default AMQP port, whatever the AMQP port is.
DISTRIBUTION_PORT = 25672
# Nodes send what rabbitmqctl asks for straight to it: each of its processes listens on one of these.
TOOL_PORTS = "35672-35682"
VRRP = "vrrp"
# MiB that each service needs at least to start and do a little; resident sizes measured on Airflow 3.3, rounded up.
MEMORY_MB = {
    "system": 256,
    "metastore": 384,
    "rabbitmq": 256,
    "redis": 128,
    "haproxy": 64,
    "etcd": 96,
    "webserver": 300,
    "scheduler": 400,
    "dag_processor": 400,
    "triggerer": 300,
}
# MiB that must be free for each purpose. RabbitMQ blocks publishers below the limit that the model sets; a release with its archive and
# its unpacked copy takes about 900 MiB.
DISK_MB = {"/var/lib/postgresql": 1024, "/var/lib/redis": 1024, "home": 256, "log_dir": 512, "root": 256}
RELEASE_MB = 1280
BROKER_MARGIN_MB = 512
INODES = 10_000
# Files that RabbitMQ's unit asks for.
OPEN_FILES = 65536
# By which to see whether the packages of a service can be had; the real ones depend on the release.
PACKAGES = {
    "etcd": ("etcd-server",),
    "metastore": ("postgresql-common", "python3-psycopg2"),
    "rabbitmq": ("rabbitmq-server",),
    "redis": ("redis-server",),
    "haproxy": ("haproxy",),
    "airflow": ("zstd",),
}
# Units that may hold the ports of a host of each group.
HOLDING_UNITS = {
    "etcd": ("etcd.service",),
    "metastore": ("postgresql@*.service", "postgresql.service", "patroni.service"),
    "rabbitmq": ("rabbitmq-server.service", "epmd.service", "epmd.socket", "epmd@*.service", "epmd@*.socket"),
    "redis": ("redis-server.service",),
    "haproxy": ("haproxy.service", "pgbouncer.service"),
    "airflow": ("airflow-*.service",),
}
# For a process in no unit.
PROCESSES = {
    "etcd": ("etcd",),
    "metastore": ("postgres", "patroni"),
    "rabbitmq": ("beam.smp", "epmd", "erl_child_setup"),
    "redis": ("redis-server", "redis-check-rdb"),
    "haproxy": ("haproxy", "pgbouncer"),
    "airflow": ("airflow*", "gunicorn*"),
}
# For a process that cannot be seen (a container without CAP_SYS_PTRACE), the account that made the socket. HAProxy binds as root.
HOLDING_ACCOUNTS = {
    "etcd": ("etcd",),
    "metastore": ("postgres",),
    "rabbitmq": ("rabbitmq", "epmd"),
    "redis": ("redis",),
    "haproxy": ("root", "haproxy", "postgres"),
}
# Groups whose hosts work as one, and why they cannot with different Debian releases.
TIERS = {
    "rabbitmq": "RabbitMQ 3.10 and 4.0 form no cluster together",
    "metastore": "PostgreSQL 15 and 17 cannot follow each other",
    "etcd": "etcd 3.4 and 3.5 together are a state of an upgrade, not one to live with",
}
# Measured resident sizes on Airflow 3.3: the worker's main process, and one pool process before any task code runs.
MAIN_PROCESS_MB = 200
POOL_PROCESS_MB = 160
# Room for what a task itself needs.
TASK_MB = 96
# Kept for the system and other services.
RESERVED_MB = 1024
# From the bottom of the cluster to the top: what is read first is what the rest stands on.
ORDER = (
    "host",
    "metastore",
    "rabbitmq",
    "quorum",
    "redis",
    "haproxy",
    "path",
    "webserver",
    "scheduler",
    "dag_processor",
    "triggerer",
    "worker",
    "health",
    "canary",
)
MEMBER_TIERS = {"etcd": "etcd", "rabbitmq": "RabbitMQ", "metastore": "PostgreSQL"}
