"""Random inventories: topologies, names, addresses, and values of every documented variable.

The variables and their types come from the argument specs, and what a value may be from the validation's own ranges and
forms, so a new variable needs nothing here. ``MADE`` has better values for those of which most random ones are refused.
"""

from __future__ import annotations

import base64
import datetime
import functools
import ipaddress
import math
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import airflow_options, services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.option_values import (
    ENUMERATIONS,
    ENUMERATIONS_OF_ANY_CASE,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import BY_NAME, GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import TESTED_VERSIONS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.variables import settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import values
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.airflow_options import OWNED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.types import PER_HOST
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]


class Unsafe(str):
    """Text that is no template, as ``!unsafe`` marks it."""


@dataclass
class Inventory:
    """What a user writes: hosts with their groups and variables, and variables of all hosts."""

    groups: dict[str, list[str]]
    hosts: dict[str, dict[str, Any]]
    variables: dict[str, Any] = field(default_factory=dict)


# Text that many programs read in their own way.
AWKWARD = st.text(
    alphabet=st.one_of(
        st.sampled_from("\"'\\%$#;:,=@/&|<>!?*~^+-_.()[]{} `"),
        st.sampled_from(string.ascii_letters + string.digits),
        st.characters(
            min_codepoint=0xA1, max_codepoint=0x2FFF, exclude_categories=("Cc", "Cs", "Cn", "Zs", "Zl", "Zp")
        ),
    ),
    max_size=24,
).map(str.strip)
WORD = st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)
# Words that mean something to a program that reads them in the place of a name.
KEYWORDS = ("backup", "check", "default", "host", "local", "none", "null", "on", "rabbit", "server", "true", "web")
LABEL = st.one_of(
    st.from_regex(r"[a-z]{1,6}-?[0-9]{1,2}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?", fullmatch=True),
    st.sampled_from(KEYWORDS),
    st.sampled_from(("x" * 63, "1", "0x10", "1e3", "Db-01", "A-B")),
)
DOMAIN = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
URL_HOST = st.one_of(DOMAIN, st.just("192.0.2.200"), st.just("[2001:db8::200]"))


def _text(value: str) -> str:
    """``value`` as a user writes it who knows templates."""
    return Unsafe(value) if any(mark in value for mark in ("{{", "{%", "{#")) else value


def urls(schemes: tuple[str, ...], *, path: bool = True) -> st.SearchStrategy[str]:
    """URLs without a login."""
    paths = st.sampled_from(["", "/", "/airflow", "/a/b-c", "/~x/y.z/"] if path else ["", "/"])
    ports = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
    return st.builds("{}://{}{}{}".format, st.sampled_from(schemes), URL_HOST, ports, paths)


NETWORKS = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda number: str(ipaddress.IPv4Address(number))),
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
        lambda pair: str(ipaddress.ip_network((pair[0], pair[1]), strict=False))
    ),
    st.integers(2**100, 2**128 - 1).map(lambda number: str(ipaddress.IPv6Address(number))),
    st.tuples(st.integers(2**100, 2**128 - 1), st.integers(0, 128)).map(
        lambda pair: str(ipaddress.ip_network((pair[0], pair[1]), strict=False))
    ),
)
PASSWORDS = st.tuples(AWKWARD, st.from_regex(r"[A-Za-z0-9]{14,20}", fullmatch=True), AWKWARD).map(
    lambda parts: _text("".join(parts).strip())
)
FERNET = st.binary(min_size=32, max_size=32).map(lambda key: base64.urlsafe_b64encode(key).decode())
KINDS_OF_SECRETS = {
    "fernet_key": FERNET,
    "erlang_cookie": st.from_regex(r"[!-~]{21,64}", fullmatch=True).map(_text),
    "signing_key": st.tuples(AWKWARD, st.from_regex(r"[A-Za-z0-9]{64,70}", fullmatch=True)).map(
        lambda parts: _text("".join(parts))
    ),
}


@functools.cache
def certificate() -> str:
    """A CA certificate as PEM."""
    return certificates.make_ca("fuzz", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))["certificate"]


