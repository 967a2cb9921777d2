# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster model: what the validated inventory makes of every host, as typed data.

Roles read it as plain data in the variable ``airflow_cluster``: a field is a key of the same name, a tuple is a list. A
field whose value is None has no key, unless its text says otherwise. ``docs/model.md`` is made from the texts below the
fields (``make docs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import BY_NAME
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.plain import EMPTY, Plain, one_of


def secret_name(name: str) -> str:
    """``name`` of a secret of the catalogue. Raises KeyError for any other."""
    return BY_NAME[name].name


@dataclass(frozen=True, kw_only=True)
class PlainValue(Plain):
    """A secret file whose content is the value of a secret, or a certificate."""

    kind: Literal["plain_value"] = "plain_value"
    """Which of the four kinds of secret files this is."""
    file: str
    """Name of the file below /etc/airflow/secrets."""
    secret: str
    """Name of the secret in airflow_secrets, or of the certificate."""


@dataclass(frozen=True, kw_only=True)
class BuiltUrl(Plain):
    """A secret file with a URL of which the model knows everything but the password."""

    kind: Literal["built_url"] = "built_url"
    """Which of the four kinds of secret files this is."""
    file: str
    """Name of the file below /etc/airflow/secrets."""
    scheme: str
    """Scheme of the URL with its driver, such as postgresql+psycopg2."""
    host: str
    """Name or address of the server, without brackets; empty when the client finds it by itself."""
    port: int
    """Port of the server; 0 is left out of the URL."""
    user: str
    """Account, the first of its pair; empty for a URL without a login."""
    secret: str
    """Name of the secret in airflow_secrets that is the password; empty for none."""
    derived: bool = False
    """Whether the password is derived from the secret and the name of the account, so that no two are the same."""
    path: str
    """Database or virtual host, one segment without slashes at its ends."""
    query: Mapping[str, str]
    """Options of the driver."""


@dataclass(frozen=True, kw_only=True)
class GivenUrl(Plain):
    """A secret file with a URL that the inventory gives, in the form that one driver takes."""

    kind: Literal["given_url"] = "given_url"
    """Which of the four kinds of secret files this is."""
    file: str
    """Name of the file below /etc/airflow/secrets."""
    secret: str
    """Name of the secret in airflow_secrets that is the URL as it was given."""
    variable: str
    """Variable of the inventory that gives it."""
    use: Literal["sync", "async", "migrations", "results"]
    """What the URL is for, which decides on its driver and its options."""
    ca_file: str
    """Path of the CA certificates that the server's certificate is checked against."""


@dataclass(frozen=True, kw_only=True)
class Document(Plain):
    """A secret file with a JSON object, some of whose values are secrets."""

    kind: Literal["document"] = "document"
    """Which of the four kinds of secret files this is."""
    file: str
    """Name of the file below /etc/airflow/secrets."""
    content: Mapping[str, object]
    """Keys of the object that are no secret."""
    secrets: Mapping[str, str]
    """Name of the secret in airflow_secrets by key; the value is empty without one."""


SecretFile: TypeAlias = PlainValue | BuiltUrl | GivenUrl | Document


def secret_file(data: object) -> SecretFile:
    """A secret file from its plain ``data``. Raises ValueError, without a value in its text, for anything else."""
    classes: tuple[type[SecretFile], ...] = (PlainValue, BuiltUrl, GivenUrl, Document)
    return one_of(classes, data, "secret file")


@dataclass(frozen=True, kw_only=True)
class HostAddress(Plain):
    """A host and how others reach it."""

    name: str
    """Inventory name."""
    address: str
    """IP address or host name, without brackets."""


@dataclass(frozen=True, kw_only=True)
class Account(Plain):
    """An account of a service and its password."""

    user: str
    """Name of the account, the first of its pair."""
    secret: str
    """Name of the secret in airflow_secrets that is the password."""


@dataclass(frozen=True, kw_only=True)
class Etcd(Plain):
    """A member of etcd."""

    name: str
    """Name of the member: the host's inventory name."""
    token: str
    """Name of the cluster: members refuse hosts of another one."""
    peer_url: str
    """URL on which the other members reach this one."""
    client_url: str
    """URL on which Patroni reaches this one."""
    members: Mapping[str, str]
    """Peer URL of each member by name, this one included."""


@dataclass(frozen=True, kw_only=True)
class Patroni(Plain):
    """Patroni on a metastore host. All members have the same times."""

    name: str
    """Name of the member: the host's inventory name."""
    address: str
    """Address of this host, an IPv6 address in brackets."""
    scope: str
    """Name of the cluster in etcd: letters, digits and _."""
    port: int
    """Port of Patroni's API."""
    url: str
    """URL of Patroni's API on this host."""
    etcd_hosts: tuple[str, ...]
    """Members of etcd as host:port."""
    members: tuple[HostAddress, ...]
    """All metastore hosts, this one included, in the order of the inventory."""
    ttl_seconds: int
    """Seconds until a leader that is not heard of is replaced."""
    loop_wait_seconds: int
    """Seconds between two rounds of Patroni."""
    retry_timeout_seconds: int
    """Seconds that Patroni repeats a call to etcd or PostgreSQL."""
    primary_start_timeout_seconds: int
    """Seconds that a crashed leader gets to start again before another member leads."""


@dataclass(frozen=True, kw_only=True)
class Database(Plain):
    """A database of the managed metastore."""

    name: str
    """Name of the database."""
    user: str
    """Account that processes connect as, the first of its pair."""
    secret: str
    """Name of the secret in airflow_secrets that is its password."""
    owner: str | None = None
    """Account that owns the tables and migrates them; without one it is the user."""
    owner_secret: str | None = None
    """Name of the secret in airflow_secrets that is the owner's password."""


@dataclass(frozen=True, kw_only=True)
class ExtraUser(Plain):
    """An account of the managed metastore besides those of its databases."""

    user: str
    """Name of the account."""
    database: str
    """Database that it may connect to."""
    secret: str
    """Name of the secret in airflow_secrets that is its password."""
    derived: bool = False
    """Whether the password is derived from the secret and the name of the account, so that no two are the same."""
    login: bool = True
    """Whether it may log in; otherwise that right is granted and revoked at run time."""
    acts_as: str = ""
    """Account whose rights it has; empty for its own only."""


@dataclass(frozen=True, kw_only=True)
class Archive(Plain):
    """Where a metastore host keeps its write-ahead log (WAL) for backups."""

    stanza: str
    """pgBackRest's name of the cluster: letters, digits and _."""
    port: int
    """Port of pgBackRest."""
    repository: HostAddress
    """The repository host."""
    timeout_seconds: int
    """Seconds after which a segment of the WAL is archived that is not full."""
    queue_mb: int
    """MiB of WAL that may wait for the repository; what is more is dropped, and a new backup is needed."""


@dataclass(frozen=True, kw_only=True)
class Bucket(Plain):
    """A bucket of an S3 service for the repository of backups."""

    name: str
    """The bucket."""
    endpoint: str
    """Host of the service, with its port where that is not 443."""
    region: str
    """Region for which requests are signed."""
    uri_style: Literal["host", "path"]
    """Where requests name the bucket."""
    ca: str
    """Name of the secret in airflow_secrets that is the PEM text of its CA; empty for one that Debian trusts."""
    key_id: str
    """Name of the key; empty for the role of the host."""
    secret: str
    """Name of the secret in airflow_secrets that is the key; empty without one."""


@dataclass(frozen=True, kw_only=True)
class Backup(Plain):
    """The repository of backups."""

    method: Literal["pgbackrest", "dump"] = "pgbackrest"
    """What makes them: pgBackRest of a managed metastore, pg_dump of an external one."""
    database: GivenUrl | None = field(default=None, metadata=EMPTY)
    """The account that dumps and restores an external metastore; {} for a managed one."""
    command: tuple[str, ...]
    """The program of the method, with the arguments that it always has."""
    stanza: str
    """pgBackRest's name of the cluster: letters, digits and _."""
    port: int
    """Port of pgBackRest."""
    directory: str
    """Directory of the repository; with ``bucket``, the path in it."""
    bucket: Bucket | None = None
    """Where the repository is in the place of the host's disk; with airflow_backup_s3_bucket."""
    servers: tuple[HostAddress, ...]
    """Metastore hosts, in the order of the inventory."""
    metastore_port: int
    """Port of their PostgreSQL."""
    keep_full: int
    """Full backups that stay, with all that builds on them; each dump is one."""
    keep_diff: int
    """Differential backups that stay; 0 for those of the full backups that stay."""
    schedules: Mapping[str, str]
    """When each type of backup is made, as systemd's OnCalendar; without those that no timer makes."""
    max_age_hours: int
    """Hours after which the last backup is reported as too old."""


@dataclass(frozen=True, kw_only=True)
class Metastore(Plain):
    """PostgreSQL on a metastore host."""

    patroni: Patroni | None = field(default=None, metadata=EMPTY)
    """Patroni, where there are several metastore hosts; {} for a single one."""
    listen_addresses: tuple[str, ...]
    """Addresses that PostgreSQL listens on."""
    port: int
    """Port of PostgreSQL."""
    max_connections: int
    """Sessions that the server allows: 200, or as many doublings of it as the cluster may need."""
    databases: tuple[Database, ...]
    """The databases; the first is Airflow's own."""
    pooler: Account | None = field(default=None, metadata=EMPTY)
    """Account by which PgBouncer looks up the passwords of others; {} without PgBouncer."""
    extra_users: tuple[ExtraUser, ...]
    """Accounts that active modes of components need."""
    clients: tuple[str, ...]
    """Networks and host names that may connect, each address with its prefix length."""
    check_user: str
    """Account that HAProxy's check names, which needs no password and has no rights; empty where Patroni is asked."""
    config: Mapping[str, object]
    """The user's settings of PostgreSQL (airflow_postgresql_config), which override the computed ones."""
    archive: Archive | None = field(default=None, metadata=EMPTY)
    """The archive of the WAL; {} without a repository of backups."""
    metrics_user: str | None = None
    """Account that reads statistics for metrics, over the socket of its host alone; with airflow_metrics."""


@dataclass(frozen=True, kw_only=True)
class RabbitMqSeed(Plain):
    """The RabbitMQ node that the others join."""

    name: str
    """Inventory name."""
    address: str
    """IP address or host name, without brackets."""
    nodename: str
    """Erlang's name of the node."""


@dataclass(frozen=True, kw_only=True)
class BrokerRights(Plain):
    """An account of RabbitMQ that one component of Airflow has. Its rights are regular expressions of names."""

    user: str
    """Name of the account."""
    secret: str
    """Name of the secret in airflow_secrets that is its password."""
    configure: str
    """What it may declare."""
    write: str
    """What it may bind and publish to."""
    read: str
    """What it may bind to and consume from."""


@dataclass(frozen=True, kw_only=True)
class RabbitMq(Plain):
    """A node of RabbitMQ."""

    nodename: str
    """Erlang's name of this node, ``rabbit@<host>``."""
    longnames: bool
    """Whether the names of nodes have a domain."""
    nodes: tuple[str, ...]
    """Erlang's names of all nodes, in the order of the inventory."""
    ipv6: bool
    """Whether nodes reach each other by IPv6."""
    seed: RabbitMqSeed
    """The first node of the inventory, which a new node joins."""
    port: int
    """Port of AMQP: with TLS when the cluster has it."""
    management_port: int
    """Port of the management API on the loopback address, and without TLS on all."""
    management_tls_port: int
    """Port of the management API with TLS; used only when the cluster has it."""
    prometheus_port: int
    """Port of the metrics."""
    vhost: str
    """Virtual host of Airflow's queues."""
    user: str
    """Account of schedulers and workers, the first of its pair."""
    secret: str
    """Name of the secret in airflow_secrets that is its password."""
    admin_user: str
    """Account of the management API."""
    component_users: tuple[BrokerRights, ...]
    """Accounts of single components, with fewer rights."""
    unused_users: tuple[str, ...]
    """Names of those accounts whose component has no host. They are deleted."""
    consumer_timeout_seconds: int
    """Seconds that a worker may hold a message: those of the longest task."""
    delivery_limit: int
    """Times that a message is delivered before it is dropped."""
    message_ttl_seconds: float | None = None
    """Seconds that a message is of use; without a number it never expires."""
    disk_free_limit_mb: int
    """MiB of free disk below which publishers are blocked."""
    memory_watermark: float
    """Share of the host's memory, 0 to 1, above which publishers are blocked."""
    net_ticktime_seconds: int
    """Seconds after which a silent node counts as lost."""
    heartbeat_seconds: int
    """Seconds between heartbeats that clients are offered."""


@dataclass(frozen=True, kw_only=True)
class Redis(Plain):
    """Redis as the broker."""

    port: int
    """Port of Redis: with TLS when the cluster has it."""
    user: str
    """Account of schedulers and workers."""
    secret: str
    """Name of the secret in airflow_secrets that is its password."""
    memory_share: float
    """Share of the host's memory, 0 to 1, that Redis takes at most."""
    metrics_user: str | None = None
    """Account that reads statistics and the lengths of queues for metrics; with airflow_metrics."""
    metrics_secret: str | None = None
    """Name of the secret in airflow_secrets that is its password."""
    ca_file: str | None = None
    """Path of the CA certificate on this host; only with TLS."""


@dataclass(frozen=True, kw_only=True)
class Server(Plain):
    """A server behind a load balancer."""

    name: str
    """Inventory name of its host."""
    address: str
    """IP address or host name, without brackets."""
    port: int
    """Port of the server."""
    max_requests: int | None = None
    """Requests that it gets at once from each load balancer. More wait there."""


@dataclass(frozen=True, kw_only=True)
class PublicUrl(Plain):
    """The URL that people open, by its parts."""

    scheme: Literal["http", "https"]
    """Scheme."""
    host: str
    """Name or address in lower case, an IPv6 address in brackets."""
    port: int
    """Port, also where the scheme implies it."""
    netloc: str
    """Host, and the port where the scheme does not imply it: what a browser sends as Host."""
    path: str
    """Path below which Airflow is, such as /airflow, without a slash at its end; empty without one."""


@dataclass(frozen=True, kw_only=True)
class WebAccess(Plain):
    """How requests of people reach a listener, and what is passed on of what they say about themselves."""

    url: PublicUrl
    """The URL that people open."""
    redirect_netloc: str
    """Host and port of airflow_url, to which requests without TLS are redirected. Empty without airflow_url, and when
    its port is the one without TLS here: redirects go to the own port of the listener."""
    named: bool
    """Whether the URL is airflow_url, whose scheme and port count for requests under its host."""
    trusted_proxies: tuple[str, ...]
    """Addresses and networks of proxies whose X-Forwarded headers count."""
    proxy_protocol: bool
    """Whether these proxies begin a connection with the PROXY protocol."""
    timeout_seconds: int
    """Seconds that a client or a webserver may be silent during a request."""


@dataclass(frozen=True, kw_only=True)
class Listener(Plain):
    """A port of a load balancer, the servers behind it, and how their health is checked."""

    name: str
    """What is behind it: metastore, broker, or a front of a component such as web and execution_api."""
    mode: Literal["http", "tcp"]
    """Whether HAProxy reads HTTP or passes connections on."""
    port: int
    """Port that clients connect to."""
    redirect_from: int | None = None
    """Port without TLS whose requests are redirected here; only with TLS."""
    users: bool = False
    """Whether people use it, so that it has the certificate of the UI."""
    check: Literal["postgresql", "patroni", "amqp", "redis"] | None = None
    """Protocol of the health check in mode tcp."""
    check_path: str | None = None
    """Path that the health check of mode http requests."""
    follows: str | None = None
    """Name of the listener whose health checks say which servers work here, too; instead of ``check_path``."""
    check_user: str | None = None
    """Account that a check of PostgreSQL names."""
    check_port: int | None = None
    """Port of the health check, where it is not the server's own."""
    deny_paths: tuple[str, ...] | None = None
    """Paths that are refused, with everything below them."""
    allow_paths: tuple[str, ...] | None = None
    """The only paths that are passed on, with everything below them."""
    ca_file: str | None = None
    """Path of the CA certificate on the load balancer for a check with TLS."""
    queue_seconds: int | None = None
    """How long a request waits for a server that has enough of them, before it is refused with status 503."""
    access: WebAccess | None = None
    """How people reach it; only of the UI and the API."""
    servers: tuple[Server, ...]
    """The servers, in the order of the inventory."""


@dataclass(frozen=True, kw_only=True)
class HaProxyStats(Plain):
    """HAProxy's page of statistics."""

    port: int
    """Port of the page."""
    user: str
    """Account that may see it."""
    secret: str
    """Name of the secret in airflow_secrets that is its password."""


@dataclass(frozen=True, kw_only=True)
class HaProxy(Plain):
    """A load balancer."""

    stats: HaProxyStats
    """The page of statistics."""
    metrics_port: int
    """Port of the metrics and of ``/up/<webserver>``."""
    hard_stop_after: str
    """Time after a reload when the old process cuts its last sessions, such as 45m."""
    listeners: tuple[Listener, ...]
    """What it balances."""


@dataclass(frozen=True, kw_only=True)
class PgBouncer(Plain):
    """PgBouncer beside a load balancer."""

    port: int
    """Port that Airflow connects to."""
    server_port: int
    """Port of the load balancer's listener for the metastore."""
    user: str
    """Account by which it looks up the passwords of others."""
    pools: Mapping[str, int]
    """Sessions with the metastore at most, by database."""


@dataclass(frozen=True, kw_only=True)
class Keepalived(Plain):
    """A load balancer's share in the virtual IP."""

    vip: str
    """The virtual IP with the prefix length of its network."""
    router_id: int
    """Id of the VRRP group, 1 to 255, unique in the network."""
    interface: str
    """Network interface; empty for the one that has the host's address."""
    address: str
    """Source address of the adverts of this host."""
    peers: tuple[str, ...]
    """Addresses of the other load balancers."""
    priority: int
    """The highest one of those that are alive takes the virtual IP; 100 for the first host."""
    advert_seconds: int
    """Seconds between two adverts."""


@dataclass(frozen=True, kw_only=True)
class Queue(Plain):
    """A queue that a host works on."""

    name: str
    """Name of the queue."""
    concurrency: int = 0
    """Tasks at once, from the queue's entry or airflow_worker_concurrency; 0: derived on the host, 16 at most."""


@dataclass(frozen=True, kw_only=True)
class Unit(Plain):
    """A systemd unit of Airflow."""

    label: str
    """Name in reports: the component, and for a worker its queue."""
    unit: str
    """Name of the unit without its suffix."""
    probe: str | None = None
    """URL on the host itself that answers with status 200 when the service works; for those behind load balancers."""
    heartbeat: str | None = None
    """Section and option of the seconds between two heartbeats, such as "scheduler.scheduler_heartbeat_sec"; for those
    that have any."""


@dataclass(frozen=True, kw_only=True)
class Wrapper(Plain):
    """A program that the unit of a component runs in the place of Airflow, in one of its modes."""

    name: str
    """Name of the mode."""
    setting: str
    """Variable of the inventory that turns the mode on."""
    value: str
    """Value of the variable that enables it."""
    unit: str
    """systemd unit of the component."""
    program: str
    """Path of the program on the host."""
    command: str
    """Argument that the unit gives it."""
    digest: str
    """Digest of the program: a process of another one is outdated."""
    watchdog_seconds: int
    """Seconds after which systemd restarts the program when it is silent."""


@dataclass(frozen=True, kw_only=True)
class Wheel(Plain):
    """A file with a Python package, on the controller."""

    path: str
    """Where it is."""
    requirement: str
    """Its package and version, as name==version."""
    sha256: str
    """Digest of the file."""


@dataclass(frozen=True, kw_only=True)
class OwnFile(Plain):
    """A file of the user's on a host."""

    path: str
    """Path on the host."""
    src: str
    """File or template on the controller; empty with a content."""
    content: str
    """Content, in the place of a source."""
    template: bool
    """Whether the source is a template."""
    mode: str
    """Mode, as a text of four octal digits."""
    components: tuple[str, ...]
    """Components that read it."""


@dataclass(frozen=True, kw_only=True)
class DagBundle(Plain):
    """A DAG bundle of the user's, as it is tried before Airflow has it."""

    name: str
    """Its name."""
    kind: str
    """git, local or s3."""
    kwargs: Mapping[str, object]
    """Arguments of the class that reads it."""
    variable: str
    """Secret variable of the environment with its connection; empty without one."""


@dataclass(frozen=True, kw_only=True)
class UnitLines(Plain):
    """Lines that the user adds to the units of a component, by their section."""

    unit: tuple[str, ...]
    """Lines of [Unit]."""
    service: tuple[str, ...]
    """Lines of [Service]."""


@dataclass(frozen=True, kw_only=True)
class Code(Plain):
    """The user's plugins and modules on a host."""

    plugins: str
    """Directory of plugins on the controller; empty for none."""
    python: str
    """Directory of modules on the controller; empty for none."""
    path: str
    """Directory on the host with the revisions and the link ``current``."""


@dataclass(frozen=True, kw_only=True)
class Ldap(Plain):
    """A directory whose accounts log in."""

    uri: str
    """Its servers, with spaces between them."""
    start_tls: bool
    """Whether a connection begins without TLS and changes to it."""
    bind_dn: str
    """Account that searches; empty when the person who logs in does."""
    username_format: str
    """How such a person's name becomes that of an account, with ``%s`` for the name."""
    search_base: str
    """Where accounts are."""
    search_filter: str
    """What an account must match besides its name: it is not the administrator's."""
    user_attribute: str
    """Attribute with the name by which people log in."""
    group_attribute: str
    """Attribute with the names of their groups."""


@dataclass(frozen=True, kw_only=True)
class OpenId(Plain):
    """An OpenID provider whose accounts log in."""

    name: str
    """Its name on the button and in the redirect URL."""
    metadata_url: str
    """Where it says what it offers."""
    client_id: str
    """Airflow's name there."""
    scopes: tuple[str, ...]
    """What Airflow asks for."""
    user_claim: str
    """Claim with the name of the user."""
    groups_claim: str
    """Claim with the groups of the user."""


@dataclass(frozen=True, kw_only=True)
class Login(Plain):
    """How people log in at a webserver."""

    kind: Literal["database", "ldap", "openid"]
    """Which accounts: Airflow's own, or those of a server."""
    passwords_file: str
    """File of the simple auth manager with the administrator's password; empty with others."""
    file: str
    """The user's own webserver_config.py on the controller, a template; empty for the managed one."""
    roles: Mapping[str, tuple[str, ...]]
    """Roles of Airflow by group."""
    default_role: str
    """Role that everybody has besides."""
    registration: bool
    """Whether the first login makes an account in Airflow."""
    ca_file: str
    """File on the host with the CA certificates that verify the server."""
    ldap: Ldap | None = None
    """The directory; for kind ldap."""
    openid: OpenId | None = None
    """The provider; for kind openid."""


@dataclass(frozen=True, kw_only=True)
class AirflowNode(Plain):
    """Airflow on a host."""

    address: str
    """Address at which webservers ask for the host's task logs, an IPv6 address in brackets."""
    config: Mapping[str, Mapping[str, object]]
    """Sections and options of airflow.cfg, with the user's over the computed ones."""
    processors_option: str
    """Name of one more option, such as dag_processor.parsing_processes, whose value follows from the host; empty for
    none."""
    secrets: tuple[SecretFile, ...]
    """The secret files that the host's components need."""
    wrappers: Mapping[str, Wrapper]
    """Programs that units run in the place of Airflow, by component; for components in an active mode."""
    queues: tuple[Queue, ...]
    """Queues of the worker; of no meaning without one."""
    extra_groups: tuple[str, ...]
    """Groups that the worker's processes belong to besides the account's own."""
    system_packages: tuple[str, ...]
    """Debian packages that the user's packages and tasks need."""
    build_packages: tuple[str, ...]
    """Debian packages that the build of the user's packages needs."""
    requirements: tuple[str, ...]
    """The user's Python requirements on top of the lock."""
    wheels: tuple[Wheel, ...]
    """The user's wheels, which are installed on top of the lock."""
    units: tuple[Unit, ...]
    """The units of the host's components; a worker has one for each queue."""
    ports: Mapping[str, int]
    """Port by component, for those of the host that listen on one."""
    up_urls: tuple[str, ...]
    """Where each load balancer says whether it sends requests to this webserver; empty without one."""
    proxies: tuple[str, ...]
    """Addresses whose X-Forwarded headers a webserver believes."""
    proxy_environment: Mapping[str, str]
    """Environment variables of processes that use a proxy for other networks; empty without airflow_http_proxy."""
    files: tuple[OwnFile, ...]
    """The user's files that a component of the host reads."""
    dag_bundles: tuple[DagBundle, ...]
    """The user's DAG bundles, on a host that reads them; without those whose connection is the user's."""
    unit_lines: Mapping[str, UnitLines]
    """Lines of the user's for the units of components of the host; without the components that have none."""
    tmp_dir: str
    """Directory of the worker's temporary files; empty for the unit's own /tmp, and without a worker."""
    code: Code | None = field(default=None, metadata=EMPTY)
    """The user's plugins and modules; empty without any."""
    own_secrets: Mapping[str, tuple[str, ...]]
    """Names of the user's secret files by component of the host; without the components that read none."""
    environments: Mapping[str, Mapping[str, object]]
    """Environment variables that components of the host have besides the common ones; without components that have
    none."""
    secret_environments: Mapping[str, tuple[str, ...]]
    """Names of secret environment variables by component of the host; without the components that have none."""
    kerberos_environment: Mapping[str, str]
    """Environment variables by which processes find the ticket; empty where the host renews none."""
    login: Login | None = None
    """How people log in; on webservers."""


@dataclass(frozen=True, kw_only=True)
class Dags(Plain):
    """The DAGs on a host that parses them."""

    source: str
    """Directory on the controller; empty for none."""
    path: str
    """Directory on the host with the revisions and the link ``current``."""
    group: str
    """Group that may read them."""
    keep_revisions: int
    """Revisions that stay, the current one included."""


@dataclass(frozen=True, kw_only=True)
class FirewallRule(Plain):
    """A port that others may connect to."""

    port: int | str
    """Number, range such as 1000-1010, or vrrp, the protocol."""
    why: str
    """What listens there; the comment of the rule."""
    sources: tuple[str, ...]
    """Addresses and networks that may connect; empty for all."""


@dataclass(frozen=True, kw_only=True)
class Firewall(Plain):
    """The firewall of a host."""

    guard_seconds: int
    """Seconds after which new rules that lock Ansible out are taken back."""
    ssh_ports: tuple[int, ...]
    """Ports of sshd."""
    ssh_sources: tuple[str, ...]
    """Addresses and networks that may connect by SSH; empty for all."""
    rules: tuple[FirewallRule, ...]
    """Everything else that is open, lowest port first."""
    extra_rules: tuple[str, ...]
    """The user's lines of nftables for the input chain."""


@dataclass(frozen=True, kw_only=True)
class Exporter(Plain):
    """Where a service of a host has its metrics."""

    name: str
    """Name by which Prometheus asks for them: that of its job."""
    address: str
    """Address on the host, without brackets."""
    port: int
    """Port on the host."""
    path: str
    """Path of the metrics."""
    tls: bool = False
    """Whether it is asked with TLS and the certificate of the host."""


@dataclass(frozen=True, kw_only=True)
class Metrics(Plain):
    """Metrics of a host."""

    port: int
    """The one port by which all of its metrics are read."""
    client_certificates: bool
    """Whether it admits only clients with a certificate by the cluster's CA."""
    exporters: tuple[Exporter, ...]
    """What it has metrics of."""
    units: str
    """Regular expression of the names of systemd units that metrics are made of."""
    statsd_port: int | None = None
    """UDP port to which Airflow sends its metrics, on the host itself; on hosts with a component."""
    max_backup_age_hours: int | None = None
    """Hours after which the last backup is too old; on the repository host."""


@dataclass(frozen=True, kw_only=True)
class AlertMail(Plain):
    """How alerts are sent by e-mail."""

    to: tuple[str, ...]
    """Recipients."""
    sender: str
    """Sender."""
    server: str
    """Mail server as host:port."""
    starttls: bool
    """Whether STARTTLS is required."""
    user: str = ""
    """Account on the mail server; empty for no login."""


@dataclass(frozen=True, kw_only=True)
class Monitoring(Plain):
    """Prometheus and Alertmanager."""

    port: int
    """Port of Prometheus."""
    alertmanager_port: int
    """Port of Alertmanager."""
    user: str
    """Account that may use both."""
    secret: str
    """Name of the secret in airflow_secrets that is its password."""
    retention_days: int
    """Days for which metrics stay."""
    mail: AlertMail | None = None
    """E-mail; none without recipients."""
    webhook: bool
    """Whether alerts are sent to airflow_alert_webhook_url."""


@dataclass(frozen=True, kw_only=True)
class JournalReceiver(Plain):
    """What receives the journals of all hosts."""

    port: int
    """Port to which they are sent."""
    hosts: Mapping[str, str]
    """By the name in its certificate, the inventory name of each host that may send."""
    retention_days: int
    """Days for which lines stay."""
    max_bytes: int
    """Bytes that they may take; the oldest go."""


@dataclass(frozen=True, kw_only=True)
class Journal(Plain):
    """Where the journal of a host is sent to."""

    url: str
    """Address and port of the receiver."""


@dataclass(frozen=True, kw_only=True)
class Scraping(Plain):
    """What a Prometheus has to collect."""

    seconds: int
    """Seconds between two times."""
    jobs: Mapping[str, Mapping[str, str]]
    """By job, the host and port of each host that has such metrics, by its inventory name."""


@dataclass(frozen=True, kw_only=True)
class NodePort(Plain):
    """A port that a service of a host listens on."""

    port: int
    """Number of the port."""
    service: str
    """Name of the service for people."""


@dataclass(frozen=True, kw_only=True)
class Node(Plain):
    """One host's share of the cluster. A service that the host does not run has no key."""

    name: str
    """Inventory name."""
    address: str
    """IP address or host name by which others reach the host, without brackets."""
    components: tuple[str, ...]
    """Components of Airflow, in the order in which they start."""
    ports: tuple[NodePort, ...]
    """Ports that the host's services listen on, lowest first."""
    etcd: Etcd | None = None
    """The member of etcd."""
    backup: Backup | None = None
    """The repository of backups."""
    metastore: Metastore | None = None
    """PostgreSQL."""
    rabbitmq: RabbitMq | None = None
    """The node of RabbitMQ."""
    redis: Redis | None = None
    """Redis."""
    haproxy: HaProxy | None = None
    """The load balancer."""
    pgbouncer: PgBouncer | None = None
    """PgBouncer."""
    keepalived: Keepalived | None = None
    """The share in the virtual IP."""
    airflow: AirflowNode | None = None
    """Airflow; on hosts with a component."""
    dags: Dags | None = None
    """The DAGs; on hosts that parse them."""
    metrics: Metrics | None = None
    """Metrics; with airflow_metrics."""
    monitoring: Monitoring | None = None
    """Prometheus and Alertmanager."""
    journal_receiver: JournalReceiver | None = None
    """The receiver of all journals; with airflow_journals."""
    journal: Journal | None = None
    """The sender of the host's journal; with airflow_journals."""
    firewall: Firewall | None = None
    """The firewall; when airflow_firewall is on."""

    @property
    def services(self) -> frozenset[str]:
        """Names of the services of the catalogue that the host runs."""
        own = (field.name for field in fields(self) if isinstance(getattr(self, field.name), Plain))
        return frozenset((*own, *self.components))


@dataclass(frozen=True, kw_only=True)
class Version(Plain):
    """The version of Airflow."""

    full: str
    """The whole version, such as 3.3.2."""
    major: int
    """Its first number."""
    nearest: str
    """The tested version that its locks and options begin with: itself, or the nearest one."""


@dataclass(frozen=True, kw_only=True)
class ClusterBroker(Plain):
    """The broker as its clients know it."""

    kind: Literal["rabbitmq", "redis", "sqs"]
    """Which broker it is."""
    external: bool
    """Whether the user runs it."""
    remote_control: bool
    """Whether workers can be asked over the broker what they do."""


@dataclass(frozen=True, kw_only=True)
class ClusterMetastore(Plain):
    """The metastore as its clients know it."""

    engine: Literal["postgresql", "mysql"]
    """Which server it is."""
    external: bool
    """Whether the user runs it."""
    least_version: str
    """Oldest version of the server that this Airflow supports."""
    ca_file: str
    """Path of the CA certificates that an external server's certificate is checked against."""
    result_tables: bool
    """Whether the account of the migrations makes the tables of Celery's results."""


@dataclass(frozen=True, kw_only=True)
class DagsGit(Plain):
    """The repository of the DAGs, which the controller fetches."""

    repository: str
    """Its URL (airflow_dags_git_repository)."""
    ref: str
    """Branch, tag or commit (airflow_dags_git_ref)."""
    path: str
    """Directory in it (airflow_dags_git_path)."""
    user: str
    """Account of the token (airflow_dags_git_user)."""
    known_hosts: str
    """Keys of its server (airflow_dags_git_known_hosts)."""
    cache: str
    """Directory on the controller for what was fetched."""


@dataclass(frozen=True, kw_only=True)
class Tls(Plain):
    """Encryption between the hosts."""

    enabled: bool
    """Whether the cluster has it (airflow_tls)."""
    names: Mapping[str, tuple[str, ...]]
    """Names and addresses that the certificate of each server host proves; empty without TLS."""


@dataclass(frozen=True, kw_only=True)
class Directories(Plain):
    """Directories of Airflow on its hosts."""

    root: str
    """Where the releases are (airflow_root)."""
    home: str
    """Airflow's home (airflow_home)."""
    log_dir: str
    """Logs of tasks (airflow_log_dir)."""


@dataclass(frozen=True, kw_only=True)
class ModeLogin(Plain):
    """The account of one host's component in a mode."""

    host: str
    """Inventory name of the component's host."""
    user: str
    """Account in PostgreSQL."""


@dataclass(frozen=True, kw_only=True)
class ComponentMode(Plain):
    """A mode of a component and its accounts; its names are here without the mode, too."""

    name: str
    """Name of the mode and of its role."""
    enabled: bool
    """Whether the cluster has it."""
    setting: str
    """Variable of the inventory that enables it."""
    value: str
    """Value of the variable that enables it."""
    unit: str
    """systemd unit of the component."""
    database: str
    """Database with the functions that the mode's program calls."""
    user: str
    """Account of the mode's programs, which may call these functions and nothing else."""
    login_prefix: str
    """What the names of the components' accounts begin with."""
    logins: tuple[ModeLogin, ...]
    """The components' accounts, in the order of the inventory; empty without the mode."""
    common_users: tuple[str, ...]
    """Accounts that the components log in as without the mode, at some point of a rotation."""


@dataclass(frozen=True, kw_only=True)
class Cluster(Plain):
    """The whole cluster, the same on all hosts."""

    name: str
    """Name of the cluster (airflow_cluster_name)."""
    version: Version
    """The version of Airflow."""
    url: str
    """URL of the UI and the API, without a slash at its end."""
    ipv6: bool
    """Whether the hosts reach each other by IPv6."""
    admin_user: str
    """The administrator's account in Airflow."""
    auth_manager: Literal["fab", "simple", "other"]
    """Who keeps accounts: Airflow's own database, a file, or another class, by which the collection cannot log in."""
    drain_timeout_seconds: int
    """Seconds that a stopped worker waits for its tasks, on the host where it waits longest; 0 without workers."""
    verify_timeout_seconds: int
    """Seconds that the canary may take."""
    broker: ClusterBroker
    """The broker as its clients know it."""
    external_secrets: tuple[str, ...]
    """Secrets of accounts on servers that are external, which the collection cannot rotate."""
    tls: Tls
    """Encryption between the hosts."""
    metastore: ClusterMetastore
    """The metastore as its clients know it."""
    dags_git: DagsGit | None = None
    """The repository of the DAGs; none when they come from a directory."""
    hosts_of: Mapping[str, tuple[HostAddress, ...]]
    """Hosts of every group, in the order of the inventory; the group's name without ``airflow_``."""
    hosts_entries: tuple[HostAddress, ...]
    """All hosts, for /etc/hosts."""
    firewall: bool
    """Whether the hosts have a managed firewall."""
    manage_hosts_file: bool
    """Whether the hosts have ``hosts_entries`` in /etc/hosts."""
    allow_downgrade: bool
    """Whether an older Airflow than the installed one may be deployed."""
    account: str
    """Account that runs Airflow on the hosts, and its group."""
    manage_account: bool
    """Whether the account and the group are created where they are missing."""
    uid: int
    """Number of the account; 0 when Debian chooses."""
    gid: int
    """Number of the group; 0 when Debian chooses."""
    directories: Directories
    """Directories of Airflow on its hosts."""
    db_clean: bool
    """Whether old rows of the metastore are removed regularly (airflow_db_clean)."""
    queues: Mapping[str, tuple[str, ...]]
    """Hosts that work on each queue."""
    modes: Mapping[str, ComponentMode]
    """Modes of components by name, also those that are off."""
    airflow_hosts: tuple[str, ...]
    """Hosts with a component of Airflow."""
    database_host: str
    """Host that migrates the metastore and runs commands on it."""
    database_owner: BuiltUrl | GivenUrl
    """URL that migrations connect with; no host has it in a file."""
    database_logins: tuple[GivenUrl, ...]
    """URLs of an external metastore that are tried before a migration."""
    scraping: Scraping | None = None
    """What a Prometheus has to collect; with airflow_metrics."""
    nodes: Mapping[str, Node]
    """Each host's own share by inventory name."""
