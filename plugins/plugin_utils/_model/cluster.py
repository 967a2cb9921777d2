"""The cluster model: from inventory groups and variables to everything that roles need, computed once.

Pure functions: no Ansible, no input or output. ``build`` never sees a secret or a fact of a host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets as secrets_catalog
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import SCHEDULER_LEASE, Mode
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import AUTHORITY, METASTORE_AUTHORITY, SECRETS_DIR, SERVER
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import GROUPS, SERVERS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import broker, ha, modes, ports, scheduler_lease, timing
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import firewall as firewall_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore as metastore_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import LOOPBACK, cidr
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import mode_files, secrets_of, units
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host, longest_drain_seconds, served_queues
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config, merge_config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.modes import active_modes
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import LIBPQ_KEEPALIVE, bracket, libpq_tls

DAGS_DIR = "dags"
# Seconds that the import of a DAG file may take, and all of its processing. Airflow's 30 and 50 are too few on a busy host: its DAGs
# would be taken for gone, and tasks fail.
IMPORT_SECONDS, FILE_SECONDS = 120, 180
# Nobody can log in as this user, there is none: PostgreSQL asks it for a password all the same, which is what a health check wants.
CHECK_USER = "flightdeck_check"
OWNER = "airflow_owner"
POOLER = "pgbouncer"


def _coarse(least: int, needed: int) -> int:
    """``needed`` rounded up to ``least`` or as many doublings of it as it takes."""
    while least < needed:
        least *= 2
    return least


class Model:
    """Builds the dictionary; one method per part."""

    def __init__(self, hosts: list[Host], settings: Mapping[str, Any]) -> None:
        self.hosts = hosts
        self.set = settings
        self.version = str(settings["airflow_version"])
        self.major = int(self.version.split(".", maxsplit=1)[0])
        self.tls = bool(settings["airflow_tls"])
        self.broker = broker.broker_of(settings)
        self.database = metastore_model.share(settings, f"{SECRETS_DIR}/{METASTORE_AUTHORITY}")
        self.modes = active_modes(settings)

    def members(self, group: str) -> list[Host]:
        """Hosts of ``group``, in the order of the inventory."""
        return [host for host in self.hosts if group in host.groups]

    def airflow_hosts(self) -> list[Host]:
        """Hosts with a component of Airflow."""
        return [host for host in self.hosts if host.components]

    @property
    def highly_available(self) -> bool:
        """Whether Patroni runs the metastore."""
        return len(self.members("metastore")) > 1

    def vip(self) -> str:
        """The virtual IP of the load balancers, or nothing."""
        return str(self.set["airflow_vip"]).partition("/")[0]

    def entry(self) -> str:
        """Address under which others find the load balancers."""
        return self.vip() or self.members("haproxy")[0].address

    def balancer(self, host: Host) -> str:
        """Address of the load balancer that ``host`` uses: its own when it has one."""
        return LOOPBACK if "haproxy" in host.groups else self.entry()

    def peers(self, hosts: Iterable[Host]) -> list[str]:
        """Who may connect from ``hosts`` to a service that may run on one of them."""
        return sorted({cidr(LOOPBACK), *(cidr(host.address) for host in hosts)})

    def url(self) -> str:
        """URL of Airflow's UI and API."""
        if self.set["airflow_url"]:
            return str(self.set["airflow_url"]).rstrip("/")
        scheme, port = ("https", "https") if self.tls else ("http", "web")
        return f"{scheme}://{bracket(self.entry())}:{self.set[f'airflow_haproxy_{port}_port']}"

    def certificate_names(self) -> dict[str, list[str]]:
        """The names and addresses that each server's certificate proves."""
        balancers = [host.address for host in self.members("haproxy")] + ([self.vip()] if self.vip() else [])
        names = {}
        for host in self.hosts:
            if not self.tls or not host.groups.intersection(SERVERS):
                continue
            own = {host.name, host.address, "localhost", LOOPBACK}
            if host.groups & {"metastore", *services.BROKER_GROUPS}:
                # The load balancer passes their connections on as they are, so clients ask for its address.
                own.update(balancers)
            if "haproxy" in host.groups:
                own.update({str(urlsplit(self.url()).hostname), self.entry()})
            names[host.name] = sorted(own)
        return names

    def build(self) -> dict[str, Any]:
        """The whole model."""
        return {
            "name": self.set["airflow_cluster_name"],
            "version": {"full": self.version, "major": self.major},
            "url": self.url(),
            "api_url": f"{self.url()}/api/v{2 if self.major >= 3 else 1}",
            "admin_user": self.set["airflow_admin_user"],
            "drain_timeout_seconds": longest_drain_seconds(self.hosts),
            "verify_timeout_seconds": self.set["airflow_verify_timeout_seconds"],
            "broker": {"kind": self.broker.kind, "external": self.broker.external, "remote_control": self.broker.remote_control},
            "foreign_secrets": [*broker.foreign_secrets(self.set), *(secrets_catalog.OWN_SECRETS if self.database["external"] else ())],
            "tls": {"enabled": self.tls, "names": self.certificate_names()},
            "metastore": self.database,
            "hosts_of": {group: [{"name": host.name, "address": host.address} for host in self.members(group)] for group in GROUPS},
            "hosts_entries": [{"address": host.address, "name": host.name} for host in self.hosts],
            "firewall": self.set["airflow_firewall"],
            "manage_hosts_file": self.set["airflow_manage_hosts_file"],
            "allow_downgrade": self.set["airflow_allow_downgrade"],
            "account": self.set["airflow_user"],
            "directories": {name: self.set[f"airflow_{name}"] for name in ("root", "home", "log_dir")},
            "queues": served_queues(self.hosts),
            "modes": [modes.share(mode) for mode in self.modes],
            "scheduler_lease": scheduler_lease.share(self.members("scheduler"), enabled=SCHEDULER_LEASE in self.modes),
            "airflow_hosts": [host.name for host in self.airflow_hosts()],
            "database_host": self.members("webserver")[0].name,
            "database_owner": self.database_owner(self.members("webserver")[0]),
            "database_logins": self.database_logins(self.members("webserver")[0]),
            "nodes": {host.name: self.node(host) for host in self.hosts},
        }

    def node(self, host: Host) -> dict[str, Any]:
        """``host``'s share of the model."""
        node: dict[str, Any] = {"name": host.name, "address": host.address, "components": host.components}
        listening = (port for port in self.open_ports(host) if isinstance(port.number, int))
        node["ports"] = [{"port": port.number, "service": port.service.title} for port in listening]
        if "etcd" in host.groups:
            node["etcd"] = ha.etcd(host, self.members("etcd"), self.set, tls=self.tls)
        if "metastore" in host.groups:
            node["metastore"] = self.metastore(host)
        if "rabbitmq" in host.groups:
            node["rabbitmq"] = self.rabbitmq(host)
        if "redis" in host.groups:
            node["redis"] = broker.redis(self.set)
        if "haproxy" in host.groups:
            node["haproxy"] = self.haproxy()
            if self.set["airflow_pgbouncer"]:
                node["pgbouncer"] = self.pgbouncer()
            if self.vip():
                node["keepalived"] = ha.keepalived(host, self.members("haproxy"), self.set)
        if host.components:
            node["airflow"] = self.airflow(host)
        parsing = {"dag_processor", "worker"} if self.major >= 3 else {"dag_processor", "worker", "scheduler"}
        if parsing & host.groups:
            node["dags"] = {
                "source": self.set["airflow_dags_dir"],
                "path": f"{self.set['airflow_home']}/{DAGS_DIR}",
                "group": self.set["airflow_user"],
                "keep_revisions": self.set["airflow_dags_keep_revisions"],
            }
        if self.set["airflow_firewall"]:
            node["firewall"] = self.firewall(host)
        return node

    def modes_of(self, host: Host) -> list[Mode]:
        """The active modes of the components of ``host``."""
        return [mode for mode in self.modes if mode.component in host.groups]

    def open_ports(self, host: Host) -> list[ports.OpenPort]:
        """What the services of ``host`` listen on."""
        return ports.open_ports(host, self.set, ports.conditions(self.hosts, self.set))

    def firewall(self, host: Host) -> dict[str, Any]:
        """The firewall's share of a host."""
        given = {"users": self.set["airflow_firewall_user_sources"], "admins": self.set["airflow_firewall_admin_sources"]}
        members = {group: [{"address": host.address} for host in self.members(group)] for group in GROUPS}
        return {
            "guard_seconds": self.set["airflow_firewall_guard_seconds"],
            "ssh_ports": self.set["airflow_firewall_ssh_ports"],
            "ssh_sources": self.set["airflow_firewall_ssh_sources"],
            "rules": [
                {"port": port.number, "why": port.purpose, "sources": firewall_model.sources(port.peers, members, given)}
                for port in self.open_ports(host)
                if port.peers
            ],
            "extra_rules": list(host.firewall_extra_rules),
        }

    def metastore(self, host: Host) -> dict[str, Any]:
        """The share of a host with PostgreSQL."""
        patroni: dict[str, Any] = {}
        if self.highly_available:
            patroni = ha.patroni(host, self.members("metastore"), self.members("etcd"), self.set, tls=self.tls)
        return {
            "patroni": patroni,
            "listen_addresses": ["*"],
            "port": self.set["airflow_metastore_port"],
            "max_connections": self.max_connections(),
            "databases": [
                # The owner migrates the database; who runs has the rights to read and write rows.
                {
                    "name": "airflow",
                    "user": "airflow",
                    "secret": "metastore_password",
                    "owner": OWNER,
                    "owner_secret": "metastore_owner_password",
                },
                {"name": "airflow_results", "user": "airflow_results", "secret": "result_backend_password"},
            ],
            "pooler": {"user": POOLER, "secret": "pgbouncer_password"} if self.set["airflow_pgbouncer"] else {},
            "extra_users": scheduler_lease.users(self.members("scheduler")) if SCHEDULER_LEASE in self.modes else [],
            "clients": self.peers(self.members("haproxy")),
            "check_user": CHECK_USER if self.tls and not self.highly_available else "",
            "config": self.set["airflow_postgresql_config"],
        }

    def max_connections(self) -> int:
        """What the metastore allows: in coarse steps, so that a new worker does not restart it."""
        return _coarse(200, self.connections_needed())

    def pgbouncer(self) -> dict[str, Any]:
        """The share of a host with PgBouncer."""
        return {
            "port": self.set["airflow_pgbouncer_port"],
            "server_port": self.set["airflow_haproxy_metastore_port"],
            "user": POOLER,
            "pools": self.pools(),
        }

    def pools(self) -> dict[str, int]:
        """Sessions that each load balancer's PgBouncer may hold, by database: all that are needed may come through one of them."""
        return {database: _coarse(50, needed) for database, needed in self.sessions().items()}

    def connections_needed(self) -> int:
        """Connections that the metastore may get at worst, and 20 for migrations and people."""
        spare = 20 + sum(mode.sessions_per_host * len(self.members(mode.component)) for mode in self.modes)
        if self.set["airflow_pgbouncer"]:
            return len(self.members("haproxy")) * sum(self.pools().values()) + spare
        return sum(self.sessions().values()) + spare

    def sessions(self) -> dict[str, int]:
        """Sessions that Airflow may have at worst, by database.

        Each process has a pool of 5 and an overflow of 10 for each of its engines (Airflow's defaults); a worker one connection per
        task slot for its results, at 16 slots (Airflow's default), and on 2.x three per slot for the tasks themselves.
        """
        per_host = {
            "webserver": 20 * int(self.set["airflow_webserver_workers"]),
            "scheduler": 15,
            "dag_processor": 20,
            "triggerer": 15,
        }
        slots = sum(16 * len(host.queues) for host in self.members("worker"))
        tasks = sum(per_host[group] * len(self.members(group)) for group in per_host) + (0 if self.major >= 3 else 3 * slots)
        return {"airflow": tasks, "airflow_results": 15 * len(self.members("scheduler")) + slots}

    def rabbitmq(self, host: Host) -> dict[str, Any]:
        """The share of a host with RabbitMQ."""
        members = self.members("rabbitmq")
        names = {member.name: f"rabbit@{member.name}" for member in members}
        seed = members[0]
        return {
            "nodename": names[host.name],
            "longnames": any("." in member.name for member in members),
            "nodes": list(names.values()),
            "seed": {"name": seed.name, "address": seed.address, "nodename": names[seed.name]},
            "port": self.rabbitmq_port(),
            "management_port": self.set["airflow_rabbitmq_management_port"],
            "management_tls_port": self.set["airflow_rabbitmq_management_tls_port"],
            "prometheus_port": self.set["airflow_rabbitmq_prometheus_port"],
            "vhost": "airflow",
            "user": broker.USER,
            "secret": "broker_password",
            "admin_user": "admin",
            "consumer_timeout_seconds": self.set["airflow_max_task_seconds"],
            "delivery_limit": 50,
            "message_ttl_seconds": timing.message_ttl(self.set["airflow_config"]) if self.major >= 3 else None,
            "disk_free_limit_mb": 1024,
            "memory_watermark": 0.4,
            "net_ticktime_seconds": 30,
            "heartbeat_seconds": 30,
        }

    def rabbitmq_port(self) -> int:
        """The AMQP port of RabbitMQ's hosts."""
        return int(self.set["airflow_rabbitmq_tls_port" if self.tls else "airflow_rabbitmq_port"])

    def haproxy(self) -> dict[str, Any]:
        """The share of a host with HAProxy."""

        def servers(group: str, port: int) -> list[dict[str, Any]]:
            return [{"name": member.name, "address": member.address, "port": port} for member in self.members(group)]

        web = [{"name": host.name, "address": host.address, "port": host.webserver_port} for host in self.members("webserver")]
        listeners = [
            {
                "name": "web",
                "mode": "http",
                "port": self.set["airflow_haproxy_https_port" if self.tls else "airflow_haproxy_web_port"],
                **({"redirect_from": self.set["airflow_haproxy_web_port"]} if self.tls else {}),
                "check_path": "/api/v2/version" if self.major >= 3 else "/api/v1/version",
                "deny_paths": ["/execution"],
                "servers": web,
            },
            *([] if self.database["external"] else [self.metastore_listener(servers("metastore", self.set["airflow_metastore_port"]))]),
            *broker.listeners(
                self.set, {"rabbitmq": servers("rabbitmq", self.rabbitmq_port()), "redis": servers("redis", self.set["airflow_redis_port"])}
            ),
        ]
        if self.major >= 3:
            execution = {
                "name": "execution_api",
                "mode": "http",
                "port": self.set["airflow_haproxy_execution_api_port"],
                "check_path": "/execution/health",
                "allow_paths": ["/execution"],
                "servers": web,
            }
            listeners.insert(1, execution)
        return {
            "stats": {"port": self.set["airflow_haproxy_stats_port"], "user": "admin", "secret": "haproxy_stats_password"},
            "metrics_port": self.set["airflow_haproxy_metrics_port"],
            # Longer than Airflow keeps a session ([database] sql_alchemy_pool_recycle, 30 minutes): one cut in a query ends its service.
            "hard_stop_after": "45m",
            "listeners": listeners,
        }

    def metastore_listener(self, servers: list[dict[str, Any]]) -> dict[str, Any]:
        """The way to the metastore host that takes writes."""
        check: dict[str, Any] = {"check": "postgresql", "check_user": CHECK_USER if self.tls else "airflow"}
        if self.highly_available:
            check = {"check": "patroni", "check_port": services.PATRONI_PORT}
        port = self.set["airflow_haproxy_metastore_port"]
        return {"name": "metastore", "mode": "tcp", "port": port, **check, "servers": servers}

    def airflow(self, host: Host) -> dict[str, Any]:
        """The share of a host with components of Airflow."""
        needed = {secret for component in host.components for secret in secrets_of(component, self.major)}
        needed.update(name for mode in self.modes_of(host) for name in mode_files(mode, self.major))
        secrets = [secret for secret in self.secret_files(host) if secret["file"] in needed]
        files = [secret["file"] for secret in secrets]
        drivers = metastore_model.config(self.set, files)
        config = merge_config(self.config(host), drivers, self.set["airflow_config"], secret_options(needed, self.major))
        return {
            "address": host.address,
            "config": config,
            "secrets": secrets,
            "wrappers": {mode.component: modes.wrapper(mode) for mode in self.modes_of(host)},
            "queues": [dict(queue) for queue in host.queues],
            "units": units(host.components, [queue["name"] for queue in host.queues], self.major),
            "ports": self.ports(host),
            "up_urls": self.up_urls(host),
            "proxies": sorted({LOOPBACK, *(member.address for member in self.members("haproxy"))}),
        }

    def ports(self, host: Host) -> dict[str, int]:
        """What the components of ``host`` listen on."""
        ports = {"webserver": host.webserver_port, "triggerer": self.set["airflow_triggerer_log_port"], "worker": host.log_port}
        return {component: int(port) for component, port in ports.items() if component in host.groups}

    def up_urls(self, host: Host) -> list[str]:
        """Where each load balancer says whether it sends requests to the webserver of ``host``."""
        if "webserver" not in host.groups:
            return []
        port = self.set["airflow_haproxy_metrics_port"]
        return [f"http://{bracket(balancer.address)}:{port}/up/{host.name}" for balancer in self.members("haproxy")]

    def metastore_url(self, host: Host, user: str, secret: str) -> dict[str, Any]:
        """How processes of ``host`` reach the metastore as ``user``, without the password."""
        return {
            "scheme": "postgresql+psycopg2",
            "query": {**LIBPQ_KEEPALIVE, **(libpq_tls(f"{SECRETS_DIR}/{AUTHORITY}") if self.tls else {})},
            "user": user,
            "secret": secret,
            "path": "airflow",
            "host": self.balancer(host),
            "port": self.set["airflow_pgbouncer_port" if self.set["airflow_pgbouncer"] else "airflow_haproxy_metastore_port"],
        }

    def database_owner(self, host: Host) -> dict[str, Any]:
        """What a migration on ``host`` connects as, past PgBouncer: the description of a secret that is in no file of a host."""
        if self.database["external"]:
            return metastore_model.owner(self.set, self.database["authority"])
        url = self.metastore_url(host, OWNER, "metastore_owner_password")
        return {**url, "file": "owner", "port": self.set["airflow_haproxy_metastore_port"]}

    def database_logins(self, host: Host) -> list[dict[str, Any]]:
        """What is tried on ``host`` before a migration, where the server is somebody else's."""
        if not self.database["external"]:
            return []
        results = any("result_backend" in secrets_of(component, self.major) for component in host.components)
        return metastore_model.logins(self.set, self.database["authority"], results)

    def secret_files(self, host: Host) -> list[dict[str, Any]]:
        """Descriptions of the files under /etc/airflow/secrets: plain values, or URLs into which a password goes."""
        return [
            *(
                metastore_model.secret_files(self.set, self.database["authority"])
                if self.database["external"]
                else self.metastore_files(host)
            ),
            *broker.secrets(self.set, self.balancer(host)),
            {"file": "fernet_key", "secret": "fernet_key"},
            {"file": "api_secret_key", "secret": "api_secret_key"},
            {"file": "jwt_secret", "secret": "jwt_secret"},
            *({"file": name, "secret": name} for name in (AUTHORITY, *SERVER) if self.tls),
            *([{"file": METASTORE_AUTHORITY, "secret": "metastore_ca"}] if self.set["airflow_metastore_ca"] else []),
        ]

    def metastore_files(self, host: Host) -> list[dict[str, Any]]:
        """The secret files with the URLs of the collection's own metastore."""
        metastore = self.metastore_url(host, "airflow", "metastore_password")
        results = self.metastore_url(host, "airflow_results", "result_backend_password")
        # asyncpg knows none of libpq's option names and fails on them at first use; the authority comes by PGSSLROOTCERT.
        asyncpg = {"ssl": "verify-full"} if self.tls else {}
        files: list[dict[str, Any]] = [
            {**metastore, "file": "sql_alchemy_conn"},
            {**metastore, "file": "sql_alchemy_conn_async", "scheme": "postgresql+asyncpg", "query": asyncpg},
            {**results, "file": "result_backend", "scheme": "db+postgresql+psycopg2", "path": "airflow_results"},
        ]
        if SCHEDULER_LEASE in self.modes_of(host):
            files += scheduler_lease.secret_files(host, files, self.set, self.major)
        return files

    def config(self, host: Host) -> Config:
        """Options of airflow.cfg on ``host`` that every version has."""
        home = self.set["airflow_home"]
        common: Config = {
            "core": {
                "executor": "CeleryExecutor",
                "dags_folder": f"{home}/{DAGS_DIR}/current",
                "dagbag_import_timeout": IMPORT_SECONDS,
                "load_examples": False,
                "hostname_callable": "flightdeck_node.address",
            },
            "logging": {
                "base_log_folder": self.set["airflow_log_dir"],
                "worker_log_server_port": host.log_port,
                "trigger_log_server_port": self.set["airflow_triggerer_log_port"],
                "colored_console_log": False,
            },
            **broker.config(self.set, longest_drain_seconds(self.hosts)),
            "scheduler": {"orphaned_tasks_check_interval": 60},
            "fab": {"session_backend": "database", "enable_proxy_fix": True},
        }
        return merge_config(common, self.config_3(host) if self.major >= 3 else self.config_2(host))

    def config_3(self, host: Host) -> Config:
        """Options of airflow.cfg on ``host`` that Airflow 3 has."""
        port = self.set["airflow_haproxy_execution_api_port"]
        certificate, key = (f"{SECRETS_DIR}/{name}" for name in SERVER)
        tls: Config = {"api": {"ssl_ca_file": f"{SECRETS_DIR}/{AUTHORITY}"}} if self.tls else {}
        if self.tls and "webserver" in host.groups:
            tls["api"].update(ssl_cert=certificate, ssl_key=key)
        settings: Config = {
            "core": {
                "auth_manager": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
                "execution_api_server_url": f"{'https' if self.tls else 'http'}://{bracket(self.balancer(host))}:{port}/execution/",
            },
            "api": {"base_url": self.url(), "port": host.webserver_port, "workers": self.set["airflow_webserver_workers"]},
            # Airflow's 10 s are less than what a clock may be off before anybody notices; an api-server that is behind refuses every task.
            "api_auth": {"jwt_leeway": 30},
            "dag_processor": {
                "refresh_interval": 30,
                "dag_bundle_storage_path": f"{self.set['airflow_home']}/bundles",
                "dag_file_processor_timeout": FILE_SECONDS,
            },
            **{section: dict(options) for section, options in timing.SETTINGS.items()},
        }
        return merge_config(settings, tls)

    def config_2(self, host: Host) -> Config:
        """Options of airflow.cfg on ``host`` that Airflow 2 has."""
        certificate, key = (f"{SECRETS_DIR}/{name}" for name in SERVER)
        tls: dict[str, Any] = {"cookie_secure": True}
        if "webserver" in host.groups:
            tls |= {"web_server_ssl_cert": certificate, "web_server_ssl_key": key}
        return {
            "api": {"auth_backends": "airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session"},
            "core": {"dag_file_processor_timeout": FILE_SECONDS},
            "scheduler": {"scheduler_zombie_task_threshold": 300, "standalone_dag_processor": True, "dag_dir_list_interval": 30},
            "webserver": {
                "base_url": self.url(),
                "web_server_port": host.webserver_port,
                "workers": self.set["airflow_webserver_workers"],
                "session_backend": "database",
                "enable_proxy_fix": True,
                **(tls if self.tls else {}),
            },
            "fab": {"session_backend": None, "enable_proxy_fix": None},
        }


def secret_options(files: Iterable[str], major: int) -> Config:
    """The ``*_cmd`` options that read the secret ``files``; only those that the host has."""
    places = {
        "sql_alchemy_conn": ("database", "sql_alchemy_conn_cmd"),
        "sql_alchemy_conn_async": ("database", "sql_alchemy_conn_async_cmd"),
        "fernet_key": ("core", "fernet_key_cmd"),
        "api_secret_key": ("api" if major >= 3 else "webserver", "secret_key_cmd"),
        "jwt_secret": ("api_auth", "jwt_secret_cmd"),
        "broker_url": ("celery", "broker_url_cmd"),
        "result_backend": ("celery", "result_backend_cmd"),
    }
    config: Config = {}
    for name in sorted(places.keys() & set(files)):
        section, option = places[name]
        config.setdefault(section, {})[option] = f"cat {SECRETS_DIR}/{name}"
    return config


def build(hosts: Iterable[Host], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The model of a cluster that ``check`` found nothing wrong with."""
    return Model(list(hosts), settings).build()