def _option_value(section: str, option: str, words: list[str]) -> st.SearchStrategy[Any]:
    name = f"{section}.{option}"
    for choices in (ENUMERATIONS, ENUMERATIONS_OF_ANY_CASE):
        if name in choices:
            return st.sampled_from(sorted(choices[name]))
    data = st.recursive(
        st.one_of(st.booleans(), st.integers(-9, 9), AWKWARD.map(_text)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORD, inner, max_size=3)),
        max_leaves=4,
    ).filter(lambda found: isinstance(found, (list, dict)))
    return {
        "boolean": st.booleans(),
        "integer": st.integers(1, 1000),
        "float": st.floats(0.125, 1000, allow_nan=False),
        "json": data,
    }.get(words[0], AWKWARD.map(_text))


@st.composite
def configs(draw: st.DrawFn, version: str) -> dict[str, Any]:
    """Options of airflow.cfg that ``version`` knows, in their types."""
    known = airflow_options.reference(version)
    names = sorted(
        f"{section}.{option}"
        for section, options in known.sections.items()
        for option, words in options.items()
        if f"{section}.{option}" not in OWNED and "sensitive" not in words.split()
    )
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)):
        section, _, option = name.rpartition(".")
        found.setdefault(section, {})[option] = draw(_option_value(section, option, known.words(section, option)))
    return found


