# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster model: from inventory groups and variables to everything that roles need, computed once.

Pure functions: no Ansible, no input or output. ``build`` never sees a secret or a fact of a host.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets as secrets_catalog
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import reference
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES, Mode
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    CA,
    CODE_DIR,
    METASTORE_CA,
    SECRETS_DIR,
    SERVER,
    WEBSERVER_CONFIG,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    BROKER_ACCOUNTS,
    COMPONENT,
    EVERY_HOST,
    GROUPS,
    SERVERS,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import nearest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import (
    backup,
    broker,
    bundles,
    files,
    ha,
    http_proxy,
    journals,
    kerberos,
    login,
    modes,
    monitoring,
    options,
    ports,
    remote_logs,
    timing,
    tuning,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import firewall as firewall_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore as metastore_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import (
    LOOPBACK,
    LOOPBACK_6,
    canonical,
    cidr,
    is_ipv6,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import mode_files, secrets_of, units
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    Account,
    AirflowNode,
    BrokerRights,
    BuiltUrl,
    Cluster,
    ClusterBroker,
    ClusterMetastore,
    Code,
    Dags,
    DagsGit,
    Database,
    Directories,
    Firewall,
    FirewallRule,
    GivenUrl,
    HaProxy,
    HaProxyStats,
    HostAddress,
    Listener,
    Metastore,
    Node,
    NodePort,
    PgBouncer,
    PlainValue,
    PublicUrl,
    RabbitMq,
    RabbitMqSeed,
    SecretFile,
    Server,
    Tls,
    Unit,
    Version,
    WebAccess,
    secret_name,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import (
    Host,
    longest_drain_seconds,
    served_queues,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config, merge_config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.modes import active_modes
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.public_url import public_url, text
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import LIBPQ_KEEPALIVE, bracket, libpq_tls

# Seconds that the import of a DAG file may take, and all of its processing. Airflow's 30 and 50 are too few on a busy
# host: its DAGs would be taken for gone, and tasks fail.
IMPORT_SECONDS, FILE_SECONDS = 120, 180
# This user does not exist. PostgreSQL asks it for a password all the same, and that answer is all that a health check
# needs.
CHECK_USER = "flightdeck_check"
OWNER = "airflow_owner"
POOLER = "pgbouncer"


def _doubled_to(least: int, needed: int) -> int:
    """``needed`` rounded up to ``least`` or as many doublings of it as it takes."""
    while least < needed:
        least *= 2
    return least


class Model:
    """Builds the model; one method per part. Only checks give it ``settings`` that may have faults."""

    def __init__(self, hosts: Iterable[Host], settings: Settings) -> None:
        self.hosts = list(hosts)
        self.settings = settings
        self.broker = broker.broker_of(settings)
        self.modes = active_modes(settings)
        self.holds = ports.conditions(self.hosts, settings)

    @cached_property
    def major(self) -> int:
        """The first number of Airflow's version. Checks use models whose version is none, and not this."""
        return self.settings.major

    @cached_property
    def database(self) -> ClusterMetastore:
        """The metastore as its clients know it. Checks use models whose engine is not supported, and not this."""
        return metastore_model.share(self.settings, f"{SECRETS_DIR}/{METASTORE_CA}")

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
        return canonical(self.settings.vip.partition("/")[0])

    def entry(self) -> str:
        """Address under which others find the load balancers."""
        return self.vip() or self.members("haproxy")[0].address

    def balancer(self, host: Host) -> str:
        """Address of the load balancer that ``host`` uses: its own when it has one."""
        return LOOPBACK if "haproxy" in host.groups else self.entry()

    def peers(self, hosts: Iterable[Host]) -> list[str]:
        """Networks that may connect from ``hosts`` to a service that may run on one of them."""
        return sorted({cidr(LOOPBACK), *(cidr(host.address) for host in hosts)})

    @property
    def ipv6(self) -> bool:
        """Whether the hosts reach each other by IPv6: their addresses are all of one family."""
        return any(is_ipv6(host.address) for host in self.hosts)

    def public_url(self) -> PublicUrl:
        """URL of Airflow's UI and API, by its parts."""
        if self.settings.url:
            return public_url(self.settings.url)
        return public_url(f"{'https' if self.settings.tls else 'http'}://{bracket(self.entry())}:{self.web_port()}")

    def url(self) -> str:
        """URL of Airflow's UI and API."""
        return text(self.public_url())

    def base_path(self, component: str) -> str:
        """The path below which ``component`` is: the webserver is below that of the URL, for everybody."""
        return self.public_url().path if component == "webserver" else ""

    def web_port(self) -> int:
        """The load balancers' port of the UI and the API."""
        return (
            self.settings.ports["airflow_haproxy_https_port"]
            if self.settings.tls
            else self.settings.ports["airflow_haproxy_web_port"]
        )

    def certificate_names(self) -> dict[str, tuple[str, ...]]:
        """The names and addresses that each server's certificate proves."""
        balancers = [host.address for host in self.members("haproxy")] + ([self.vip()] if self.vip() else [])
        names = {}
        for host in self.hosts:
            servers = {*SERVERS, *(host.groups if self.settings.metrics else ())}
            if not self.settings.tls or not host.groups.intersection(servers):
                continue
            own = {host.name, host.address, "localhost", LOOPBACK, *([LOOPBACK_6] if self.ipv6 else [])}
            if host.groups & {"metastore", *services.BROKER_GROUPS}:
                # The load balancer passes their connections on as they are, so clients ask for its address.
                own.update(balancers)
            if "haproxy" in host.groups:
                own.update({self.public_url().host.strip("[]"), self.entry()})
            names[host.name] = tuple(sorted(own))
        return names

    def build(self) -> Cluster:
        """The whole model."""
        database_host = self.members("webserver")[0]
        nodes = {host.name: self.node(host) for host in self.hosts}
        return Cluster(
            name=self.settings.cluster_name,
            version=Version(full=self.settings.version, major=self.major, nearest=nearest(self.settings.version).full),
            url=self.url(),
            ipv6=self.ipv6,
            admin_user=self.settings.admin_user,
            auth_manager=login.manager(self.settings),
            drain_timeout_seconds=longest_drain_seconds(self.hosts),
            verify_timeout_seconds=self.settings.verify_timeout_seconds,
            broker=ClusterBroker(
                kind=self.broker.kind, external=self.broker.external, remote_control=self.broker.remote_control
            ),
            external_secrets=(
                *broker.external_secrets(self.settings),
                *(secrets_catalog.OWN_SECRETS if self.database.external else ()),
            ),
            tls=Tls(enabled=self.settings.tls, names=self.certificate_names()),
            metastore=self.database,
            dags_git=self.dags_git(),
            hosts_of={group: self.addresses(self.members(group)) for group in GROUPS},
            hosts_entries=self.addresses(self.hosts),
            firewall=self.settings.firewall,
            manage_hosts_file=self.settings.manage_hosts_file,
            allow_downgrade=self.settings.allow_downgrade,
            account=self.settings.user,
            manage_account=self.settings.manage_account,
            uid=self.settings.uid,
            gid=self.settings.gid,
            directories=Directories(root=self.settings.root, home=self.settings.home, log_dir=self.settings.log_dir),
            db_clean=self.settings.db_clean,
            queues={queue: tuple(names) for queue, names in served_queues(self.hosts).items()},
            modes={
                mode.name: modes.HOOKS[mode.name].share(self.members(mode.component), enabled=mode in self.modes)
                for mode in MODES
            },
            airflow_hosts=tuple(host.name for host in self.airflow_hosts()),
            database_host=database_host.name,
            database_owner=self.database_owner(database_host),
            database_logins=self.database_logins(database_host),
            scraping=monitoring.scraping(nodes, self.settings),
            nodes=nodes,
        )

    @staticmethod
    def addresses(hosts: Iterable[Host]) -> tuple[HostAddress, ...]:
        """Names and addresses of ``hosts``."""
        return tuple(HostAddress(name=host.name, address=host.address) for host in hosts)

    def node(self, host: Host) -> Node:
        """``host``'s share of the model."""
        balancer = "haproxy" in host.groups
        node = Node(
            name=host.name,
            address=host.address,
            components=tuple(host.components),
            ports=tuple(
                NodePort(port=port.number, service=port.service.title)
                for port in self.open_ports(host)
                if isinstance(port.number, int)
            ),
            etcd=ha.etcd(host, self.members("etcd"), self.settings) if "etcd" in host.groups else None,
            backup=backup.repository(self.members("metastore"), self.settings) if "backup" in host.groups else None,
            metastore=self.metastore(host) if "metastore" in host.groups else None,
            rabbitmq=self.rabbitmq(host) if "rabbitmq" in host.groups else None,
            redis=broker.redis(self.settings) if "redis" in host.groups else None,
            haproxy=self.haproxy() if balancer else None,
            pgbouncer=self.pgbouncer() if balancer and self.settings.pgbouncer else None,
            keepalived=ha.keepalived(host, self.members("haproxy"), self.settings) if balancer and self.vip() else None,
            airflow=self.airflow(host) if host.components else None,
            dags=self.dags() if host.parses_dags(self.major) else None,
            monitoring=monitoring.server(self.settings) if "monitoring" in host.groups else None,
            journal_receiver=journals.receiver(host, self.hosts, self.settings),
            journal=journals.sender(self.members("monitoring"), self.settings),
            firewall=self.firewall(host) if self.settings.firewall else None,
        )
        return replace(node, metrics=monitoring.share(node, self.settings, monitored="monitoring" in self.holds))

    def modes_of(self, host: Host) -> list[Mode]:
        """The active modes of the components of ``host``."""
        return [mode for mode in self.modes if mode.component in host.groups]

    def dags(self) -> Dags:
        """The DAGs on a host that parses them."""
        return Dags(
            source=self.settings.dags_dir,
            path=self.settings.dags_root,
            group=self.settings.user,
            keep_revisions=self.settings.dags_keep_revisions,
        )

    def dags_git(self) -> DagsGit | None:
        """The repository of the DAGs."""
        settings = self.settings
        if not settings.dags_git_repository:
            return None
        return DagsGit(
            repository=settings.dags_git_repository,
            ref=settings.dags_git_ref,
            path=settings.dags_git_path.strip("/"),
            user=settings.dags_git_user,
            known_hosts=settings.dags_git_known_hosts,
            cache=f"{settings.release_cache}/git",
        )

    def open_ports(self, host: Host) -> list[ports.OpenPort]:
        """What the services of ``host`` listen on."""
        return ports.open_ports(host, self.settings, self.holds)

    def firewall(self, host: Host) -> Firewall:
        """The firewall of ``host``."""
        given = {"users": self.settings.firewall_user_sources, "admins": self.settings.firewall_admin_sources}
        members = {group: [member.address for member in self.members(group)] for group in GROUPS}
        members[EVERY_HOST] = [member.address for member in self.hosts]
        return Firewall(
            guard_seconds=self.settings.firewall_guard_seconds,
            ssh_ports=self.settings.firewall_ssh_ports,
            ssh_sources=self.settings.firewall_ssh_sources,
            rules=tuple(
                FirewallRule(
                    port=port.number,
                    why=port.purpose,
                    sources=tuple(firewall_model.sources(port.peers, members, given)),
                )
                for port in self.open_ports(host)
                if port.peers
            ),
            extra_rules=host.firewall_extra_rules,
        )

    def metastore(self, host: Host) -> Metastore:
        """The share of a host with PostgreSQL."""
        patroni = None
        if self.highly_available:
            patroni = ha.patroni(host, self.members("metastore"), self.members("etcd"), self.settings)
        return Metastore(
            patroni=patroni,
            listen_addresses=("*",),
            port=self.settings.ports["airflow_metastore_port"],
            max_connections=self.max_connections(),
            databases=(
                # The owner migrates the database; who runs has the rights to read and write rows.
                Database(
                    name="airflow",
                    user="airflow",
                    secret=secret_name("metastore_password"),
                    owner=OWNER,
                    owner_secret=secret_name("metastore_owner_password"),
                ),
                Database(name="airflow_results", user="airflow_results", secret=secret_name("result_backend_password")),
            ),
            pooler=Account(user=POOLER, secret=secret_name("pgbouncer_password")) if self.settings.pgbouncer else None,
            extra_users=tuple(
                user for mode in self.modes for user in modes.HOOKS[mode.name].users(self.members(mode.component))
            ),
            clients=tuple(self.peers(self.members("haproxy"))),
            check_user=CHECK_USER if self.settings.tls and not self.highly_available else "",
            config=self.settings.postgresql_config,
            archive=backup.archive(self.members("backup"), self.settings),
            metrics_user=monitoring.USER if self.settings.metrics else None,
        )

    def max_connections(self) -> int:
        """What the metastore allows: in coarse steps, so that a new worker does not restart it."""
        return _doubled_to(200, self.connections_needed())

    def pgbouncer(self) -> PgBouncer:
        """The share of a host with PgBouncer."""
        return PgBouncer(
            port=self.settings.ports["airflow_pgbouncer_port"],
            server_port=self.settings.ports["airflow_haproxy_metastore_port"],
            user=POOLER,
            pools=self.pools(),
        )

    def pools(self) -> dict[str, int]:
        """Sessions that each load balancer's PgBouncer may hold, by database: all that are needed may come through
        one of them."""
        return {database: _doubled_to(50, needed) for database, needed in self.sessions().items()}

    def connections_needed(self) -> int:
        """Connections that the metastore may get at worst, and 20 for migrations and people."""
        spare = 20 + sum(mode.sessions_per_host * len(self.members(mode.component)) for mode in self.modes)
        if self.settings.pgbouncer:
            return len(self.members("haproxy")) * sum(self.pools().values()) + spare
        return sum(self.sessions().values()) + spare

    def sessions(self) -> dict[str, int]:
        """Sessions that Airflow may have at worst, by database.

        Those of each process, which the catalogue has; a worker one connection per task slot for its results, and on
        2.x three per slot for the tasks themselves.
        """
        slots = sum(host.most_slots for host in self.members("worker"))
        tasks = 0 if self.major >= 3 else 3 * slots
        for name, component in services.COMPONENT.items():
            for host in self.members(name):
                # Smaller pools count as Airflow's own.
                limit = max(self.pool_limit(name, host) or 0, options.DEFAULT_POOL_LIMIT)
                tasks += math.ceil(component.sessions * limit / options.DEFAULT_POOL_LIMIT) * self._processes(name)
        return {"airflow": tasks, "airflow_results": 15 * len(self.members("scheduler")) + slots}

    def pool_limit(self, component: str, host: Host) -> int | None:
        """Sessions of each pool of a process of ``component`` on ``host``; None for no limit."""
        own = host.component_environment.get(component)
        environment = {**host.environment, **(own if isinstance(own, Mapping) else {})}
        return options.pool_limit(options.given_options(self.settings.config, environment, self.settings.version))

    def _processes(self, component: str) -> int:
        return self.settings.webserver_workers if component == "webserver" else 1

    def rabbitmq(self, host: Host) -> RabbitMq:
        """The share of a host with RabbitMQ."""
        members = self.members("rabbitmq")
        names = {member.name: f"rabbit@{member.name}" for member in members}
        seed = members[0]
        return RabbitMq(
            nodename=names[host.name],
            longnames=any("." in member.name for member in members),
            nodes=tuple(names.values()),
            ipv6=self.ipv6,
            seed=RabbitMqSeed(name=seed.name, address=seed.address, nodename=names[seed.name]),
            port=self.rabbitmq_port(),
            management_port=self.settings.ports["airflow_rabbitmq_management_port"],
            management_tls_port=self.settings.ports["airflow_rabbitmq_management_tls_port"],
            prometheus_port=self.settings.ports["airflow_rabbitmq_prometheus_port"],
            vhost="airflow",
            user=broker.USER,
            secret=secret_name("broker_password"),
            admin_user="admin",
            component_users=tuple(
                BrokerRights(
                    user=each.user, secret=each.secret, configure=each.configure, write=each.write, read=each.read
                )
                for component, each in BROKER_ACCOUNTS.items()
                if self.members(component)
            ),
            unused_users=tuple(each.user for component, each in BROKER_ACCOUNTS.items() if not self.members(component)),
            consumer_timeout_seconds=self.settings.max_task_seconds,
            delivery_limit=50,
            message_ttl_seconds=timing.message_ttl(self.settings.config) if self.major >= 3 else None,
            disk_free_limit_mb=1024,
            memory_watermark=0.4,
            net_ticktime_seconds=30,
            heartbeat_seconds=30,
        )

    def rabbitmq_port(self) -> int:
        """The AMQP port of RabbitMQ's hosts."""
        return (
            self.settings.ports["airflow_rabbitmq_tls_port"]
            if self.settings.tls
            else self.settings.ports["airflow_rabbitmq_port"]
        )

    def servers(self, group: str, port: int) -> tuple[Server, ...]:
        """The hosts of ``group`` behind the load balancers, all with the same ``port``."""
        return tuple(Server(name=member.name, address=member.address, port=port) for member in self.members(group))

    def haproxy(self) -> HaProxy:
        """The share of a host with HAProxy."""
        return HaProxy(
            stats=HaProxyStats(
                port=self.settings.ports["airflow_haproxy_stats_port"],
                user="admin",
                secret=secret_name("haproxy_stats_password"),
            ),
            metrics_port=self.settings.ports["airflow_haproxy_metrics_port"],
            # Longer than Airflow keeps a session ([database] sql_alchemy_pool_recycle, 30 minutes): one cut in a query
            # ends its service.
            hard_stop_after="45m",
            listeners=(
                *self.web_listeners(),
                *(() if self.database.external else (self.metastore_listener(),)),
                *broker.listeners(
                    self.settings,
                    {
                        "rabbitmq": self.servers("rabbitmq", self.rabbitmq_port()),
                        "redis": self.servers("redis", self.settings.ports["airflow_redis_port"]),
                    },
                ),
            ),
        )

    def web_listeners(self) -> Iterator[Listener]:
        """The ways to the components that are served by HTTP."""
        ports_of, tls = self.settings.ports, self.settings.tls
        for component, front in ((each, front) for each in COMPONENT.values() for front in each.fronts):
            members = self.members(component.name)
            if not members or self.major not in front.check_path:
                continue
            redirects = tls and front.tls_variable
            base = self.base_path(component.name)
            allowed = front.allow_paths or (("",) if base else ())
            # A server below a path may know what is refused without it, too.
            denied = dict.fromkeys(f"{prefix}{path}" for prefix in (base, "") for path in front.deny_paths or ())
            served = [each.name for each in component.fronts if self.major in each.check_path]
            follows = front.follows if front.follows in served else None
            yield Listener(
                name=front.name,
                mode="http",
                port=ports_of[front.tls_variable if redirects else front.variable],
                redirect_from=ports_of[front.variable] if redirects else None,
                users=front.users,
                check_path=None if follows else base + front.check_path[self.major],
                follows=follows,
                allow_paths=tuple(f"{base}{path}" for path in allowed) or None,
                deny_paths=tuple(denied) or None,
                # A second less than a task's process waits, which tries again.
                queue_seconds=max(1, int(timing.budget(self.settings.config).timeout) - 1) if front.requests else None,
                access=self.web_access() if front.name == "web" else None,
                servers=tuple(
                    Server(
                        name=host.name,
                        address=host.address,
                        port=self.ports(host)[component.name],
                        max_requests=self._max_requests(component.name, front, host),
                    )
                    for host in members
                ),
            )

    def _max_requests(self, component: str, front: services.Front, host: Host) -> int | None:
        """Requests of tasks that the ``component`` on ``host`` gets at once by each load balancer; None for no
        limit of this ``front``."""
        limit = self.pool_limit(component, host)
        if not front.requests or limit is None:
            return None
        each = min(services.REQUEST_THREADS, front.requests * limit // options.DEFAULT_POOL_LIMIT)
        # Workers with a load balancer use their own, the others one of the cluster's.
        ways = {worker.name if "haproxy" in worker.groups else "" for worker in self.members("worker")}
        return max(1, each * self._processes(component) // max(1, len(ways)))

    def web_access(self) -> WebAccess:
        """How people reach UI and API."""
        url = self.public_url()
        # A port that is mapped, and here the one without TLS, would send clients in a circle.
        mapped = url.port == self.settings.ports["airflow_haproxy_web_port"]
        return WebAccess(
            url=url,
            redirect_netloc=url.netloc if self.settings.url and not mapped else "",
            named=bool(self.settings.url),
            trusted_proxies=self.settings.trusted_proxies,
            proxy_protocol=self.settings.proxy_protocol,
            timeout_seconds=self.settings.haproxy_web_timeout_seconds,
        )

    def metastore_listener(self) -> Listener:
        """The way to the metastore host that takes writes."""
        listener = Listener(
            name="metastore",
            mode="tcp",
            port=self.settings.ports["airflow_haproxy_metastore_port"],
            servers=self.servers("metastore", self.settings.ports["airflow_metastore_port"]),
        )
        if self.highly_available:
            return replace(listener, check="patroni", check_port=services.PATRONI_PORT)
        return replace(listener, check="postgresql", check_user=CHECK_USER if self.settings.tls else "airflow")

    def airflow(self, host: Host) -> AirflowNode:
        """The share of a host with components of Airflow."""
        needed = {secret for component in host.components for secret in secrets_of(component, self.major)}
        needed.update(name for mode in self.modes_of(host) for name in mode_files(mode, self.major))
        secrets = tuple(secret for secret in self.secret_files(host) if secret.file in needed)
        own_secrets = files.by_component(self.settings.secret_files, host.components)
        secrets += files.secret_files(sorted({name for names in own_secrets.values() for name in names}))
        drivers = metastore_model.config(self.settings, [secret.file for secret in secrets])
        entries = self.settings.dag_bundles
        config = merge_config(self.config(host), drivers, self.settings.options, secret_options(needed, self.major))
        return AirflowNode(
            address=bracket(host.address),
            config=config,
            processors_option=tuning.processors_option(self.settings, host, self.major),
            secrets=secrets,
            wrappers={mode.component: modes.wrapper(mode) for mode in self.modes_of(host)},
            queues=host.effective_queues,
            extra_groups=host.extra_groups,
            system_packages=tuple(dict.fromkeys([*host.system_packages, *bundles.packages(entries, host.components)])),
            build_packages=host.build_packages,
            requirements=host.requirements,
            wheels=host.wheels,
            units=tuple(self.units(host)),
            ports=self.ports(host),
            up_urls=tuple(self.up_urls(host)),
            proxies=tuple(sorted({LOOPBACK, *(member.address for member in self.members("haproxy"))})),
            proxy_environment=http_proxy.environment(self.hosts, [self.vip(), self.public_url().host], self.settings),
            files=tuple(
                replace(file, components=tuple(name for name in file.components if name in host.components))
                for file in (*host.files, *bundles.files(entries))
                if set(file.components) & set(host.components)
            ),
            code=self.code(),
            own_secrets=own_secrets,
            environments=files.environments(
                host, dict.fromkeys(bundles.READERS, bundles.environment(entries, host.environment))
            ),
            dag_bundles=bundles.share(entries, host.components),
            unit_lines=files.unit_lines(bundles.unit_options(host.unit_options, entries), host.components),
            tmp_dir=host.worker_tmp_dir if "worker" in host.components else "",
            secret_environments=files.by_component(self.settings.secret_variables, host.components),
            kerberos_environment=kerberos.environment(host, self.settings),
            login=login.share(self.settings) if "webserver" in host.groups else None,
        )

    def code(self) -> Code | None:
        """The user's plugins and modules, the same on all hosts with components."""
        if not self.settings.plugins_dir and not self.settings.python_dir:
            return None
        return Code(plugins=self.settings.plugins_dir, python=self.settings.python_dir, path=CODE_DIR)

    def ports(self, host: Host) -> dict[str, int]:
        """What the components of ``host`` listen on."""
        own = [COMPONENT[component] for component in host.components]
        return {
            component.name: int(ports.number_of(port, host, self.settings))
            for component in own
            for port in component.ports
        }

    def units(self, host: Host) -> Iterator[Unit]:
        """The units of the components of ``host``."""
        own = self.ports(host)
        for component in host.components:
            fronts = COMPONENT[component].fronts
            scheme = "https" if self.settings.tls else "http"
            # What listens on :: has IPv6 alone, or both.
            local = bracket(LOOPBACK_6 if self.ipv6 else LOOPBACK)
            path = self.base_path(component)
            probe = f"{scheme}://{local}:{own[component]}{path}{fronts[0].check_path[self.major]}" if fronts else None
            yield from units(component, host, self.major, probe)

    def up_urls(self, host: Host) -> list[str]:
        """Where each load balancer says whether it sends requests to the webserver of ``host``."""
        if "webserver" not in host.groups:
            return []
        port = self.settings.ports["airflow_haproxy_metrics_port"]
        return [f"http://{bracket(balancer.address)}:{port}/up/{host.name}" for balancer in self.members("haproxy")]

    def metastore_url(self, host: Host, file: str, user: str, secret: str) -> BuiltUrl:
        """The ``file`` with the URL by which processes of ``host`` reach the metastore as ``user``, whose password
        is ``secret``."""
        return BuiltUrl(
            file=file,
            scheme="postgresql+psycopg2",
            host=self.balancer(host),
            port=self.settings.ports["airflow_pgbouncer_port"]
            if self.settings.pgbouncer
            else self.settings.ports["airflow_haproxy_metastore_port"],
            user=user,
            secret=secret,
            path="airflow",
            query={**LIBPQ_KEEPALIVE, **(libpq_tls(f"{SECRETS_DIR}/{CA}") if self.settings.tls else {})},
        )

    def database_owner(self, host: Host) -> BuiltUrl | GivenUrl:
        """The URL that a migration on ``host`` connects with, past PgBouncer; it is in no file of a host."""
        if self.database.external:
            return metastore_model.owner(self.settings, self.database.ca_file)
        url = self.metastore_url(host, "owner", OWNER, "metastore_owner_password")
        return replace(url, port=self.settings.ports["airflow_haproxy_metastore_port"])

    def database_logins(self, host: Host) -> tuple[GivenUrl, ...]:
        """The URLs of an external server that are tried on ``host`` before a migration."""
        if not self.database.external:
            return ()
        results = any("result_backend" in secrets_of(component, self.major) for component in host.components)
        return metastore_model.logins(self.settings, self.database.ca_file, results)

    def secret_files(self, host: Host) -> tuple[SecretFile, ...]:
        """The files under /etc/airflow/secrets that there may be on ``host``."""
        metastore: tuple[SecretFile, ...] = (
            metastore_model.secret_files(self.settings, self.database.ca_file)
            if self.database.external
            else self.metastore_files(host)
        )
        read = {name for component in COMPONENT.values() for name in component.secrets[self.major]}
        plain = [
            *(name for name in secrets_catalog.GENERATED if name in read),
            *((CA, *SERVER) if self.settings.tls else ()),
        ]
        return (
            *metastore,
            *broker.secret_files(self.settings, self.balancer(host)),
            *(PlainValue(file=name, secret=name) for name in plain),
            *(
                (PlainValue(file=METASTORE_CA, secret=secret_name("metastore_ca")),)
                if self.settings.metastore_ca
                else ()
            ),
            *login.secret_files(self.settings),
        )

    def metastore_files(self, host: Host) -> tuple[SecretFile, ...]:
        """The secret files with the URLs of the managed metastore."""
        metastore = self.metastore_url(host, "sql_alchemy_conn", "airflow", "metastore_password")
        # asyncpg knows none of libpq's option names and fails on them at first use; the CA comes by PGSSLROOTCERT.
        asyncpg = {"ssl": "verify-full"} if self.settings.tls else {}
        results = self.metastore_url(host, "result_backend", "airflow_results", "result_backend_password")
        files = (
            metastore,
            replace(metastore, file="sql_alchemy_conn_async", scheme="postgresql+asyncpg", query=asyncpg),
            replace(results, scheme="db+postgresql+psycopg2", path="airflow_results"),
        )
        of_modes = (modes.HOOKS[mode.name].secret_files(host, files, self.settings) for mode in self.modes_of(host))
        return (*files, *(file for more in of_modes for file in more))

    def config(self, host: Host) -> Config:
        """Options of airflow.cfg on ``host`` that every version has."""
        common: Config = {
            "core": {
                "executor": "CeleryExecutor",
                "dags_folder": self.settings.dags_folder,
                "dagbag_import_timeout": IMPORT_SECONDS,
                "load_examples": False,
                "hostname_callable": "flightdeck_node.address",
                **({"plugins_folder": files.code_path("plugins")} if self.settings.plugins_dir else {}),
            },
            "logging": {
                "base_log_folder": self.settings.log_dir,
                **{port.log_option: ports.number_of(port, host, self.settings) for port in services.LOG_PORTS.values()},
                "colored_console_log": False,
            },
            **broker.config(self.settings, longest_drain_seconds(self.hosts)),
            "scheduler": {"orphaned_tasks_check_interval": 60},
            "fab": {"session_backend": "database", "enable_proxy_fix": True},
        }
        common = merge_config(
            common,
            kerberos.config(host, self.settings),
            remote_logs.config(self.settings.remote_logs),
            monitoring.config(self.settings),
            journals.config(self.settings),
        )
        tuned = tuning.config(self.settings, self.members("worker"), self.major)
        return merge_config(common, self.config_3(host) if self.major >= 3 else self.config_2(host), tuned)

    def config_3(self, host: Host) -> Config:
        """Options of airflow.cfg on ``host`` that Airflow 3 has."""
        certificate, key = (f"{SECRETS_DIR}/{name}" for name in SERVER)
        # Before 3.3, clients of the execution API take ssl_cert for the CA. There the api-server has its certificate by
        # its command line.
        own_option = "api.ssl_ca_file" in reference(self.settings.version)
        tls: Config = {}
        if self.settings.tls:
            tls["api"] = {"ssl_ca_file" if own_option else "ssl_cert": f"{SECRETS_DIR}/{CA}"}
        if self.settings.tls and own_option and "webserver" in host.groups:
            tls["api"].update(ssl_cert=certificate, ssl_key=key)
        # Airflow listens on IPv4 alone by default.
        listen: dict[str, object] = {"host": "::"} if self.ipv6 and "webserver" in host.groups else {}
        settings: Config = {
            "core": {
                "execution_api_server_url": self.execution_url(host),
            },
            "api": {
                "base_url": self.url(),
                "port": host.webserver_port,
                "workers": self.settings.webserver_workers,
                **listen,
            },
            # A clock may be off by more than Airflow's 10 s without notice; an api-server that is behind refuses every
            # task.
            "api_auth": {"jwt_leeway": 30},
            "dag_processor": {
                "refresh_interval": 30,
                "dag_bundle_config_list": bundles.config(self.settings.dag_bundles),
                "dag_bundle_storage_path": f"{self.settings.home}/bundles",
                "dag_file_processor_timeout": FILE_SECONDS,
            },
            "logging": {"dag_processor_child_process_log_directory": f"{self.settings.log_dir}/dag_processor"},
            **{section: dict(options) for section, options in timing.SETTINGS.items()},
        }
        login_config: Config = {"fab": {"config_file": WEBSERVER_CONFIG}} if "webserver" in host.groups else {}
        return merge_config(settings, login.manager_config(self.settings), tls, login_config)

    def execution_url(self, host: Host) -> str:
        """URL of the execution API for tasks on ``host``."""
        scheme = "https" if self.settings.tls else "http"
        port = self.settings.ports["airflow_haproxy_execution_api_port"]
        return f"{scheme}://{bracket(self.balancer(host))}:{port}{self.public_url().path}/execution/"

    def config_2(self, host: Host) -> Config:
        """Options of airflow.cfg on ``host`` that Airflow 2 has."""
        certificate, key = (f"{SECRETS_DIR}/{name}" for name in SERVER)
        tls: dict[str, object] = {"cookie_secure": True}
        own: dict[str, object] = {}
        if "webserver" in host.groups:
            tls |= {"web_server_ssl_cert": certificate, "web_server_ssl_key": key}
            own = {"config_file": WEBSERVER_CONFIG}
        return {
            "api": {"auth_backends": "airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session"},
            "core": {"dag_file_processor_timeout": FILE_SECONDS},
            "logging": {
                "dag_processor_manager_log_location": (
                    f"{self.settings.log_dir}/dag_processor_manager/dag_processor_manager.log"
                ),
            },
            "scheduler": {
                "child_process_log_directory": f"{self.settings.log_dir}/scheduler",
                "scheduler_zombie_task_threshold": 300,
                "standalone_dag_processor": True,
                "dag_dir_list_interval": 30,
            },
            "webserver": {
                "base_url": self.url(),
                "web_server_port": host.webserver_port,
                "workers": self.settings.webserver_workers,
                "session_backend": "database",
                "enable_proxy_fix": True,
                **({"web_server_host": "[::]"} if self.ipv6 and "webserver" in host.groups else {}),
                # Seconds that gunicorn may take to start its workers, 120 by default. On a busy machine it takes
                # longer, and Airflow then ends the webserver; whether it answers is the health check's matter.
                "web_server_master_timeout": 600,
                **own,
                **(tls if self.settings.tls else {}),
            },
            "fab": {"session_backend": None, "enable_proxy_fix": None},
        }


def secret_options(files: Iterable[str], major: int) -> Config:
    """The ``*_cmd`` options of Airflow ``major`` that read the secret ``files``."""
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


def certificate_host(hosts: Iterable[Host], settings: Settings) -> str:
    """The name or address that the certificate which users see must contain; empty where that is not known.

    ``hosts`` and ``settings`` may have faults, which other checks report.

    A proxy before the load balancers has the certificate of the URL, and may check theirs for another name.
    """
    model = Model(hosts, settings)
    if settings.trusted_proxies or not (settings.url or model.members("haproxy")):
        return ""
    try:
        return model.public_url().host.strip("[]")
    except (ValueError, KeyError):
        return ""


def build(hosts: Iterable[Host], settings: Settings) -> Cluster:
    """The model of a cluster of ``hosts`` with ``settings``, in which the checks of the inventory found no problem."""
    return Model(hosts, settings).build()
