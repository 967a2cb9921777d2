# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's variables for the cluster as a whole, typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import PORT_VARIABLES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import bundles, remote_logs
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.plain import Plain


@dataclass(frozen=True, kw_only=True)
class Settings(Plain):
    """The cluster-wide variables ``airflow_<field>`` that the model and the checks of the inventory read.

    What each means, its unit and its default are in the argument specs of the role airflow; a test compares the types.
    A value has its documented type; whether it makes sense is for the checks. Fields that hold a secret are not shown.
    """

    admin_user: str
    alert_email_from: str
    alert_email_host: str
    alert_email_port: int
    alert_email_starttls: bool
    alert_email_to: tuple[str, ...]
    alert_email_password: str = field(repr=False)
    alert_email_user: str
    alert_webhook_url: str = field(repr=False)
    allow_downgrade: bool
    allow_simple_auth_manager: bool
    allow_untested_version: bool
    auth_manager: str
    backup_archive_queue_mb: int
    backup_archive_timeout_seconds: int
    backup_diff_schedule: str
    backup_directory: str
    backup_full_schedule: str
    backup_incr_schedule: str
    backup_keep_diff: int
    backup_keep_full: int
    backup_max_age_hours: int
    backup_s3_access_key_id: str
    backup_s3_bucket: str
    backup_s3_ca: str
    backup_s3_endpoint: str
    backup_s3_region: str
    backup_s3_secret_access_key: str = field(repr=False)
    backup_s3_uri_style: Literal["host", "path"]
    ca_file: str
    broker: Literal["rabbitmq", "redis", "sqs"]
    broker_ca: str
    broker_url: str = field(repr=False)
    certificate_days: int
    certificate_renew_days: int
    certificates_file: str
    cluster_name: str
    config: Mapping[str, object] = field(repr=False)
    config_extra_sections: tuple[str, ...]
    dag_bundles: tuple[Mapping[str, object], ...] = field(repr=False)
    dags_dir: str
    dags_git_known_hosts: str
    dags_git_path: str
    dags_git_ref: str
    dags_git_repository: str
    dags_git_key: str = field(repr=False)
    dags_git_token: str = field(repr=False)
    dags_git_user: str
    dags_keep_revisions: int
    db_clean: bool
    db_clean_days: int
    db_clean_tables: tuple[str, ...]
    failover_email_from: str
    failover_email_host: str
    failover_email_port: int
    failover_email_starttls: bool
    failover_email_to: tuple[str, ...]
    failover_email_user: str
    failover_webhook_url: str = field(repr=False)
    firewall: bool
    firewall_admin_sources: tuple[str, ...]
    firewall_guard_seconds: int
    firewall_ssh_ports: tuple[int, ...]
    firewall_ssh_sources: tuple[str, ...]
    firewall_user_sources: tuple[str, ...]
    gid: int
    haproxy_web_timeout_seconds: int
    home: str
    http_proxy: str
    journal_max_size: str
    journal_retention_days: int
    journals: bool
    kerberos_config_file: str
    kerberos_kdcs: tuple[str, ...]
    kerberos_realm: str
    kerberos_renew_seconds: int
    ldap_bind_dn: str
    ldap_bind_password: str = field(repr=False)
    ldap_group_attribute: str
    ldap_search_base: str
    ldap_search_filter: str
    ldap_start_tls: bool
    ldap_uri: str
    ldap_user_attribute: str
    ldap_username_format: str
    log_dir: str
    log_format: Literal["text", "json"]
    login: Literal["database", "ldap", "openid"]
    login_ca: str
    login_default_role: str
    login_registration: bool
    login_roles: Mapping[str, object]
    manage_account: bool
    manage_hosts_file: bool
    max_task_seconds: int
    metastore_ca: str
    metastore_engine: Literal["postgresql", "mysql", "mariadb"]
    metastore_owner_url: str = field(repr=False)
    metastore_url: str = field(repr=False)
    no_proxy: tuple[str, ...]
    metrics: bool
    metrics_seconds: int
    monitoring_retention_days: int
    monitoring_user: str
    openid_client_id: str
    openid_client_secret: str = field(repr=False)
    openid_groups_claim: str
    openid_issuer: str
    openid_name: str
    openid_scopes: tuple[str, ...]
    openid_user_claim: str
    pgbouncer: bool
    plugins_dir: str
    # By variable: those of the catalogue's ports that are the same on all hosts.
    ports: Mapping[str, int]
    postgresql_config: Mapping[str, object]
    proxy_protocol: bool
    python_dir: str
    release_cache: str
    remote_logs: str
    remote_logs_connection: Mapping[str, object] = field(repr=False)
    result_backend_url: str = field(repr=False)
    root: str
    scheduler_mode: Literal["active_active", "singleton"]
    secret_environment: Mapping[str, object] = field(repr=False)
    secret_files: Mapping[str, object] = field(repr=False)
    secrets_file: str
    sqs_access_key_id: str
    sqs_endpoint_url: str
    sqs_queues: Mapping[str, object]
    sqs_region: str
    sqs_secret_access_key: str = field(repr=False)
    sqs_visibility_timeout_seconds: int
    tls: bool
    trusted_proxies: tuple[str, ...]
    tuning: Literal["default", "throughput", "latency", "small"]
    uid: int
    url: str
    user: str
    verify_timeout_seconds: int
    version: str
    vip: str
    vip_router_id: int
    web_certificate_file: str
    web_key_file: str
    webserver_config_file: str
    webserver_workers: int

    @classmethod
    def from_variables(cls, variables: Mapping[str, object]) -> Self:
        """The settings among ``variables``, whose values have the types of the argument specs.

        Raises KeyError with the name of a variable that is not there, and ValueError for one of another type.
        """
        names = [field.name for field in dataclasses.fields(cls) if field.name != "ports"]
        ports = {name: variables[name] for name in PORT_VARIABLES}
        return cls.from_vars({**{name: variables[f"airflow_{name}"] for name in names}, "ports": ports}, "airflow")

    @property
    def major(self) -> int:
        """The first number of Airflow's version. Raises ValueError for what is no version."""
        return int(self.version.partition(".")[0])

    @property
    def secret_variables(self) -> dict[str, object]:
        """The secret variables of the environment: the user's, and those that follow from other variables."""
        return {
            **remote_logs.variables(self.remote_logs, self.remote_logs_connection),
            **bundles.variables(self.dag_bundles),
            **self.secret_environment,
        }

    @property
    def dags_root(self) -> str:
        """The directory of the shipped DAGs and their former revisions on a host."""
        return f"{self.home}/dags"

    @property
    def dags_folder(self) -> str:
        """The directory of the DAGs that Airflow reads."""
        return f"{self.dags_root}/current"

    @property
    def options(self) -> dict[str, dict[str, object]]:
        """The user's options of airflow.cfg by section, without sections that are no dictionaries: a check reports
        those."""
        return {section: dict(options) for section, options in self.config.items() if isinstance(options, Mapping)}