ENVIRONMENT_NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,10}X", fullmatch=True)
ENVIRONMENTS = st.dictionaries(ENVIRONMENT_NAMES, st.one_of(AWKWARD.map(_text), st.integers()), max_size=3)
# PostgreSQL itself knows names and values of settings; what the collection has to get right is their text.
POSTGRESQL = st.fixed_dictionaries(
    {},
    optional={
        "work_mem": st.sampled_from(["8MB", "64kB", 1024]),
        "max_connections": st.integers(500, 5000),
        "log_line_prefix": AWKWARD.map(_text),
        "search_path": st.just('"$user", public'),
        "autovacuum_naptime": st.sampled_from(["30s", 30]),
        "random_page_cost": st.floats(1, 4),
        "jit": st.booleans(),
        "Log_Statement": st.sampled_from(["none", "ddl"]),
        "event_source": AWKWARD.map(_text),
        "app.setting": AWKWARD.map(_text),
        "max_slot_wal_keep_size": st.sampled_from(["-1", "4GB", 4096]),
    },
)
RULES = st.sampled_from(
    [
        "tcp dport 9100 accept",
        'ip saddr { 192.0.2.1, 198.51.100.0/24 } tcp dport { 80, 443 } accept comment "a; b"',
        "udp dport 161 counter accept",
        'ip6 saddr 2001:db8::/32 accept comment "x {y}"',
    ]
)
REQUIREMENTS = st.sampled_from(
    ["pandas==2.2.3", "x[y,z] >= 1, < 2", "a @ https://example.org/a.whl", 'b; python_version > "3"']
)
QUEUE = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,10}", fullmatch=True).filter(
    lambda name: not name.startswith("amq.")
)
QUEUES = st.lists(
    st.one_of(QUEUE, st.fixed_dictionaries({"name": QUEUE}, optional={"concurrency": st.integers(0, 1000)})),
    max_size=2,
    unique_by=lambda entry: entry if isinstance(entry, str) else entry["name"],
).map(lambda found: ["default", *(entry for entry in found if "default" not in (entry, str(entry)))])
PROXY_HOSTS = st.one_of(DOMAIN, DOMAIN.map(".{}".format), st.just("192.0.2.9"), st.just("2001:db8::9"))
EMAIL = st.builds("{}@{}".format, WORD, DOMAIN)
LOCKS = ROOT / "roles/airflow/files/locks"
PATHS = st.one_of(
    st.sampled_from(["/srv/a", "/var/lib/x-y", "/home/a/b", "/opt/a b"]).filter(lambda path: " " not in path),
    st.from_regex(r"/(srv|opt|data)(/[A-Za-z0-9._+@-]{1,8}){1,3}/?", fullmatch=True).filter(
        lambda path: ".." not in path
    ),
)
# By variable, what is accepted more often than what its type alone gives.
MADE: dict[str, st.SearchStrategy[Any]] = {
    "airflow_version": st.sampled_from(TESTED_VERSIONS),
    "airflow_environment": ENVIRONMENTS,
    "airflow_postgresql_config": POSTGRESQL,
    "airflow_firewall_extra_rules": st.lists(RULES, max_size=2),
    "airflow_firewall_ssh_ports": st.lists(st.integers(1, 65535), max_size=2).map(lambda ports: [22, *ports]),
    "airflow_extra_packages": st.lists(REQUIREMENTS, max_size=2, unique=True),
    "airflow_system_packages": st.lists(
        st.sampled_from(["git", "libpq-dev", "g++", "a.b:amd64", "x=1:2~3+b1"]), max_size=2
    ),
    "airflow_extra_groups": st.lists(st.sampled_from(["docker", "video", "x-y"]), max_size=2),
    "airflow_config_extra_sections": st.lists(WORD, max_size=1),
    "airflow_worker_queues": QUEUES,
    "airflow_no_proxy": st.lists(PROXY_HOSTS, max_size=2),
    **dict.fromkeys(("airflow_alert_email_to", "airflow_failover_email_to"), st.lists(EMAIL, max_size=2)),
    "airflow_trusted_proxies": st.lists(NETWORKS.filter(lambda text: not text.endswith("/0")), max_size=3),
    "airflow_package_extra_index_urls": st.lists(urls(("http", "https")), max_size=2),
    "airflow_extra_tags": st.lists(WORD, max_size=2),
    "airflow_dags_dir": st.sampled_from(["", str(ROOT)]),
    "airflow_dags_git_repository": st.just(""),
    "airflow_dags_git_path": st.just(""),
    "airflow_dags_git_token": st.just(""),
    "airflow_dags_git_key": st.just(""),
    "airflow_lock_file": st.just(""),
    "airflow_webserver_config_file": st.just(""),
    "airflow_web_certificate_file": st.just(""),
    "airflow_web_key_file": st.just(""),
    **dict.fromkeys(
        (name for name in settings() if name.endswith("_memory_max")),
        st.sampled_from(["infinity", "4G", "512M", "300000K", "50%", "33.3%", "1T", "100%", "268435456"]),
    ),
    "airflow_journal_max_size": st.sampled_from(["10G", "512M", "1T", "999999999"]),
    "airflow_vip_interface": st.sampled_from(["", "eth0", "bond0.100", "enp3s0f1"]),
    "airflow_manage_hosts_file": st.booleans(),
    "airflow_worker_concurrency": st.integers(0, 64),
    "airflow_webserver_workers": st.integers(1, 8),
    # It depends on the metastore and the version.
    "airflow_db_clean": st.just(value=False),
    "airflow_db_clean_tables": st.lists(st.sampled_from(["log", "task_instance", "xcom"]), max_size=2),
    "airflow_max_task_seconds": st.integers(3600, 10_000_000),
    "airflow_sqs_visibility_timeout_seconds": st.just(43_200),
    "airflow_worker_drain_timeout_seconds": st.integers(10, 3600),
    "airflow_certificate_renew_days": st.integers(0, 100),
}
# Part of the choice of a broker, a metastore or a virtual IP, and made with it.
TOGETHER = frozenset(
    name
    for name in settings()
    if (name.startswith(("airflow_broker", "airflow_kerberos_", "airflow_sqs_")) and not name.endswith("_password"))
    or name.startswith(("airflow_ldap_", "airflow_login", "airflow_openid_"))
    or name
    in (
        "airflow_vip",
        "airflow_url",
        "airflow_config",
        "airflow_version",
        "airflow_alert_email_password",
        "airflow_alert_email_user",
        "airflow_journals",
        "airflow_log_format",
        "airflow_metrics",
        "airflow_metastore_engine",
        "airflow_metastore_url",
        "airflow_metastore_owner_url",
        "airflow_result_backend_url",
        "airflow_metastore_ca",
        "airflow_address",
    )
)


