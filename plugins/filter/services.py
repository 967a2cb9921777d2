"""Filters that the roles of the backing services use; the work is done in plugin_utils."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.flightdeck.airflow.plugins.plugin_utils import (
    _broker,
    _firewall,
    _ha,
    _preflight,
    _quote,
    _rabbitmq,
    _secrets,
    _sizes,
)


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
            "broker_memory": _checked(_sizes.broker_memory),
            "certificate_files": _checked(_secrets.certificate_files),
            "cluster_mark": _checked(_preflight.mark),
            "database_users": _checked(_secrets.database_users),
            "firewall_peers": _checked(_firewall.peers),
            "firewall_ruleset": _checked(_firewall.ruleset),
            "haproxy_path_regex": _checked(_quote.haproxy_path_regex),
            "haproxy_quote": _checked(_quote.haproxy_quote),
            "patroni_change": _checked(_ha.patroni_change),
            "postgresql_arguments": _checked(_quote.postgresql_arguments),
            "postgresql_memory": _checked(_sizes.postgresql_memory),
            "postgresql_name": _checked(_quote.postgresql_name),
            "postgresql_peer": _checked(_quote.postgresql_peer),
            "postgresql_value": _checked(_quote.postgresql_value),
            "rabbitmq_cookie": _checked(_rabbitmq.cookie),
            "rabbitmq_definitions": _checked(_rabbitmq.definitions),
            "redis_users": _checked(_broker.redis_users),
            "resting_users": _checked(_secrets.resting_users),
            "turn_users": _checked(_secrets.turn_users),
        }
