"""Filters that the roles of the backing services use; the work is done in plugin_utils."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import accounts, firewall, ha
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import (
    digests,
    haproxy,
    nftables,
    postgresql,
    rabbitmq,
    redis,
    secrets,
    sizes,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import secrets as secrets_validation


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with its ValueError and KeyError as Ansible's own, which are shown without a traceback."""

    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except KeyError as error:
            raise AnsibleFilterError(f"{function.__name__}: {error.args[0]} is missing") from None
        except ValueError as error:
            raise AnsibleFilterError(f"{function.__name__}: {error}") from None

    return call


class FilterModule:
    """Collects the filters for Ansible."""

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """Name of each filter with its function."""
        return {
            "broker_memory": _checked(sizes.broker_memory),
            "certificate_files": _checked(secrets.certificate_files),
            "cluster_mark": _checked(digests.cluster_mark),
            "database_users": _checked(accounts.database_users),
            "extra_users": _checked(accounts.extra_users),
            "firewall_peers": _checked(firewall.peers),
            "firewall_ruleset": _checked(nftables.ruleset),
            "haproxy_path_regex": _checked(haproxy.haproxy_path_regex),
            "haproxy_quote": _checked(haproxy.haproxy_quote),
            "patroni_change": _checked(ha.patroni_change),
            "postgresql_arguments": _checked(postgresql.postgresql_arguments),
            "postgresql_memory": _checked(postgresql.postgresql_memory),
            "postgresql_name": _checked(postgresql.postgresql_name),
            "postgresql_peer": _checked(postgresql.postgresql_peer),
            "postgresql_value": _checked(postgresql.postgresql_value),
            "rabbitmq_cookie": _checked(secrets_validation.cookie),
            "rabbitmq_definitions": _checked(rabbitmq.definitions),
            "redis_users": _checked(redis.redis_users),
            "inactive_users": _checked(accounts.inactive_users),
        }