def good(name: str, option: dict[str, Any], number: int) -> st.SearchStrategy[Any]:
    """Values of the variable ``name``, most of which are accepted; ``number`` tells it from other variables."""
    kind = option.get("type", "str")
    secret = name.removeprefix("airflow_")
    if name in MADE:
        return MADE[name]
    if secret in GENERATED:
        return KINDS_OF_SECRETS.get(BY_NAME[secret].kind, PASSWORDS)
    if "choices" in option:
        return st.sampled_from(option["choices"])
    if kind == "bool":
        return st.booleans()
    if kind == "int" and name in values.RANGES:
        return st.integers(*values.RANGES[name][:2])
    if kind == "int":
        # Ports of different variables differ.
        return st.integers(0, 99).map(lambda drawn: 10_000 + 100 * number + drawn)
    if name in values._FORMS:
        return st.from_regex(values._FORMS[name][0], fullmatch=True)
    if name in values._URLS:
        return urls(values._URLS[name], path=name not in ("airflow_http_proxy", "airflow_sqs_endpoint_url"))
    if name in values._PATHS_ON_CONTROLLER:
        return st.just(option.get("default", ""))
    if kind == "path":
        return PATHS
    if kind == "list":
        return st.lists(NETWORKS, max_size=3)
    return AWKWARD.map(_text)


# Values that suit hardly any variable, and templates of every kind.
BAD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, False, -1, 0, 1.5, 10**20, math.nan, math.inf, "", " ", "\n", "a\nb", "\0", "\ud800", "#", "'"]
    ),
    st.sampled_from(
        [
            "{{ inventory_hostname }}",
            "{{ nowhere }}",
            "{{ 1 / 0 }}",
            "{{ x | nofilter }}",
            "{{ airflow_url }}",
            "{{ [1, {'a': none}] }}",
            "{{",
            "{#",
            "a{#b#}c",
            "{% raw %}",
            "{{ omit }}",
            "{{ lookup('file', '/nowhere') }}",
            "{{ hostvars }}",
        ]
    ),
    st.sampled_from(["{{ x }}", "{#", "{%", "${HOME}", "%n", "%(x)s", "$$"]).map(Unsafe),
    st.sampled_from(
        ["yes", "010", "1e3", "0x10", "+1", "-0", "1_000", "\u0661", "65536", "2026-01-01", "[]", "{}", "null", "~"]
    ),
    st.sampled_from([datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), b"bytes", set()]),
    st.sampled_from(
        ["x" * 5000, "ä" * 300, "../..", "/", "//", "~root", "/etc", "http://", "http://[", "a@b", "::1", "0.0.0.0"]
    ),
    st.sampled_from(
        ["http://user:hunter22222@h:0/?x#y", "postgresql://a:b@h/d", "https://[::1%25eth0]:1/", "https://h:99999"]
    ),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.just({})), max_size=3),
    st.dictionaries(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just("name")),
        st.one_of(st.none(), st.booleans(), st.text(max_size=3), st.lists(st.none(), max_size=1), st.just({None: {}})),
        max_size=3,
    ),
)
GROUPS_OF_ALL = tuple(group for group in services.GROUPS if group not in services.OPTIONAL)


@st.composite
def _address(draw: st.DrawFn, number: int, family: int, *, names: bool) -> str:
    if names and draw(st.integers(0, 5)) == 0:
        return f"{draw(LABEL)}.h{number}.example.org"
    if family == 4:
        return f"192.0.2.{10 + number}"
    return draw(st.sampled_from([f"2001:db8::{10 + number:x}", f"2001:DB8:0:0::{10 + number:X}"]))


def _pick(draw: st.DrawFn, hosts: list[str], counts: tuple[int, ...]) -> list[str]:
    fitting = [count for count in counts if count <= len(hosts)] or [min(counts[0], len(hosts))]
    count = draw(st.sampled_from(fitting))
    start = draw(st.integers(0, len(hosts) - 1))
    return [hosts[(start + step) % len(hosts)] for step in range(count)]


