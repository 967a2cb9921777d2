# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All codes of problems. ``make docs`` writes docs/codes.md from this file."""

from __future__ import annotations

from enum import StrEnum, auto


class Stage(StrEnum):
    """When a code is reported. Everything but ``RUN`` comes before the first change on any host."""

    # On the controller, without a connection: in playbooks/validate.yml, and first in every playbook.
    INVENTORY = auto()
    # On the controller, when rotate_secrets.yml begins.
    ROTATION = auto()
    # From the facts of all hosts.
    PREFLIGHT = auto()
    # By a task of a role or playbook, or by a module on a host.
    RUN = auto()


class Code(StrEnum):
    """A stable name for one kind of problem, to search for.

    ``summary`` says what is wrong and ``remedy`` what to do, both as one line of Markdown; ``stages`` say when the
    code is reported. A code whose summary begins with "a warning" ends no run.
    """

    summary: str
    remedy: str
    stages: tuple[Stage, ...]

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:
        """The value of a member is its name."""
        return name

    def __new__(cls, value: str, summary: str = "", remedy: str = "", *stages: Stage) -> Code:
        """A member from its line below."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.summary, member.remedy, member.stages = summary, remedy, stages
        return member

    @property
    def is_warning(self) -> bool:
        """Whether a problem with this code ends no run."""
        return self.summary.startswith("a warning")

    FD101 = auto(), "a required group has no host", "add one", Stage.INVENTORY
    FD102 = (
        auto(),
        "an even number of RabbitMQ hosts, or more than five; several Redis hosts",
        "1, 3 or 5; one",
        Stage.INVENTORY,
    )
    FD103 = auto(), "two metastore hosts", "one, or three and more", Stage.INVENTORY
    FD104 = (
        auto(),
        "`airflow_version` is not supported",
        "a version that the collection has a lock for",
        Stage.INVENTORY,
    )
    FD105 = auto(), "a worker has no queue", "name one", Stage.INVENTORY
    FD106 = (
        auto(),
        "a queue's name does not fit into a unit's name, or begins with `amq.`",
        "letters, digits, `_`, `.`, `-`",
        Stage.INVENTORY,
    )
    FD107 = auto(), "a queue is named twice on a host", "once", Stage.INVENTORY
    FD108 = auto(), "two hosts have one address", "set `airflow_address`, or remove the second name", Stage.INVENTORY
    FD109 = auto(), "a port is above 65535, or below 1024 where that needs a privilege", "another port", Stage.INVENTORY
    FD110 = (
        auto(),
        "two services of a host have one port (the SSH server and RabbitMQ's fixed ports included)",
        "change one",
        Stage.INVENTORY,
    )
    FD111 = (
        auto(),
        "`airflow_dags_dir` is no directory on the controller",
        "create it, correct the path",
        Stage.INVENTORY,
    )
    FD112 = auto(), "a queue's concurrency is no whole number, negative or above 1000", "0 derives it", Stage.INVENTORY
    FD114 = (
        auto(),
        "no worker serves the default queue",
        "add it to a worker, or set `operators.default_queue`",
        Stage.INVENTORY,
    )
    FD115 = (
        auto(),
        "an entry of `airflow_worker_queues` has an unknown key or no name",
        "`name` and `concurrency`",
        Stage.INVENTORY,
    )
    FD116 = auto(), "a number is out of its range", "the message gives the range and the reason", Stage.INVENTORY
    FD117 = (
        auto(),
        "a name, size, package or setting has the wrong form",
        "the message gives the form",
        Stage.INVENTORY,
    )
    FD118 = auto(), "a host's name or address cannot be used", "rename it, set `airflow_address`", Stage.INVENTORY
    FD119 = (
        auto(),
        "a URL is malformed, has a path that Airflow cannot be below, or contains a login where none is allowed",
        "correct it",
        Stage.INVENTORY,
    )
    FD120 = (
        auto(),
        "an unknown `airflow_*` variable",
        "the message names a known one that resembles it",
        Stage.INVENTORY,
    )
    FD121 = (
        auto(),
        "a variable has the wrong type or choice, or no value",
        "the message gives the expected one",
        Stage.INVENTORY,
    )
    FD122 = (
        auto(),
        "a variable of the whole cluster is set for some hosts only",
        "set it in `group_vars/all`",
        Stage.INVENTORY,
    )
    FD123 = (
        auto(),
        "an unknown group whose name resembles or means a group of the collection",
        "correct its name",
        Stage.INVENTORY,
    )
    FD124 = (
        auto(),
        "ansible-core or a needed collection is too old, too new or missing",
        "install the version that the message names",
        Stage.INVENTORY,
    )
    FD125 = (
        auto(),
        "a template or vault fails, a template deletes a part of its text, or `vault_encrypt_identity` has no password",
        "correct it, give the vault password, or write text with `{{`, `{%` or `{#` as `!unsafe`",
        Stage.INVENTORY,
    )
    FD126 = (
        auto(),
        "a path is not absolute, contains special parts, or belongs to the system",
        "another path",
        Stage.INVENTORY,
    )
    FD127 = (
        auto(),
        "a file on the controller is missing or has the wrong content",
        "correct the path or the file",
        Stage.INVENTORY,
    )
    FD128 = (
        auto(),
        "one run reads the inventories of two clusters, or the hosts of one are in several directories",
        "one run each; see the message",
        Stage.INVENTORY,
    )
    FD129 = auto(), "two settings contradict each other", "the message shows both", Stage.INVENTORY
    FD130 = auto(), "`airflow_config` is not `{section: {option: value}}`", "correct the form", Stage.INVENTORY
    FD131 = (
        auto(),
        "an option or section that this Airflow does not know",
        "see the message; your own sections: `airflow_config_extra_sections`",
        Stage.INVENTORY,
    )
    FD132 = auto(), "an option that was renamed in this Airflow", "the message gives the new name", Stage.INVENTORY
    FD133 = auto(), "an option that this Airflow does not have any more, or not yet", "remove it", Stage.INVENTORY
    FD134 = (
        auto(),
        "an option or setting that the collection sets",
        "the variable that the message names",
        Stage.INVENTORY,
    )
    FD135 = (
        auto(),
        "an option has the wrong type, an unknown value, or text that `airflow.cfg` cannot hold",
        "the message gives the right one",
        Stage.INVENTORY,
    )
    FD136 = (
        auto(),
        "a plaintext secret in `airflow_config`",
        "its `_cmd` form, a connection or a secrets backend",
        Stage.INVENTORY,
    )
    FD137 = (
        auto(),
        "options break the timing budget",
        "see the message and [reliability](reliability.md#the-timing-budget)",
        Stage.INVENTORY,
    )
    FD138 = (
        auto(),
        "options that the broker needs are removed, or differ between hosts",
        "omit them, or set them in `airflow_config`",
        Stage.INVENTORY,
    )
    FD139 = (
        auto(),
        "an environment variable is malformed, a secret, managed, or a proxy for requests between the cluster's hosts",
        "see the message",
        Stage.INVENTORY,
    )
    FD140 = (
        auto(),
        "the web certificate and its key are unreadable, do not match, or are not valid today",
        "correct `airflow_web_certificate_file` and `airflow_web_key_file`",
        Stage.INVENTORY,
    )
    FD141 = auto(), "a malformed Fernet key", "the message says how to generate one", Stage.INVENTORY
    FD142 = (
        auto(),
        "an Erlang cookie that RabbitMQ refuses or Debian's package would replace",
        "20 to 255 printable characters",
        Stage.INVENTORY,
    )
    FD143 = (
        auto(),
        "a secret contains a character that its use does not bear, such as a line break",
        "another one",
        Stage.INVENTORY,
    )
    FD144 = auto(), "a secret has too few characters or too many bytes", "the message gives the range", Stage.INVENTORY
    FD145 = auto(), "two secrets are the same", "one each", Stage.INVENTORY
    FD146 = (
        auto(),
        "a password is known, simple or its own account's name",
        "a random one, or omit it",
        Stage.INVENTORY,
    )
    FD147 = (
        auto(),
        "an option that cannot work in this deployment",
        "see the message; remove it",
        Stage.INVENTORY,
    )
    FD148 = (
        auto(),
        "a warning: an option, host, group or file of the inventory has no effect",
        "remove it, or add what the message names",
        Stage.INVENTORY,
    )
    FD149 = auto(), "a warning: plaintext secrets in the inventory", "`ansible-vault`, or omit them", Stage.INVENTORY
    FD150 = (
        auto(),
        "the firewall, etcd, Patroni, the virtual IP or `/etc/hosts` needs an address, and the host has a name",
        "set `airflow_address`",
        Stage.INVENTORY,
    )
    FD151 = (
        auto(),
        "a firewall source or a trusted proxy is no address or network, a network with host bits, or everybody",
        "correct it",
        Stage.INVENTORY,
    )
    FD152 = auto(), "a port of sshd is missing or malformed", "`airflow_firewall_ssh_ports`", Stage.INVENTORY
    FD153 = (
        auto(),
        "the firewall would close the port that Ansible uses (`ansible_port`)",
        "add it to `airflow_firewall_ssh_ports`",
        Stage.INVENTORY,
    )
    FD154 = (
        auto(),
        "a firewall rule of your own is not one line",
        "one rule per entry of `airflow_firewall_extra_rules`",
        Stage.INVENTORY,
    )
    FD155 = (
        auto(),
        "several metastore hosts without `airflow_etcd`",
        "see the message",
        Stage.INVENTORY,
    )
    FD156 = auto(), "an even number of etcd hosts", "3, 5 or 7", Stage.INVENTORY
    FD157 = (
        auto(),
        "`airflow_vip` is no address of one host with a prefix length",
        "such as 192.0.2.100/24 or 2001:db8::100/64",
        Stage.INVENTORY,
    )
    FD158 = (
        auto(),
        "`airflow_vip` belongs to a host, or is in another network than the load balancers",
        "another address, or every Airflow host in `airflow_haproxy`",
        Stage.INVENTORY,
    )
    FD159 = (
        auto(),
        "two brokers, settings of a broker that the cluster does not have, or a group that the cluster cannot have",
        "see the message and [brokers](brokers.md); empty the group, or remove the setting",
        Stage.INVENTORY,
    )
    FD160 = (
        auto(),
        "`airflow_rotate` names no secret, or one that cannot be rotated",
        "see the list in the message",
        Stage.ROTATION,
    )
    FD161 = auto(), "a secret to rotate is set in the inventory", "change it there, or remove it", Stage.ROTATION
    FD162 = auto(), "a rotation with `--limit`", "run it without", Stage.ROTATION
    FD163 = (
        auto(),
        "tasks ran too long for a change of the tokens' key, or the host that counts them is unreachable; nothing "
        "was rotated",
        "run again later",
        Stage.RUN,
    )
    FD164 = (
        auto(),
        "an inactive user of a pair is still in use",
        "run `flightdeck.airflow.rotate_secrets` without names: it finishes an interrupted rotation",
        Stage.RUN,
    )
    FD165 = auto(), "`flightdeck.airflow.airflow_db` without a command", "`airflow_db_command`", Stage.RUN
    FD166 = auto(), "a switchover of a single metastore", "several hosts in `airflow_metastore`", Stage.RUN
    FD167 = auto(), "a switchover to a host that may lack writes, or to no host", "see `patronictl list`", Stage.RUN
    FD168 = (
        auto(),
        "the broker's URL, certificate, region or queue is missing or has the wrong form",
        "the message gives the form",
        Stage.INVENTORY,
    )
    FD169 = (
        auto(),
        "the metastore is MariaDB, by `airflow_metastore_engine` or by its version string",
        "PostgreSQL, or MySQL itself; see [metastores](metastores.md)",
        Stage.INVENTORY,
        Stage.RUN,
    )
    FD170 = (
        auto(),
        "SQS would give a running task to a second worker",
        "a lower `airflow_max_task_seconds`, or a longer visibility timeout",
        Stage.INVENTORY,
    )
    FD171 = auto(), "an option of RabbitMQ for another broker", "remove it", Stage.INVENTORY
    FD172 = (
        auto(),
        "the password of a managed Redis cannot change while it is in use",
        "see the message",
        Stage.ROTATION,
    )
    FD173 = (
        auto(),
        "an option needs a package that is neither in the release nor in `airflow_system_packages`",
        "add it to `airflow_extra_packages` (Python) or `airflow_system_packages` (Debian), as the message says",
        Stage.INVENTORY,
    )
    FD175 = (
        auto(),
        "hosts in `airflow_metastore`, and a variable about an external server",
        "one of the two",
        Stage.INVENTORY,
    )
    FD176 = (
        auto(),
        "a metastore URL is missing or malformed, or `airflow_metastore_ca` is no certificate",
        "the message gives the form",
        Stage.INVENTORY,
    )
    FD177 = (
        auto(),
        "a variable about a managed PostgreSQL, which this cluster does not have",
        "remove it",
        Stage.INVENTORY,
    )
    FD178 = (
        auto(),
        "an external metastore server does not answer, is too old, lacks required settings, or is behind a pooler "
        "that shares sessions",
        "see the message and [metastores](metastores.md)",
        Stage.RUN,
    )
    FD179 = (
        auto(),
        "a playbook or a rotation for a managed server, and the server is external",
        "the tools of that server, then its URL in the inventory",
        Stage.ROTATION,
        Stage.RUN,
    )
    FD180 = (
        auto(),
        "another `airflow_scheduler_mode` than `active_active` without a managed metastore",
        "add hosts to `airflow_metastore`, or `active_active`",
        Stage.INVENTORY,
    )
    FD181 = (
        auto(),
        "failover e-mail has recipients, but no server or sender, or a login without encryption; a webhook's URL "
        "has a login",
        "the message says what to set",
        Stage.INVENTORY,
    )
    FD182 = (
        auto(),
        "a change of the scheduler mode with `--limit`; or a rotation, `flightdeck.airflow.start`, `undrain` or "
        "`rolling_restart` before the new mode is deployed",
        "run without; `flightdeck.airflow.site` first",
        Stage.PREFLIGHT,
        Stage.RUN,
    )
    FD183 = (
        auto(),
        "sessions of stopped schedulers do not end while the mode changes",
        "`pg_stat_activity`; run again",
        Stage.RUN,
    )
    FD184 = (
        auto(),
        "sessions of a host that no longer has a scheduler do not end",
        "`pg_stat_activity`; run again",
        Stage.RUN,
    )
    FD185 = (
        auto(),
        "`airflow_replaced_host` names no host that lost its data",
        "see [operations](operations.md#replace-a-lost-host)",
        Stage.RUN,
    )
    FD186 = auto(), "too few members work to remove a lost one, or to add one", "start them, run again", Stage.RUN
    FD187 = (
        auto(),
        "an external broker rejects a host, or a queue in it is not as Celery needs it",
        "see the message and [brokers](brokers.md)",
        Stage.RUN,
    )
    FD188 = (
        auto(),
        "`--tags` or `--skip-tags` of a playbook that runs whole, or with a tag that nothing has",
        "see [operations](operations.md#deploy-change-repeat)",
        Stage.RUN,
    )
    FD189 = (
        auto(),
        "a group of `airflow_extra_groups` does not exist on a host with workers",
        "create it, or name the package that does in `airflow_system_packages`",
        Stage.RUN,
    )
    FD190 = (
        auto(),
        "the secrets file or the certificates belong to another cluster",
        "a directory of its own for each cluster and its inventory; see the message",
        Stage.INVENTORY,
    )
    FD191 = (
        auto(),
        "a secrets file in `group_vars/all`, where earlier versions wrote it, contradicts the present one",
        "remove the wrong one",
        Stage.INVENTORY,
    )
    FD192 = (
        auto(),
        "Ansible ignores a file of variables, because a directory or file of the same name exists",
        "the message says where to move it",
        Stage.INVENTORY,
    )
    FD193 = (
        auto(),
        "a warning: variables beside your own playbook, which the plays of the collection do not read",
        "move them to the inventory's `group_vars`",
        Stage.INVENTORY,
    )
    FD194 = (
        auto(),
        "a file that the collection writes on the controller cannot be written, or is among Ansible's variables",
        "permissions, or another path; see the message",
        Stage.INVENTORY,
    )
    FD195 = (
        auto(),
        "some hosts have IPv4 addresses, others IPv6 addresses",
        "`airflow_address` of one family for all",
        Stage.INVENTORY,
    )
    FD196 = (
        auto(),
        "`airflow_web_certificate_file` is for other names than the host of `airflow_url`",
        "another certificate, or the URL that it is for",
        Stage.INVENTORY,
    )
    FD199 = (
        auto(),
        "an error of the collection itself, or a file on the controller that cannot be read or written",
        "report the line of the message, or correct the file",
        Stage.INVENTORY,
    )
    FD201 = auto(), "a host is not Debian 12 or 13", "another machine", Stage.PREFLIGHT
    FD202 = auto(), "the host's Python has no lock for this Airflow", "Airflow 2.11 needs Debian 12", Stage.PREFLIGHT
    FD203 = (
        auto(),
        "the hosts of `airflow_rabbitmq`, `airflow_metastore` or `airflow_etcd` have different Debian releases",
        "one release in each of these groups",
        Stage.PREFLIGHT,
    )
    FD204 = auto(), "a host has too little memory for its groups", "more, or fewer groups", Stage.PREFLIGHT
    FD205 = (
        auto(),
        "a file system is nearly full, or a directory is unreadable",
        "free space or inodes; check the file system",
        Stage.PREFLIGHT,
    )
    FD206 = auto(), "clocks differ by more than 5 s (a warning: by more than 1 s)", "a time service", Stage.PREFLIGHT
    FD207 = auto(), "another process uses a port of the cluster", "stop it, or another port", Stage.PREFLIGHT
    FD208 = (
        auto(),
        "a host belongs to another cluster, or holds a service that the collection did not set up",
        "see the message; the mark is `/etc/airflow/cluster`",
        Stage.PREFLIGHT,
    )
    FD209 = (
        auto(),
        "a name that a host needs, its own RabbitMQ node name included, does not resolve, or another host's name "
        "resolves to loopback",
        "DNS, or `airflow_manage_hosts_file: true`; for an `airflow_address`: its IP address",
        Stage.PREFLIGHT,
    )
    FD210 = (
        auto(),
        "a newer Airflow than `airflow_version` is installed",
        "the newer one, or `airflow_allow_downgrade`",
        Stage.PREFLIGHT,
    )
    FD211 = auto(), "two names are one machine", "one name", Stage.PREFLIGHT
    FD212 = auto(), "hosts do not answer", "start them, or `--limit`", Stage.PREFLIGHT
    FD213 = (
        auto(),
        "a host has no Python 3, or Ansible is not root on it",
        "Python 3; `ansible_user: root` or `ansible_become`",
        Stage.PREFLIGHT,
    )
    FD214 = auto(), "a host without systemd", "another host", Stage.PREFLIGHT
    FD215 = (
        auto(),
        "the Fernet key does not decrypt the contents of the metastore",
        "restore the key, or set `NEW,OLD`",
        Stage.PREFLIGHT,
        Stage.RUN,
    )
    FD216 = (
        auto(),
        "the metastore has the schema of a newer Airflow",
        "that `airflow_version`; see the message",
        Stage.PREFLIGHT,
        Stage.RUN,
    )
    FD217 = (
        auto(),
        "a process may not open as many files as RabbitMQ needs",
        "the sysctl `fs.nr_open`",
        Stage.PREFLIGHT,
    )
    FD218 = (
        auto(),
        "a warning: no time service synchronises a host's clock",
        "chrony or systemd-timesyncd",
        Stage.PREFLIGHT,
    )
    FD219 = (
        auto(),
        "a warning: unattended-upgrades may restart PostgreSQL, RabbitMQ, Redis or HAProxy",
        "`Unattended-Upgrade::Package-Blacklist`",
        Stage.PREFLIGHT,
    )
    FD220 = (
        auto(),
        "apt has no installation candidate for a package",
        "Debian's main archive, or a mirror of it; `apt-get update`",
        Stage.PREFLIGHT,
    )
    FD221 = (
        auto(),
        "a host has no data of etcd or RabbitMQ, and the other members still count it",
        "mount its data, or [replace it](operations.md#replace-a-lost-host)",
        Stage.PREFLIGHT,
    )
    FD222 = (
        auto(),
        "the same is possible, and the run does not include the other members",
        "run without `--limit`",
        Stage.PREFLIGHT,
    )
    FD223 = (
        auto(),
        "a host has no data of etcd or RabbitMQ, and too few members with data answer",
        "start etcd or RabbitMQ on them, run again",
        Stage.PREFLIGHT,
    )
    FD224 = (
        auto(),
        "a warning: a service or the system does not answer, so a check was not made",
        "see the message; start the service and run again to be sure",
        Stage.PREFLIGHT,
    )
    FD236 = (
        auto(),
        "Airflow's account or group has another number than `airflow_uid` or `airflow_gid`, or that one is taken",
        "see the message and [hosts](hosts.md#the-account-of-airflow)",
        Stage.PREFLIGHT,
    )
    FD237 = (
        auto(),
        "/proc is mounted with `hidepid`, so that health checks see no process of the services",
        "without it, or with `gid=`: [hosts](hosts.md#hardened-hosts)",
        Stage.PREFLIGHT,
    )
    FD238 = (
        auto(),
        "the file system of `airflow_root` is mounted with `noexec`",
        "without it, or another `airflow_root`",
        Stage.PREFLIGHT,
    )
    FD239 = (
        auto(),
        "`airflow_home` or `airflow_log_dir` belongs to another account than `airflow_user`",
        "the former `airflow_user`, or another owner: [hosts](hosts.md#the-account-of-airflow)",
        Stage.PREFLIGHT,
    )
    FD240 = (
        auto(),
        "Airflow's account cannot enter a directory above `airflow_root`, `airflow_home` or `airflow_log_dir`",
        "`chmod o+x` for that directory, or other directories",
        Stage.PREFLIGHT,
    )
    FD250 = (
        auto(),
        "an entry of `airflow_files` has the wrong form, a path elsewhere, or one that another entry has",
        "the message gives the form ([files](files.md))",
        Stage.INVENTORY,
    )
    FD251 = (
        auto(),
        "a setting by component names one that does not exist, or has the wrong form",
        "a component of Airflow",
        Stage.INVENTORY,
    )
    FD252 = (
        auto(),
        "a file of `airflow_files` is not on the controller, or its template cannot be read",
        "the path, the line of the template",
        Stage.INVENTORY,
    )
    FD253 = (
        auto(),
        "an entry of `airflow_secret_files` has no text, the name of a managed secret, or the wrong form",
        "the message gives the form ([files](files.md#secret-files))",
        Stage.INVENTORY,
    )
    FD254 = (
        auto(),
        "an entry of `airflow_secret_environment` has no text, an invalid name, or the wrong form",
        "the message gives the form ([files](files.md#the-environment-of-one-component))",
        Stage.INVENTORY,
    )
    FD255 = (
        auto(),
        "`airflow_plugins_dir` or `airflow_python_dir` is no directory that can be shipped",
        "the path, the link or the file that the message names",
        Stage.INVENTORY,
    )
    FD256 = (
        auto(),
        "a plugin, `airflow_local_settings.py` or the logging configuration cannot be imported",
        "the message has the error; processes and files on the host are as before",
        Stage.RUN,
    )
    FD257 = (
        auto(),
        "an entry of `airflow_unit_options` is no directive, a managed one, or more than a line",
        "the message says what to set",
        Stage.INVENTORY,
    )
    FD260 = (
        auto(),
        "an object lacks a field, or has an unknown one or one of another type",
        "see the message and [objects](objects.md)",
        Stage.INVENTORY,
    )
    FD261 = auto(), "two objects of a kind have one name, or two users one address", "rename one", Stage.INVENTORY
    FD262 = (
        auto(),
        "a connection has a URI that is none, or a URI and fields",
        "one of the two; quote what has a meaning in URIs",
        Stage.INVENTORY,
    )
    FD263 = auto(), "a field of an object has a value that cannot be", "see the message", Stage.INVENTORY
    FD264 = (
        auto(),
        "an object is Airflow's own or the administrator",
        "the variables that the message names, or another name",
        Stage.INVENTORY,
    )
    FD265 = auto(), "a user's role does not exist", "declare it, or make it in the UI", Stage.RUN
    FD266 = auto(), "a role's permission does not exist", "one that the UI lists", Stage.RUN
    FD267 = (
        auto(),
        "users or roles, and Airflow's auth manager is not FAB",
        "declare them where they are kept",
        Stage.RUN,
    )
    FD268 = auto(), "Airflow refuses an object", "see the message; the next run goes on", Stage.RUN
    FD269 = auto(), "Airflow's API does not answer, or refuses the login", "the URL, the CA, the login", Stage.RUN
    FD270 = (
        auto(),
        "the DAG files cause import errors that the hosts do not have yet",
        "correct the files that the message names: [DAGs](dags.md#deploy)",
        Stage.RUN,
    )
    FD271 = (
        auto(),
        "`flightdeck.airflow.rollback_dags` finds no revision before the current one on a host",
        "deploy the DAG files that you want",
        Stage.RUN,
    )
    FD272 = (
        auto(),
        "after a switch Airflow reports import errors, or other DAGs than the import before it",
        "correct the files, or `flightdeck.airflow.rollback_dags`",
        Stage.RUN,
    )
    FD273 = (
        auto(),
        "the controller cannot fetch `airflow_dags_git_repository`",
        "the URL, the login, the server: [DAGs](dags.md#a-git-repository)",
        Stage.RUN,
    )
    FD274 = auto(), "`airflow_dags_git_ref` is not in the repository", "a branch, a tag or a commit", Stage.RUN
    FD275 = auto(), "`airflow_dags_git_path` has no DAG files", "the directory with them", Stage.RUN
    FD276 = (
        auto(),
        "a variable `airflow_dags_git_*` has a wrong form or contradicts another one",
        "see the message",
        Stage.INVENTORY,
    )
    FD277 = (
        auto(),
        "an entry of `airflow_dag_bundles` has a wrong form, or a name that another bundle has",
        "see the message and [DAGs](dags.md#airflows-own-bundles)",
        Stage.INVENTORY,
    )
    FD278 = (
        auto(),
        "`airflow_dag_bundles` with Airflow 2.11, or beside `dag_bundle_config_list` in `airflow_config`",
        "see the message",
        Stage.INVENTORY,
    )
    FD279 = (
        auto(),
        "a host cannot read a DAG bundle",
        "the URL, the login, the server, the path: [DAGs](dags.md#airflows-own-bundles); nothing was restarted",
        Stage.RUN,
    )
    FD280 = (
        auto(),
        "a warning: `airflow_version` was not tested",
        "[other versions](packages.md#other-versions) says what is known of it",
        Stage.INVENTORY,
    )
    FD281 = (
        auto(),
        "`airflow_requirements_file`, `airflow_wheels_dir` or `airflow_constraints` cannot be read",
        "correct the path",
        Stage.INVENTORY,
    )
    FD282 = (
        auto(),
        "`airflow_wheels_dir` has no wheel, one that fits no Python of the hosts, or two versions of a package",
        "see the message",
        Stage.INVENTORY,
    )
    FD283 = auto(), "`airflow_constraints` and `airflow_lock_file`", "one of the two", Stage.INVENTORY
    FD284 = (
        auto(),
        "the account of Airflow or its group is missing, and `airflow_manage_account` is `false`",
        "create it, or look why the directory service does not know it",
        Stage.PREFLIGHT,
    )
    FD285 = (
        auto(),
        "the packages of a release do not fit together, or one cannot be had",
        "the message ends with the reason that uv or pip gives; see [packages](packages.md#when-packages-do-not-fit)",
        Stage.RUN,
    )
    FD286 = (
        auto(),
        "a version that was not tested does not know an option",
        "see the message",
        Stage.RUN,
    )
    FD290 = (
        auto(),
        "a warning: the file system of `airflow_log_dir` is nearly full, and the run removes old logs first",
        "fewer days or another size: [logs](logs.md#retention)",
        Stage.PREFLIGHT,
    )
    FD291 = (
        auto(),
        "`airflow_remote_logs` has another form or scheme",
        "`s3://bucket/path`, `gs://` or `wasb://`; others by `airflow_config`: [logs](logs.md#an-object-store)",
        Stage.INVENTORY,
    )
    FD292 = (
        auto(),
        "`airflow_remote_logs` without credentials",
        "`airflow_remote_logs_connection`, or `logging.remote_log_conn_id` in `airflow_config`",
        Stage.INVENTORY,
    )
    FD293 = (
        auto(),
        "a key of `airflow_remote_logs_connection` is unknown or has another type",
        "the keys of an Airflow connection: [logs](logs.md#an-object-store)",
        Stage.INVENTORY,
    )
    FD294 = (
        auto(),
        "`airflow_remote_logs` and an option of `airflow_config` name the place of task logs",
        "one of them",
        Stage.INVENTORY,
    )
    FD295 = (
        auto(),
        "`TZ` in `airflow_environment` is no time zone",
        "a name of the tz database: [time zones](time-zones.md)",
        Stage.INVENTORY,
    )
    FD300 = (
        auto(),
        "a principal and no host in `airflow_kerberos`, or a host of the group without one",
        "[Kerberos](kerberos.md#a-cluster-with-tickets)",
        Stage.INVENTORY,
    )
    FD301 = (
        auto(),
        "a host of `airflow_kerberos` has no keytab, or two",
        "`airflow_kerberos_keytab_file` or `airflow_kerberos_keytab`",
        Stage.INVENTORY,
    )
    FD302 = auto(), "a keytab cannot be read, or is none", "see the message", Stage.INVENTORY
    FD303 = auto(), "a keytab has no key of the principal", "another keytab or principal", Stage.INVENTORY
    FD304 = (
        auto(),
        "`airflow_kerberos_config_file` cannot be used, or Kerberos' settings contradict each other",
        "see the message",
        Stage.INVENTORY,
    )
    FD305 = (
        auto(),
        "the KDC gives no ticket for a new keytab, which is not put in place",
        "see the message: a key of another version, another realm, a KDC out of reach",
        Stage.RUN,
    )
    FD310 = (
        auto(),
        "a variable is missing that `airflow_login` needs",
        "[logins](login.md)",
        Stage.INVENTORY,
    )
    FD311 = (
        auto(),
        "a variable of logins is malformed, or its connection would have no TLS",
        "the message gives the form",
        Stage.INVENTORY,
    )
    FD312 = auto(), "a variable of another login than `airflow_login`", "remove it", Stage.INVENTORY
    FD313 = (
        auto(),
        "a role of Airflow in other letters",
        "as Airflow writes it: `Admin`, `Op`, `User`, `Viewer`, `Public`",
        Stage.INVENTORY,
    )
    FD314 = (
        auto(),
        "`airflow_webserver_config_file` is no file, a template that fails, or no Python",
        "the message names the line",
        Stage.INVENTORY,
    )
    FD315 = (
        auto(),
        "webserver_config.py does not run, or has a name or value that Airflow does not know",
        "the message names it; the former file stays active",
        Stage.RUN,
    )
    FD316 = (
        auto(),
        "the directory or OpenID provider refuses what webserver_config.py says, or its CA is another",
        "the message says what; the former file stays active",
        Stage.RUN,
    )
    FD317 = (
        auto(),
        "a warning: the directory or OpenID provider does not answer",
        "check the server and the network path",
        Stage.RUN,
    )
    FD318 = (
        auto(),
        "`airflow_auth_manager: simple` without `airflow_allow_simple_auth_manager`",
        "`fab`, or the permission in a lab: [logins](login.md#other-auth-managers)",
        Stage.INVENTORY,
    )
    FD319 = (
        auto(),
        "`airflow_auth_manager` is no auth manager, or one that does not go with other variables or Airflow 2.11",
        "see the message and [logins](login.md#other-auth-managers)",
        Stage.INVENTORY,
    )
    FD320 = (
        auto(),
        "a playbook that destroys data, or ends what works, without the cluster's name",
        "run it with `--check` first, then with `-e airflow_confirm=<cluster>`",
        Stage.RUN,
    )
    FD321 = (
        auto(),
        "`airflow_drain_hosts` names no host that can be drained, or the run has `--limit`",
        "see the message and [draining](draining.md)",
        Stage.PREFLIGHT,
    )
    FD322 = (
        auto(),
        "without the host, no component of a kind, or no worker of a queue, would work",
        "[another one first](draining.md#drain-a-host), or `-e airflow_confirm=<cluster>`, but for a host that leaves",
        Stage.PREFLIGHT,
    )
    FD323 = (
        auto(),
        "a warning: a host is drained",
        "[`flightdeck.airflow.undrain`](draining.md#drain-a-host) when it is to work again",
        Stage.PREFLIGHT,
    )
    FD324 = (
        auto(),
        "a drain failed, and the host works again",
        "the message says what failed; run `flightdeck.airflow.drain` again",
        Stage.RUN,
    )
    FD325 = (
        auto(),
        "`airflow_removed_host` names no host, or one that the rest of the cluster needs",
        "see the message and [removing](removal.md#remove-a-host)",
        Stage.INVENTORY,
        Stage.RUN,
    )
    FD326 = (
        auto(),
        "without the host, etcd, RabbitMQ, a queue or the metastore would have no majority, or no other copy",
        "start the others, run again",
        Stage.PREFLIGHT,
    )
    FD327 = (
        auto(),
        "`airflow_restart_components` names no component of Airflow's, or the run has `--limit`",
        "see the message and [restarting](draining.md#restart-host-after-host)",
        Stage.RUN,
    )
    FD328 = (
        auto(),
        "the host to remove leads the metastore, or does not answer, or was removed and is still in the inventory",
        "the message says which; [removing](removal.md#remove-a-host)",
        Stage.PREFLIGHT,
        Stage.RUN,
    )
    FD329 = (
        auto(),
        "a removed host is still known somewhere",
        "the message says where; run `flightdeck.airflow.remove_host` again",
        Stage.RUN,
    )
    FD330 = (
        auto(),
        "the host of `airflow_backup` is a metastore host, too: what takes the data would take their backups",
        "another host",
        Stage.INVENTORY,
    )
    FD331 = (
        auto(),
        "the repository host and the metastore hosts have other releases of Debian",
        "one release: pgBackRest talks to its own version only, and a drill needs the same PostgreSQL",
        Stage.PREFLIGHT,
    )
    FD332 = (
        auto(),
        "a playbook for backups, and the cluster has no repository",
        "a host in `airflow_backup`; for an external MySQL the tools of its server, such as mysqldump",
        Stage.RUN,
    )
    FD333 = (
        auto(),
        "an argument of `flightdeck.airflow.backup` or `flightdeck.airflow.restore` is malformed, or contradicts "
        "another one",
        "the message gives the form",
        Stage.PREFLIGHT,
    )
    FD334 = (
        auto(),
        "a backup, or the check before it, fails: the repository is full or out of reach, no WAL arrives, or the "
        "external server is newer than pg_dump",
        "see the message; the cluster goes on",
        Stage.PREFLIGHT,
        Stage.RUN,
    )
    FD335 = (
        auto(),
        "there is no such backup, or none that ended before the time to restore",
        "the message lists those that there are",
        Stage.PREFLIGHT,
    )
    FD336 = (
        auto(),
        "a file of the repository is damaged or missing",
        "an older backup that is whole; make a new full backup",
        Stage.RUN,
    )
    FD337 = (
        auto(),
        "a backup is another cluster's, was encrypted with another Fernet key, or is newer than this Airflow",
        "the secrets file and the version of then",
        Stage.PREFLIGHT,
        Stage.RUN,
    )
    FD338 = (
        auto(),
        "no room for the restored data beside the present ones",
        "more room, or remove what former restores set aside",
        Stage.PREFLIGHT,
    )
    FD339 = (
        auto(),
        "a restored server does not start, or does not reach its target; a dump cannot be loaded",
        "see the message; the present data stay as they are",
        Stage.RUN,
    )
    FD340 = (
        auto(),
        "`airflow_db_clean` with an external metastore or Airflow 2",
        "leave it off, and run `flightdeck.airflow.db_clean`",
        Stage.INVENTORY,
    )
    FD341 = (
        auto(),
        "`airflow_db_clean_days` would remove rows of running tasks",
        "more days than `airflow_max_task_seconds`",
        Stage.INVENTORY,
    )
    FD342 = (
        auto(),
        "`airflow_db_clean_tables` has a name that is none of a table",
        "as `airflow db clean --help` lists them",
        Stage.INVENTORY,
    )
    FD343 = (
        auto(),
        "`airflow_db_clean_schedule` is no time that systemd knows",
        "as `systemd-analyze calendar` explains",
        Stage.RUN,
    )
    FD344 = (
        auto(),
        "`flightdeck.airflow.plan` without `--check`, or without its callback",
        "both; the message says how",
        Stage.RUN,
    )
    FD350 = (
        auto(),
        "`airflow_version` is newer than what the hosts run, and the playbook is not for that",
        "`flightdeck.airflow.upgrade`, or the version that runs",
        Stage.PREFLIGHT,
    )
    FD351 = (
        auto(),
        "DAG files cause import errors with the next release",
        "correct them; the cluster is as before",
        Stage.RUN,
    )
    FD352 = (
        auto(),
        "plugins or modules of yours cannot be imported with the next release",
        "correct them; the cluster is as before",
        Stage.RUN,
    )
    FD353 = (
        auto(),
        "no room for a dump of the metastore, or to restore it",
        "make room on the metastore's host; the cluster is as before",
        Stage.RUN,
    )
    FD354 = (
        auto(),
        "a migration of the metastore failed",
        "see the message, which says whether the cluster of before runs again",
        Stage.RUN,
    )
    FD355 = (
        auto(),
        "`flightdeck.airflow.rollback` has no way back to `airflow_version`",
        "a version that the message names",
        Stage.RUN,
    )
    FD356 = (
        auto(),
        "a playbook that is wrong when a host is left out, such as an upgrade or a restore, with `--limit`",
        "all hosts; the message says why",
        Stage.RUN,
    )
    FD357 = (
        auto(),
        "the next release has no migrations from the schema of the metastore",
        "an upgrade by way of a version between them",
        Stage.RUN,
    )
    FD358 = (
        auto(),
        "the next release cannot migrate a restored backup",
        "see the message; the cluster is untouched",
        Stage.RUN,
    )
    FD359 = (
        auto(),
        "the bucket for backups (`airflow_backup_s3_...`) is described by half, or by a value that cannot be",
        "endpoint and region with a bucket, both halves of a key or none",
        Stage.INVENTORY,
    )
    FD360 = (
        auto(),
        "`airflow_remove_data` is not the name of the cluster",
        "type it, or leave the variable out to keep the data",
        Stage.RUN,
    )
    FD361 = (
        auto(),
        "a host that the collection left still has something of it",
        "see the message; run `flightdeck.airflow.uninstall` again",
        Stage.RUN,
    )
    FD362 = (
        auto(),
        "`airflow_recovered_tiers` names no tier of several members, or the run has `--limit`",
        "the tiers that the message names",
        Stage.RUN,
    )
    FD363 = (
        auto(),
        "a tier that is to be recovered has its majority, or etcd has no data at all",
        "`flightdeck.airflow.replace_host`, or what the message says",
        Stage.RUN,
    )
    FD365 = (
        auto(),
        "an update of RabbitMQ or etcd is a step that upstream does not support",
        "the steps that the message names, or the package on hold",
        Stage.PREFLIGHT,
    )
    FD366 = auto(), "apt would remove packages for an update", "see `apt-get --simulate` on the host", Stage.PREFLIGHT
    FD367 = (
        auto(),
        "a member or a service does not work before packages are updated",
        "repair it first, or `airflow_update_hosts` without its tier",
        Stage.PREFLIGHT,
    )
    FD368 = auto(), "`airflow_update_hosts` has a name that is no host's", "names of the inventory", Stage.PREFLIGHT
    FD369 = (
        auto(),
        "a setting of pgBackRest (a bucket, differential backups) with an external metastore, of which dumps are made",
        "remove it",
        Stage.INVENTORY,
    )
    FD370 = (
        auto(),
        "`airflow_restore_time` with dumps of an external metastore",
        "the label of a dump in `airflow_restore_set`, or nothing for the newest",
        Stage.PREFLIGHT,
    )
    FD371 = (
        auto(),
        "a host did not stop Airflow before the metastore changes, in an upgrade or its way back",
        "repair the host, or take it out of the inventory; run again, or `flightdeck.airflow.start`",
        Stage.RUN,
    )
    FD374 = (
        auto(),
        "a secret is text that sops encrypted: nothing decrypted it",
        "the vars plugin `community.sops.sops`, and a name of the file that ends in `.sops.yml`",
        Stage.INVENTORY,
    )
    FD376 = (
        auto(),
        "`airflow_journals` without TLS, or without a host that receives them",
        "set `airflow_tls`, and a host in `airflow_monitoring`",
        Stage.INVENTORY,
    )
    FD377 = (
        auto(),
        "`airflow_log_format: json` with a version of Airflow that writes text only",
        "text, or Airflow 3.2 and later",
        Stage.INVENTORY,
    )
    FD378 = (
        auto(),
        "a login to the mail server of alerts that lacks its name, its password or STARTTLS",
        "set what the message names",
        Stage.INVENTORY,
    )
    FD380 = auto(), "several hosts in `airflow_monitoring`", "one", Stage.INVENTORY
    FD381 = (
        auto(),
        "e-mail for alerts without server or sender, or a webhook's URL with a login",
        "set what the message names",
        Stage.INVENTORY,
    )
