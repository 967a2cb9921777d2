# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that the roles of the backing services and playbooks use; the work is done in plugin_utils."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.flightdeck.airflow.plugins.module_utils import _backups, _metadata
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.platforms import PLATFORMS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BACKING_SERVICES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import (
    accounts,
    drained,
    firewall,
    ha,
    postgresql_state,
    updates,
    urls,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    Account,
    Database,
    Exporter,
    ExtraUser,
    Firewall,
    GivenUrl,
    Monitoring,
    RabbitMq,
    Redis,
    Scraping,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import (
    backups,
    digests,
    haproxy,
    nftables,
    postgresql,
    prometheus,
    rabbitmq,
    redis,
    secrets,
    sizes,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import backups as backups_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import secrets as secrets_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import updates as updates_validation


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with its ValueError and KeyError as Ansible's own, which are shown without a traceback."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except KeyError as error:
            raise AnsibleFilterError(f"{function.__name__}: {error.args[0]} is missing") from None
        except ValueError as error:
            raise AnsibleFilterError(f"{function.__name__}: {error}") from None

    return call


def backing_services(node: Mapping[str, object], run: Iterable[str], skipped: Iterable[str]) -> list[str]:
    """Names of the backing services of the host whose share of the model is ``node``, in the order of the catalogue.

    As far as the tags of the run, ``run`` (``all`` without any) and ``skipped``, select them.
    """
    tags, without = set(run), set(skipped)
    found = {service.name: service.tag or service.name for service in BACKING_SERVICES if service.name in node}
    return [name for name, tag in found.items() if tags & {"all", tag} and tag not in without]


def package_patterns(node: Mapping[str, object]) -> list[str]:
    """Patterns of the names of Debian's packages of the backing services of the host whose share of the model is
    ``node``."""
    return updates.patterns(updates.backing(node))


def updated_units(node: Mapping[str, object], services: Iterable[str] | None = None) -> list[str]:
    """Patterns of the units that restart when their files were replaced.

    Those of the backing services of the host whose share of the model is ``node``, or of these ``services`` alone.
    """
    return updates.units(updates.backing(node) if services is None else services)


def failed_services(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """What of the ``rows`` of node_info says that a service has failed; backups, certificates and the like are none."""
    return [f"{row['component']}: {row['detail']}" for row in updates_validation.failed_services(rows)]


def backup_manifest(name: str, values: Mapping[str, object], airflow: str, postgresql: str) -> dict[str, object]:
    """What a backup has to say of its cluster: versions, and fingerprints of the secrets that a restore needs."""
    return backups.manifest(name, airflow, postgresql, Secrets.from_vars(values))


def connection_files(
    database: Mapping[str, Any], values: Mapping[str, object], directory: str, user: str
) -> list[dict[str, str]]:
    """What libpq needs to connect to an external database, as the module ``config_files`` takes it."""
    return secrets.connection_files(GivenUrl.from_vars(database), Secrets.from_vars(values), directory, user)


def chosen_backup(text: str, label: str, time: str, timelines: dict[str, Any]) -> dict[str, object]:
    """The backup that ``label`` and ``time`` choose from ``text``, an answer of ``pgbackrest info``; empty for none.

    Its ``timeline`` is the one to recover, as PostgreSQL takes it.
    """
    found, _problem = _backups.parse(text)
    history = _backups.parse_history(timelines)
    until = _backups.target_seconds(time) if time else None
    chosen = _backups.chosen(found, label, until, history)
    known = str(history.timeline(until)) if history.forks else "latest"
    timeline = "current" if label and not time else known
    return {**asdict(chosen), "text": chosen.text, "timeline": timeline} if chosen else {}


def backup_problems(
    text: str, label: str, time: str, cluster: Mapping[str, Any], own: Mapping[str, Any], timelines: dict[str, Any]
) -> list[str]:
    """Why the backups in ``text`` do not have the one that ``label`` and ``time`` choose, or it is not this
    cluster's."""
    version, history = cluster["version"]["full"], _backups.parse_history(timelines)
    return list(map(str, backups_validation.check_answer(text, label, time, own, version, history)))


def backup_argument_problems(kind: str, time: str, label: str, method: str) -> list[str]:
    """Problems with the arguments of backup.yml, restore.yml and restore_drill.yml, for backups by ``method``."""
    now = datetime.datetime.now(datetime.UTC).timestamp()
    target = backups_validation.check_target(time, label, now, dumps=method == "dump")
    return list(map(str, [*backups_validation.check_type(kind), *target]))


def definitions_without_passwords(exported: Mapping[str, Any]) -> dict[str, object]:
    """The objects of a broker without its passwords; empty for nothing."""
    return backups.definitions(exported) if exported else {}


def fernet_decrypts(token: str, keys: str) -> bool:
    """Whether one of the Fernet ``keys`` made ``token``."""
    return _metadata.decrypts(token, keys)


def restore_target(time: str) -> str:
    """A time of the user's as PostgreSQL takes it, in UTC; empty stays empty."""
    return _backups.moment(_backups.target_seconds(time)) if time else ""


def room_problems(free: Mapping[str, int], size: int) -> list[str]:
    """Problems with hosts that have no room for a backup."""
    free_mb = {name: count // 1024**2 for name, count in free.items()}
    return list(map(str, backups_validation.check_room(free_mb, size)))


def database_users(databases: Iterable[object], values: Mapping[str, object]) -> list[dict[str, str]]:
    """The users of ``databases`` as postgresql_user takes them. Raises KeyError for a missing secret."""
    return accounts.database_users(map(Database.from_vars, databases), Secrets.from_vars(values))


def extra_users(users: Iterable[object], values: Mapping[str, object]) -> list[dict[str, str]]:
    """The extra ``users`` of the metastore as postgresql_user takes them. Raises KeyError for a missing secret."""
    return accounts.extra_users(map(ExtraUser.from_vars, users), Secrets.from_vars(values))


def inactive_users(shares: Iterable[Mapping[str, str]], values: Mapping[str, object]) -> list[dict[str, object]]:
    """Of each pair of users in ``shares``, the one that is not in use."""
    pairs = (Account(user=share["user"], secret=share["secret"]) for share in shares)
    return [user.to_vars() for user in accounts.inactive_users(pairs, Secrets.from_vars(values))]


def firewall_peers(nodes: Mapping[str, Mapping[str, Any]], run: Iterable[str]) -> list[str]:
    """The hosts outside of ``run`` whose firewall has a rule for one of its hosts."""
    # Read as they are: there may be hundreds, for each host of a run.
    addresses = {name: str(node["address"]) for name, node in nodes.items()}
    sources = {
        name: {source for rule in node["firewall"]["rules"] for source in rule["sources"]}
        for name, node in nodes.items()
    }
    return firewall.peers(addresses, sources, run)


def firewall_ruleset(share: object) -> str:
    """The text that ``nft -f`` loads: it replaces the managed table as a whole and changes no other."""
    return nftables.ruleset(Firewall.from_vars(share))


def alertmanager_config(share: object, webhook: str, email_password: str) -> dict[str, object]:
    """Alertmanager's configuration on the host whose ``share`` of the model has a monitoring."""
    return prometheus.alertmanager_config(Monitoring.from_vars(share), webhook, email_password)


def exporter_modules(exporters: Iterable[object], tls_dir: str) -> dict[str, object]:
    """Modules of the proxy through which Prometheus reaches the exporters of a host."""
    return prometheus.modules(map(Exporter.from_vars, exporters), tls_dir)


def scrape_configs(share: object, tls: bool) -> dict[str, object]:
    """A file that Prometheus reads besides its own, with the CA certificate beside it."""
    return {"scrape_configs": prometheus.scrape_configs(Scraping.from_vars(share), "." if tls else "")}


def platform(system: Mapping[str, Any]) -> dict[str, Any]:
    """What differs between releases of Debian, for that of ``system``. Raises KeyError for others."""
    return dict(vars(PLATFORMS[str(system["distribution_major_version"])]))


def rabbitmq_definitions(node: object, values: Mapping[str, object]) -> str:
    """The content of RabbitMQ's definitions file. Raises KeyError for a missing secret."""
    return rabbitmq.definitions(RabbitMq.from_vars(node), Secrets.from_vars(values))


def redis_users(node: object, values: Mapping[str, object]) -> str:
    """The content of Redis' file of users. Raises KeyError for a missing secret."""
    return redis.redis_users(Redis.from_vars(node), Secrets.from_vars(values))


def unlike_users(
    users: Iterable[Mapping[str, str]], held: Mapping[str, Mapping[str, object]]
) -> list[Mapping[str, str]]:
    """Those of ``users`` that the server lacks or has otherwise."""
    rows = {name: postgresql_state.HeldUser.from_row(row) for name, row in held.items()}
    return postgresql_state.unlike_users(users, rows)


def unlike_databases(databases: Iterable[object], held: Mapping[str, Mapping[str, str]]) -> list[dict[str, object]]:
    """Those of ``databases`` that the server lacks or has otherwise."""
    found = postgresql_state.unlike_databases(map(Database.from_vars, databases), held)
    return [database.to_vars() for database in found]


def ungranted(database: object, rights: Mapping[str, str], held: Iterable[Mapping[str, str]]) -> list[str]:
    """Those of ``rights`` on objects that the owner of ``database`` will make which its user does not have."""
    return postgresql_state.ungranted(Database.from_vars(database), rights, held)


class FilterModule:
    """Collects the filters for Ansible."""

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """Name of each filter with its function."""
        return {
            "alertmanager_config": _checked(alertmanager_config),
            "backing_services": _checked(backing_services),
            "backup_argument_problems": _checked(backup_argument_problems),
            "backup_manifest": _checked(backup_manifest),
            "backup_problems": _checked(backup_problems),
            "bracket": _checked(urls.bracket),
            "broker_memory": _checked(sizes.broker_memory),
            "certificate_files": _checked(secrets.certificate_files),
            "chosen_backup": _checked(chosen_backup),
            "connection_files": _checked(connection_files),
            "cluster_mark": _checked(digests.cluster_mark),
            "database_users": _checked(database_users),
            "definitions_without_passwords": _checked(definitions_without_passwords),
            "drained_hosts": _checked(drained.drained_hosts),
            "exporter_modules": _checked(exporter_modules),
            "extra_users": _checked(extra_users),
            "failed_services": _checked(failed_services),
            "fernet_decrypts": _checked(fernet_decrypts),
            "firewall_peers": _checked(firewall_peers),
            "firewall_ruleset": _checked(firewall_ruleset),
            "haproxy_path_regex": _checked(haproxy.haproxy_path_regex),
            "haproxy_quote": _checked(haproxy.haproxy_quote),
            "inactive_users": _checked(inactive_users),
            "package_patterns": _checked(package_patterns),
            "platform": _checked(platform),
            "patroni_change": _checked(ha.patroni_change),
            "postgresql_arguments": _checked(postgresql.postgresql_arguments),
            "postgresql_memory": _checked(postgresql.postgresql_memory),
            "postgresql_name": _checked(postgresql.postgresql_name),
            "postgresql_peer": _checked(postgresql.postgresql_peer),
            "postgresql_value": _checked(postgresql.postgresql_value),
            "prometheus_config": _checked(prometheus.prometheus_config),
            "rabbitmq_cookie": _checked(secrets_validation.cookie),
            "rabbitmq_definitions": _checked(rabbitmq_definitions),
            "redis_users": _checked(redis_users),
            "restore_target": _checked(restore_target),
            "room_problems": _checked(room_problems),
            "scrape_configs": _checked(scrape_configs),
            "ungranted": _checked(ungranted),
            "unlike_databases": _checked(unlike_databases),
            "unlike_users": _checked(unlike_users),
            "updated_units": _checked(updated_units),
        }