def _external_metastore(draw: st.DrawFn) -> dict[str, Any]:
    engine = draw(st.sampled_from(["postgresql", "mysql"]))
    login = draw(st.from_regex(r"[a-z]{3,8}:[A-Za-z0-9._~-]{12,16}(%2[0-9A-F]){0,2}", fullmatch=True))
    host, port = draw(URL_HOST), draw(st.sampled_from(["", ":5432", ":1"]))
    url = f"{engine}://{login}@{host}{port}/{draw(WORD)}"
    found: dict[str, Any] = {"airflow_metastore_engine": engine, "airflow_metastore_url": url}
    if draw(st.booleans()):
        found["airflow_metastore_owner_url"] = f"{engine}://owner:{draw(WORD)}hunter22@{host}{port}/other"
    if draw(st.booleans()):
        found["airflow_result_backend_url"] = f"{engine}://results:{draw(WORD)}hunter22@{host}{port}/results"
    if draw(st.booleans()):
        found["airflow_metastore_ca"] = certificate()
    return found


def _external_broker(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    scheme = draw(st.sampled_from(["amqp", "amqps"] if kind == "rabbitmq" else ["redis", "rediss"]))
    path = draw(WORD) if kind == "rabbitmq" else draw(st.sampled_from(["", "0", "5"]))
    login = draw(st.from_regex(r"[a-f]{3,8}x:[A-Za-z0-9._~-]{12,16}(%2[0-9A-F]){0,2}", fullmatch=True))
    found = {"airflow_broker": kind, "airflow_broker_url": f"{scheme}://{login}@{draw(URL_HOST)}:5671/{path}"}
    if scheme.endswith("s") and draw(st.booleans()):
        found["airflow_broker_ca"] = certificate()
    return found


def _sqs(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {
        "airflow_broker": "sqs",
        "airflow_sqs_region": draw(st.sampled_from(["eu-central-1", "local"])),
        "airflow_sqs_queues": {"default": draw(urls(("https",), path=False)) + "/1/default"},
        "airflow_max_task_seconds": 36_000,
        "airflow_worker_queues": ["default"],
    }
    if draw(st.booleans()):
        found |= {"airflow_sqs_access_key_id": "AKIAX", "airflow_sqs_secret_access_key": draw(PASSWORDS)}
    if draw(st.booleans()):
        found["airflow_sqs_endpoint_url"] = draw(urls(("http", "https"), path=False))
    return found


def _kerberos(draw: st.DrawFn) -> dict[str, Any]:
    # A keytab with a key of airflow/a@X.
    keytab = "BQIAAAAyAAIAAVgAB2FpcmZsb3cAAWEAAAABAAAAAQIAEQAQMDAwMDAwMDAwMDAwMDAwMAAAAAI="
    found: dict[str, Any] = {
        "airflow_kerberos_principal": draw(st.sampled_from(["airflow/a", "airflow/a@X"])),
        "airflow_kerberos_keytab": keytab,
        "airflow_kerberos_renew_seconds": draw(st.integers(10, 86400)),
    }
    if draw(st.booleans()):
        found |= {"airflow_kerberos_realm": "X", "airflow_kerberos_kdcs": draw(st.lists(URL_HOST, max_size=2))}
    return found


def _login(draw: st.DrawFn) -> dict[str, Any]:
    groups = st.dictionaries(AWKWARD.map(_text), st.sampled_from(["Op", ["Admin", "own role"]]), max_size=2)
    found: dict[str, Any] = {"airflow_login_registration": draw(st.booleans()), "airflow_login_roles": draw(groups)}
    if draw(st.booleans()):
        found["airflow_login_ca"] = certificate()
    if draw(st.booleans()):
        return {
            **found,
            "airflow_login": "openid",
            "airflow_openid_issuer": draw(urls(("https",))),
            "airflow_openid_client_id": draw(WORD),
            "airflow_openid_client_secret": draw(PASSWORDS),
        }
    found |= {
        "airflow_login": "ldap",
        "airflow_ldap_uri": draw(urls(("ldaps",), path=False)),
        "airflow_ldap_search_base": draw(AWKWARD.map(_text).filter(bool)),
    }
    if draw(st.booleans()):
        return {**found, "airflow_ldap_username_format": f"uid=%s,ou={draw(WORD)}"}
    return {**found, "airflow_ldap_bind_dn": f"cn={draw(WORD)}", "airflow_ldap_bind_password": draw(PASSWORDS)}


@st.composite
def topologies(draw: st.DrawFn) -> Inventory:
    """Hosts in groups with addresses, and the variables that say which metastore and broker there are."""
    number = draw(st.sampled_from([1, 1, 3, 5, 8]))
    family = draw(st.sampled_from([4, 4, 4, 6]))
    hosts = draw(st.lists(st.one_of(LABEL, LABEL, DOMAIN), min_size=number, max_size=number, unique_by=str.lower))
    variables: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}
    for group in GROUPS_OF_ALL:
        groups[group] = hosts if number == 1 else _pick(draw, hosts, (1, 2, 3))
    groups["metastore"] = _pick(draw, hosts, (1, 3))
    kind = draw(st.sampled_from(["rabbitmq", "rabbitmq", "redis", "sqs", "external rabbitmq", "external redis"]))
    groups["rabbitmq"] = _pick(draw, hosts, (1, 3, 5)) if kind == "rabbitmq" else []
    groups["redis"] = _pick(draw, hosts, (1,)) if kind == "redis" else []
    if kind == "redis":
        variables["airflow_broker"] = "redis"
    if kind == "sqs":
        variables |= _sqs(draw)
    elif kind.startswith("external"):
        variables |= _external_broker(draw, kind.removeprefix("external "))
    if draw(st.integers(0, 4)) == 0:
        groups["metastore"] = []
        variables |= _external_metastore(draw)
    groups["etcd"] = _pick(draw, hosts, (3, 5)) if len(groups["metastore"]) > 1 else []
    for group in sorted(set(services.OPTIONAL) - {"backup", "etcd", "monitoring", "redis"}):
        groups[group] = _pick(draw, hosts, (1, 2)) if kind != "sqs" and draw(st.integers(0, 3)) == 0 else []
    if groups["kerberos"]:
        variables |= _kerberos(draw)
    variables["airflow_metrics"] = draw(st.booleans())
    groups["monitoring"] = _pick(draw, hosts, (1,)) if variables["airflow_metrics"] and draw(st.booleans()) else []
    apart = [host for host in hosts if host not in groups["metastore"]]
    groups["backup"] = _pick(draw, apart, (1,)) if apart and groups["metastore"] and draw(st.booleans()) else []
    used = [host for host in hosts if any(host in members for members in groups.values())]
    needs_number = {*groups["etcd"], *(groups["metastore"] if len(groups["metastore"]) > 1 else [])}
    vip = draw(st.integers(0, 3)) == 0
    needs_number |= set(groups["haproxy"]) if vip else set()
    own: dict[str, dict[str, Any]] = {}
    for index, host in enumerate(used):
        address = draw(_address(index, family, names=host not in needs_number))
        own[host] = {draw(st.sampled_from(["ansible_host", "airflow_address"])): address}
    if vip:
        variables["airflow_vip"] = "192.0.2.200/24" if family == 4 else "2001:db8::200/64"
    return Inventory({f"airflow_{group}": members for group, members in groups.items()}, own, variables)


def _related(draw: st.DrawFn, found: dict[str, Any]) -> None:
    """Give variables those that they need."""
    if found.get("airflow_no_proxy"):
        found.setdefault("airflow_http_proxy", "http://proxy.example.org:3128")
    if not found.get("airflow_http_proxy"):
        found.pop("airflow_no_proxy", None)
    if found.get("airflow_proxy_protocol") and not found.get("airflow_trusted_proxies"):
        found["airflow_trusted_proxies"] = ["192.0.2.250"]
    for kind in ("alert", "failover"):
        if found.get(f"airflow_{kind}_email_to"):
            found[f"airflow_{kind}_email_host"] = "mail.example.org"
            found[f"airflow_{kind}_email_from"] = "a@example.org"
    if found.get("airflow_alert_email_to") and found.get("airflow_alert_email_starttls", True) and draw(st.booleans()):
        found |= {"airflow_alert_email_user": draw(WORD), "airflow_alert_email_password": draw(PASSWORDS)}
    for name, path in (("airflow_home", "/srv/home"), ("airflow_log_dir", "/srv/log"), ("airflow_root", "/srv/root")):
        if name in found:
            found[name] = path + found[name]
    if draw(st.integers(0, 2)) == 0:
        tls = found.get("airflow_tls", True)
        found["airflow_url"] = draw(urls(("https",) if tls else ("http", "https")))


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """An inventory of which most are accepted, and some have a mistake or many."""
    inventory = draw(topologies())
    options = settings()
    numbered = {name: number for number, name in enumerate(sorted(options))}
    free = sorted(set(options) - TOGETHER)
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(free), max_size=10, unique=True)):
        value = draw(good(name, options[name], numbered[name]))
        hosts = sorted(inventory.hosts)
        if name in PER_HOST and draw(st.booleans()):
            inventory.hosts[draw(st.sampled_from(hosts))][name] = value
        elif name != "airflow_worker_queues" or inventory.variables.get("airflow_broker") != "sqs":
            found[name] = value
    if draw(st.integers(0, 2)) == 0:
        found |= _login(draw)
    found["airflow_version"] = draw(MADE["airflow_version"])
    if draw(st.booleans()):
        found["airflow_config"] = draw(configs(found["airflow_version"]))
    _related(draw, found)
    inventory.variables = {**found, **inventory.variables}
    if inventory.groups.get("airflow_monitoring") and inventory.variables.get("airflow_tls", True):
        inventory.variables["airflow_journals"] = draw(st.booleans())
    if not str(inventory.variables["airflow_version"]).startswith("2."):
        inventory.variables["airflow_log_format"] = draw(st.sampled_from(["text", "json"]))
    # None in half of them, one or two in most of the others.
    for _mistake in range(draw(st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2, 12]))):
        _spoil(draw, inventory)
    return inventory


def _spoil(draw: st.DrawFn, inventory: Inventory) -> None:
    """Add one thing of which most are mistakes."""
    options = settings()
    hosts = sorted(inventory.hosts)
    kind = draw(st.sampled_from(["value", "value", "value", "value", "part", "host", "group", "unknown", "connection"]))
    place = inventory.variables if draw(st.booleans()) or not hosts else inventory.hosts[draw(st.sampled_from(hosts))]
    match kind:
        case "value":
            place[draw(st.sampled_from(sorted(options)))] = draw(BAD)
        case "part":
            name = draw(
                st.sampled_from(sorted(n for n, each in options.items() if each.get("type") in ("dict", "list")))
            )
            if options[name]["type"] == "list":
                place[name] = [draw(BAD)]
            elif name == "airflow_config":
                known = airflow_options.reference(draw(MADE["airflow_version"])).sections
                section = draw(st.sampled_from(sorted(known)))
                option = draw(st.sampled_from(sorted(known[section]) or ["x"]))
                place[name] = {section: {option: draw(BAD)}}
            elif name == "airflow_environment":
                option = draw(
                    st.sampled_from(["A", "PATH", "AIRFLOW__CORE__PARALLELISM", "AIRFLOW__A__B", "HTTP_PROXY", "1"])
                )
                place[name] = {option: draw(BAD)}
            else:
                place[name] = {draw(st.one_of(WORD, st.text(max_size=3), st.none(), st.integers())): draw(BAD)}
        case "host":
            # Ansible itself refuses a host and a group of the same name in some orders.
            name = draw(
                st.one_of(
                    st.text(min_size=1, max_size=5),
                    st.sampled_from(["localhost", "::1", "a" * 64, "a b", "a_b", "a.b."]),
                )
            )
            inventory.hosts.setdefault(name, {"ansible_host": draw(st.one_of(NETWORKS, BAD))})
            inventory.groups.setdefault(draw(st.sampled_from(sorted(inventory.groups))), []).append(name)
        case "group":
            name = draw(st.sampled_from(sorted(inventory.groups)))
            members = inventory.groups.pop(name)
            if draw(st.booleans()):
                inventory.groups[draw(st.sampled_from(["airflow_x", "airflow-worker", "airflow_wroker"]))] = members
        case "unknown":
            place[draw(st.sampled_from(["airflow_nothing", "airflow_urls", "airflow_", "airflow_cluster"]))] = draw(BAD)
        case "connection":
            name = draw(st.sampled_from(["ansible_host", "ansible_port", "ansible_ssh_port", "airflow_address"]))
            place[name] = draw(st.one_of(BAD, NETWORKS))
