"""Bad input ends the run before any host is reached: one message, with its code, and nothing secret in it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
# What every other playbook begins with: it reaches no host.
MODEL = "playbooks/phases/model.yml"


def copied(folder):
    """A copy of the production example whose hosts answer at no address."""
    target = folder / "inventory"
    shutil.copytree(ROOT / "inventories/prod", target)
    return target


@pytest.fixture
def inventory(tmp_path):
    return copied(tmp_path)


def change(inventory, **variables):
    (inventory / "group_vars/all/test.yml").write_text(yaml.safe_dump(variables, allow_unicode=True))


def run(inventory, *arguments, playbook="site.yml"):
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_SSH_ARGS": "-o ConnectTimeout=1",
        # Everything that Ansible can print, where it is searched for secrets.
        "ANSIBLE_DISPLAY_OK_HOSTS": str("-vvv" in arguments),
    }
    command = [PLAYBOOK, "-i", str(inventory), str(ROOT / playbook), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def refused(inventory, code):
    returncode, output = run(inventory)
    assert returncode != 0
    assert code in output
    assert "nothing was changed on any host" in output
    # No task ran on a host: facts would be the first.
    assert "Check the hosts" not in output
    return output


def problems(output):
    """Codes of the report, without those of warnings."""
    return set(re.findall(r"^  (FD\d{3}) ", output, re.MULTILINE))


def without(inventory, group, host=None):
    path = inventory / "hosts.yml"
    content = yaml.safe_load(path.read_text())
    hosts = content["all"]["children"][group]["hosts"]
    for name in [host] if host else list(hosts):
        hosts = {key: value for key, value in hosts.items() if key != name}
    content["all"]["children"][group]["hosts"] = hosts
    path.write_text(yaml.safe_dump(content))


# Mistakes that do not hide each other, in as few runs as they fit in. Code, and what the message says.
GROUPED = {
    "the inventory": {
        "FD101": "group airflow_dag_processor",
        "FD102": "expected 1, 3 or 5",
        "FD103": "group airflow_metastore",
        "FD106": "'gpu queue'",
        "FD107": "'twice' more than once",
        "FD108": "192.0.2.10, which host",
        "FD112": "concurrency 'many'",
        "FD114": "no worker for 'default'",
        "FD115": "concurency of a queue",
        "FD118": "host 'a b'",
        "FD156": "expected 3, 5 or 7",
        "FD123": "Did you mean airflow_worker?",
    },
    "variables": {
        "FD104": "2.11.2 or 3.2.2 or 3.3.2",
        "FD109": "expected 1024 to 65535",
        "FD110": "are both 5671",
        "FD111": "/nowhere/to/be/found",
        "FD116": "airflow_keep_releases: found 0; expected 1 to 100",
        "FD117": "airflow_user",
        "FD119": "variable airflow_url: found a URL with no scheme",
        "FD120": "Did you mean airflow_worker_concurrency?",
        "FD121": "variable airflow_worker_concurrency",
        "FD125": "variable airflow_package_proxy: found a template or vault that fails",
        "FD126": "variable airflow_home: found '/var/lib'",
        "FD127": "airflow_lock_file",
        "FD129": "airflow_worker_drain_timeout_seconds, 600 s",
        "FD139": "airflow_environment.AIRFLOW_HOME",
        "FD141": "airflow_fernet_key",
        "FD142": "airflow_rabbitmq_cookie",
        "FD143": "airflow_broker_password",
        "FD144": "airflow_jwt_secret",
        "FD145": "airflow_rabbitmq_admin_password: found the value of airflow_admin_password",
        "FD146": "airflow_metastore_password",
        "FD151": "expected 198.51.100.7 or 198.51.100.0/24",
        "FD152": "found 70000",
        "FD153": "expected 2222 among them",
        "FD154": "airflow_firewall_extra_rules",
        "FD157": "expected an address with its network's prefix length",
        "FD158": "192.0.2.10, the address of host lb1",
        "FD175": "found airflow_metastore_url, and 1 host in the group",
        "FD276": "airflow_dags_git_repository: found a value, and airflow_dags_dir is set",
        "FD181": "airflow_failover_email_host and airflow_failover_email_from",
        "FD260": "airflow_connections.typeless.conn_type: found no value",
        "FD261": "airflow_variables.twice: found two entries",
        "FD262": "airflow_connections.mixed.uri: found it and host",
        "FD263": "airflow_pools.negative.slots: found -2",
        "FD264": "airflow_users.admin: found the account of the administrator",
    },
    "another metastore": {
        "FD176": "airflow_metastore_owner_url: found a URL with no database",
        "FD177": "airflow_pgbouncer: found a value",
    },
    "options": {
        "FD130": "airflow_config.api: found a number",
        "FD131": "Did you mean core.parallelism?",
        "FD132": "expected dag_processor.parsing_processes",
        "FD133": "airflow_config.scheduler.schedule_after_task_execution",
        "FD134": "airflow_config.core.executor",
        "FD135": "airflow_config.core.max_map_length",
        "FD136": "airflow_config.sentry.sentry_dsn",
        "FD137": "after up to 403 s (3 max_failed_heartbeats",
        "FD147": "dag_bundle_config_list: found no bundle of the DAGs that the collection ships",
        "FD148": "airflow_config.kubernetes_executor: found options of an executor that is not used",
        "FD173": "expected datadog in the release",
        "FD138": "airflow_config.celery.extra_celery_config.task_default_queue_type: found 'classic'",
    },
    "what users add": {
        "FD250": "airflow_files[0]: found the path '/etc/passwd'",
        "FD251": "Did you mean worker?",
        "FD252": "airflow_files[1].src: found /nowhere/to/be/found, which does not exist",
        "FD253": "airflow_secret_files.fernet_key: found the name of a managed secret",
        "FD254": "airflow_secret_environment.PIN: found a number",
        "FD255": "airflow_plugins_dir: found /nowhere/to/be/found does not exist on the controller",
        "FD257": "airflow_unit_options.worker.User: found a managed directive",
        "FD131": "airflow_secret_environment.AIRFLOW__CORE__NOTHING: found an unknown option",
        "FD139": "airflow_component_environment.worker.DEBUG: found a truth value True",
    },
    "the broker": {
        "FD159": "group airflow_rabbitmq: found 3 hosts, and airflow_broker is sqs",
        "FD168": "airflow_sqs_queues: found no 'default', which workers serve",
        "FD170": "expected at least 605400 s",
        "FD171": "airflow_config.celery_broker_transport_options.confirm_publish",
    },
}


def spoil_the_inventory(inventory):
    without(inventory, "airflow_dag_processor")
    without(inventory, "airflow_rabbitmq", "mq3")
    path = inventory / "hosts.yml"
    content = yaml.safe_load(path.read_text())
    groups = content["all"]["children"]
    groups["airflow_metastore"]["hosts"]["again"] = {"ansible_host": "192.0.2.10"}
    groups["airflow_worker"]["hosts"]["a b"] = {"ansible_host": "192.0.2.99"}
    groups["airflow_etcd"] = {"hosts": {"mq1": None, "mq2": None}}
    groups["airflow_wroker"] = {"hosts": {"worker9": {"ansible_host": "192.0.2.29"}}}
    path.write_text(yaml.safe_dump(content))
    queues = ["gpu queue", "twice", "twice", {"name": "one", "concurrency": "many"}, {"name": "two", "concurency": 2}]
    change(inventory, airflow_worker_queues=queues)


def spoil_the_variables(inventory):
    hidden = "hunter2-hunter2-hunter2"
    change(
        inventory,
        airflow_version="2.6.3",
        airflow_haproxy_stats_port=80,
        airflow_rabbitmq_management_port=5671,
        airflow_dags_dir="/nowhere/to/be/found",
        airflow_dags_git_repository="https://git.example.org/dags.git",
        airflow_keep_releases=0,
        airflow_user="root",
        airflow_url="airflow.example.org",
        airflow_vip="192.0.2.10",
        airflow_failover_email_to=["a@example.org"],
        airflow_worker_concurency=4,
        airflow_worker_concurrency="many",
        airflow_package_proxy="{{ nowhere }}",
        airflow_home="/var/lib",
        airflow_lock_file="/nowhere/lock.txt",
        airflow_max_task_seconds=300,
        airflow_environment={"AIRFLOW_HOME": "/srv"},
        airflow_metastore_password="airflow",
        airflow_fernet_key=hidden,
        airflow_rabbitmq_cookie="ABCDEFGHIJKLMNOPQRST",
        airflow_broker_password=f"{hidden}\n",
        airflow_jwt_secret=hidden[:-1],
        airflow_admin_password=hidden,
        airflow_rabbitmq_admin_password=hidden,
        airflow_firewall=True,
        airflow_firewall_admin_sources=["198.51.100.7/24"],
        airflow_firewall_ssh_ports=[22, 70000],
        airflow_firewall_extra_rules=["tcp dport 9100 accept; }"],
        airflow_metastore_url=f"postgresql://airflow:{hidden}@db.example.org/airflow",
        airflow_connections=[
            {"conn_id": "typeless", "password": hidden},
            {"conn_id": "mixed", "uri": f"http://user:{hidden}@host", "host": "host"},
        ],
        airflow_variables=[{"key": "twice", "value": hidden}, {"key": "twice", "value": hidden}],
        airflow_pools=[{"name": "negative", "slots": -2}],
        airflow_users=[
            {
                "username": "admin",
                "email": "a@b",
                "first_name": "a",
                "last_name": "b",
                "roles": ["Op"],
                "password": hidden,
            }
        ],
        ansible_port=2222,
    )


def spoil_the_options(inventory):
    change(
        inventory,
        airflow_config={
            "core": {
                "paralelism": 4,
                "executor": "LocalExecutor",
                "max_map_length": "hunter",
                "default_impersonation": "etl",
            },
            "dag_processor": {"dag_bundle_config_list": [{"name": "own", "classpath": "own.Bundle", "kwargs": {}}]},
            "metrics": {"statsd_datadog_enabled": True},
            "kubernetes_executor": {"namespace": "airflow"},
            "scheduler": {"parsing_processes": 4, "schedule_after_task_execution": True},
            "api": 5,
            "sentry": {"sentry_dsn": "https://hunter2@example.org/1"},
            "workers": {"max_failed_heartbeats": 3},
            "celery": {"extra_celery_config": {"task_default_queue_type": "classic"}},
        },
    )


def spoil_what_users_add(inventory):
    change(
        inventory,
        airflow_files=[{"path": "/etc/passwd", "content": ""}, {"path": "a", "src": "/nowhere/to/be/found"}],
        airflow_secret_files={"fernet_key": "hunter2", "token": {"value": "hunter2", "components": ["wroker"]}},
        airflow_secret_environment={"PIN": 4711, "AIRFLOW__CORE__NOTHING": "hunter2"},
        airflow_component_environment={"worker": {"DEBUG": True}},
        airflow_unit_options={"worker": {"User": "root"}},
        airflow_plugins_dir="/nowhere/to/be/found",
    )


def spoil_the_broker(inventory):
    change(
        inventory,
        airflow_broker="sqs",
        airflow_broker_url="amqp://airflow:hunter2@mq.example.org",
        airflow_sqs_queues={"hunt": "https://AKIA:hunter2@sqs.example.org/1/hunt"},
        airflow_sqs_secret_access_key="hunter2-hunter2",
        airflow_config={"celery_broker_transport_options": {"confirm_publish": True}},
    )


def spoil_another_metastore(inventory):
    without(inventory, "airflow_metastore")
    change(
        inventory,
        airflow_metastore_engine="mysql",
        airflow_metastore_url="mysql://airflow:hunter2@db.example.org/airflow",
        airflow_metastore_owner_url="mysql://owner:hunter2@db.example.org",
        airflow_pgbouncer=True,
    )


SPOIL = {
    "the inventory": spoil_the_inventory,
    "variables": spoil_the_variables,
    "options": spoil_the_options,
    "the broker": spoil_the_broker,
    "what users add": spoil_what_users_add,
    "another metastore": spoil_another_metastore,
}


@pytest.mark.parametrize("kind", sorted(GROUPED))
def test_every_mistake_is_reported_at_once_with_its_code(inventory, kind):
    SPOIL[kind](inventory)
    output = refused(inventory, "")
    assert "problems found" in output
    for code, says in GROUPED[kind].items():
        assert any(code in line and says in line for line in output.splitlines()), (code, says)
    assert problems(output) == {code for code in GROUPED[kind] if not Code[code].is_warning}
    assert "hunter2" not in output


# What would arrive at Airflow as something else, or break it later: the message names the place.
UNFAITHFUL = """
vault_password: 'abc{#def#}ghijklmn9hunter2'
airflow_admin_password: "{{ vault_password }}"
airflow_broker_password: 'abc{{def}}hunter2'
airflow_metastore_password: 'abc{%defhunter2'
airflow_keep_releases: "010"
airflow_vip: no
airflow_smtp_password: hunter2
airflow_config:
  core: {parallelism: '{{ nope }}', paralelism: 4, default_timezone: Europe/Berln}
  logging:
    logging_level: LOUD
    log_filename_template: 'dag_id={{ ti.dag_id }}'
    log_format: '{%(filename)s:%(lineno)d}'
  api: {instance_name: "line1\\n# line2"}
  webserver: {expose_config: true, rbac: true}
airflow_environment:
  HTTP_PROXY:
  HTTPS_PROXY: http://user:hunter2@proxy:3128
  AIRFLOW__CORE__DEFAULT_TASK_RETRIES:
  DEBUG: true
  PATH: $PATH:/opt/bin
  PGPASSWORD: hunter2
"""
SAYS = (
    "FD120 variable airflow_smtp_password: found an unknown name; expected a documented variable. Remove it.",
    "FD121 variable airflow_keep_releases: found text '010'; expected a whole number.",
    "FD121 variable airflow_vip: found a truth value False; expected text. Write it in quotes",
    "FD125 variable airflow_admin_password: found text with {#",
    "FD125 variable airflow_broker_password: found a template or vault that fails; expected a value.",
    "FD125 variable airflow_metastore_password: found a template or vault that fails; expected a value.",
    "FD125 variable airflow_config.core.parallelism: found a template or vault that fails ('nope' is undefined)",
    "FD125 variable airflow_config.logging.log_filename_template: found a template or vault that fails",
    "FD125 variable airflow_config.logging.log_format: found a template or vault that fails",
    "FD131 airflow_config.core.paralelism: found an unknown option",
    "FD131 airflow_config.webserver.rbac: found an unknown option",
    "FD132 airflow_config.webserver.expose_config: found a name that Airflow 3.3.2 does not read",
    "FD135 airflow_config.api.instance_name: found a line that begins with '#' or ';'",
    "FD135 airflow_config.core.default_timezone: found text 'Europe/Berln'",
    "FD135 airflow_config.logging.logging_level: found text 'LOUD'; expected CRITICAL",
    "FD139 airflow_environment.AIRFLOW__CORE__DEFAULT_TASK_RETRIES: found no value",
    "FD139 airflow_environment.DEBUG: found a truth value True",
    "FD139 airflow_environment.HTTPS_PROXY: found a proxy with a login",
    "FD139 airflow_environment.HTTPS_PROXY: found a proxy, and no exception",
    "FD139 airflow_environment.HTTP_PROXY: found no value",
    "FD139 airflow_environment.PATH: found a reference to another variable",
    "FD139 airflow_environment.PGPASSWORD: found a secret in clear",
)


def test_what_would_arrive_as_something_else_is_refused_with_its_place(inventory):
    (inventory / "group_vars/all/test.yml").write_text(UNFAITHFUL)
    output = refused(inventory, "FD125")
    assert f"{len(SAYS)} problems found" in output
    assert [says for says in SAYS if says not in output] == []
    assert output.count("write it as !unsafe 'text'") >= len([says for says in SAYS if "FD125" in says])
    assert "hunter2" not in output
    assert "Traceback" not in output


# What the same kinds of checks must let through.
FAITHFUL = """
airflow_admin_password: !unsafe 'abc{#def#}gh{{ijk}}lm{%n9'
airflow_extra_packages: ["x @ git+ssh://git@git.example.org/x.git"]
airflow_haproxy_https_port: 443
airflow_haproxy_web_port: 80
airflow_url: https://airflow.example.org
airflow_worker_queues: [batch]
airflow_environment: {AIRFLOW__OPERATORS__DEFAULT_QUEUE: batch, NUMBER: 4, EMPTY: ''}
airflow_config:
  logging:
    log_filename_template: !unsafe 'dag_id={{ ti.dag_id }}/attempt={{ try_number }}.log'
    log_format: !unsafe '[%(asctime)s] {%(filename)s:%(lineno)d} %(levelname)s - %(message)s'
  metrics: {statsd_on: true, statsd_host: localhost}
"""


def test_what_arrives_as_it_is_passes(inventory):
    (inventory / "group_vars/all/test.yml").write_text(FAITHFUL)
    path = inventory / "hosts.yml"
    content = yaml.safe_load(path.read_text())
    content["all"]["children"]["airflow_grafana"] = {"hosts": {"prom1": {"ansible_host": "192.0.2.99"}}}
    path.write_text(yaml.safe_dump(content))
    returncode, output = run(inventory, playbook="playbooks/validate.yml")
    assert returncode == 0, output
    assert "FD148 group airflow_grafana: found hosts that are in no group of the collection: prom1" in output


@pytest.mark.parametrize(("place", "warned"), [("plugins", True), (".plugins", False), ("../plugins", False)])
def test_a_path_that_ansible_reads_as_an_inventory_is_named(inventory, place, warned):
    (inventory / place).mkdir()
    (inventory / place / "mine.py").write_text("NAME = 1\n")
    (inventory / "group_vars/all/test.yml").write_text(
        f'airflow_files: [{{path: a, src: "{{{{ inventory_dir }}}}/{place}/mine.py"}}]\n'
    )
    returncode, output = run(inventory, playbook="playbooks/validate.yml")
    assert returncode == 0, output
    assert ("FD148 airflow_files: found" in output) == warned


def test_a_path_below_a_home_that_is_not_there_is_refused(inventory):
    source = "~no-such-account/files"
    names = ("airflow_dags_dir", "airflow_lock_file", "airflow_secrets_file", "airflow_release_cache")
    change(inventory, **dict.fromkeys(names, source), airflow_admin_password=source)
    output = refused(inventory, f"FD126 variable airflow_secrets_file: found '{source}'")
    assert "Traceback" not in output
    assert all(f"FD126 variable {name}" in output for name in names)


def test_validate_needs_no_host_and_changes_nothing(inventory):
    change(
        inventory, airflow_config={"core": {"parallelism": 64}}, airflow_admin_password="{{ 'from a' + ' lookup 1' }}"
    )
    returncode, output = run(inventory, playbook="playbooks/validate.yml")
    assert returncode == 0
    assert "Cluster airflow is valid: 9 hosts, Airflow 3.3.2." in output
    assert "WARNING" not in output
    assert "changed=0" in output
    assert not (inventory / ".airflow_secrets.yml").exists()
    spoil_the_options(inventory)
    returncode, output = run(inventory, playbook="playbooks/validate.yml")
    assert returncode != 0
    assert "FD131" in output


def test_the_environment_of_some_hosts_is_checked_with_their_options(inventory):
    environment = {"AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": "{}", "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "3"}
    environment["AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT"] = "3600"
    (inventory / "group_vars/airflow_worker.yml").write_text(yaml.safe_dump({"airflow_environment": environment}))
    output = refused(inventory, "FD137")
    workers = sorted(
        yaml.safe_load((inventory / "hosts.yml").read_text())["all"]["children"]["airflow_worker"]["hosts"]
    )
    for name in ("extra_celery_config.worker_consumer", "extra_celery_config.broker_use_ssl", "TASK_QUEUED_TIMEOUT"):
        assert any(
            "FD138" in line and f"{name} of hosts {', '.join(workers)}" in line for line in output.splitlines()
        ), name


def test_an_inventory_without_hosts_is_refused(tmp_path):
    empty = tmp_path / "hosts"
    empty.touch()
    assert "group airflow_worker: found no host" in refused(empty, "FD101")


def test_numbers_and_truths_from_the_command_line_are_text(inventory):
    arguments = (
        "-e",
        "airflow_max_task_seconds=3600",
        "-e",
        "airflow_manage_hosts_file=false",
        "-e",
        "airflow_worker_concurrency=2",
    )
    returncode, output = run(inventory, *arguments, playbook="playbooks/validate.yml")
    assert returncode == 0, output


@pytest.mark.parametrize(
    ("playbook", "arguments", "found"),
    [
        (
            "site.yml",
            ("--tags", "airflow,webserver"),
            "webserver; expected airflow, backup, firewall, haproxy, metastore, monitoring, rabbitmq, redis.",
        ),
        ("site.yml", ("--skip-tags", "tls"), "tls; expected airflow"),
        ("site.yml", ("--tags", "tagged"), "tagged; expected airflow"),
        # The deployment within it accepts the tag.
        ("playbooks/replace_host.yml", ("--tags", "metastore"), "metastore; expected none"),
        ("playbooks/rotate_secrets.yml", ("--skip-tags", "airflow"), "airflow; expected none"),
        ("playbooks/validate.yml", ("--tags", "airflow"), "airflow; expected none"),
        ("site.yml", ("--skip-tags", "always"), "always; expected a part of the playbook"),
    ],
)
def test_tags_that_leave_half_of_the_work_undone_are_refused(inventory, playbook, arguments, found):
    returncode, output = run(inventory, *arguments, playbook=playbook)
    assert returncode != 0
    assert re.search(rf"FD188 (--tags and )?--skip-tags: found {re.escape(found)}", output)
    assert output.count("TASK [") == 1
    assert not (inventory / ".airflow_secrets.yml").exists()


def test_tags_of_parts_and_of_plays_of_the_user_are_accepted(inventory):
    change(inventory, airflow_extra_tags=["mine"])
    for arguments in (
        ("--tags", "airflow,mine"),
        ("--skip-tags", "firewall,molecule-idempotence-notest,molecule-notest,notest"),
    ):
        returncode, output = run(
            inventory, *arguments, "-e", '{"__play_tags": ["airflow", "firewall"]}', playbook=MODEL
        )
        assert returncode == 0, output


def test_arguments_of_playbooks_are_checked_as_settings_are(inventory):
    arguments = ("-e", "airflow_rotate=fernet_key", "-e", "airflow_replace_host=db1")
    returncode, output = run(inventory, *arguments, playbook="playbooks/validate.yml")
    assert returncode != 0
    assert "FD121 variable airflow_rotate" in output
    assert "Did you mean airflow_replaced_host?" in output


def test_secrets_in_clear_are_a_warning(inventory):
    without(inventory, "airflow_metastore")
    url = "postgresql://airflow:hunter2@db.example.org/airflow"
    change(inventory, airflow_admin_password="given: by/the user", airflow_metastore_url=url)
    returncode, output = run(inventory, playbook="playbooks/validate.yml")
    assert returncode == 0, output
    [told] = re.findall(r"FD149.*", output)
    assert "airflow_admin_password" in told
    assert "airflow_metastore_url" in told
    assert "given: by/the user" not in output
    assert "hunter2" not in output


def test_two_clusters_in_one_run_are_refused(inventory, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(inventory, other)
    for path, name in ((inventory, "prod"), (other, "staging")):
        (path / "group_vars/all/test.yml").write_text(f"---\nairflow_cluster_name: {name}\n")
    returncode, output = run(inventory, "-i", str(other))
    assert returncode != 0
    assert "FD128" in output


def test_mariadb_is_refused_because_airflow_does_not_support_it(inventory):
    without(inventory, "airflow_metastore")
    change(
        inventory,
        airflow_metastore_engine="mariadb",
        airflow_metastore_url="mysql://airflow:hunter2@db.example.org/airflow",
    )
    output = refused(inventory, "FD169")
    assert "Airflow does not support MariaDB" in output
    assert problems(output) == {"FD169"}
    assert "hunter2" not in output


def test_an_external_metastore_needs_no_host(inventory):
    without(inventory, "airflow_metastore")
    change(inventory, airflow_metastore_url="{{ 'postgresql://airflow:hunter2@db.example.org/airflow' }}")
    returncode, output = run(inventory, "-vvv", "--diff", playbook="playbooks/validate.yml")
    assert returncode == 0, output
    assert "Cluster airflow is valid: 8 hosts" in output
    assert "hunter2" not in output


def test_a_variable_of_one_group_an_empty_list_and_a_bad_secret_are_reported_together(inventory):
    change(inventory, airflow_admin_password=["hunter2hunter2"], airflow_worker_queues=[])
    (inventory / "group_vars/airflow_worker.yml").write_text("---\nairflow_version: 2.11.2\n")
    lines = refused(inventory, "").splitlines()
    for code, says in {
        "FD105": "airflow_worker_queues",
        "FD121": "airflow_admin_password",
        "FD122": "variable airflow_version",
    }.items():
        assert any(code in line and says in line for line in lines), code
    assert "hunter2" not in "".join(lines)


def test_a_variable_of_a_host_may_differ(inventory):
    (inventory / "group_vars/airflow_worker.yml").write_text("---\nairflow_worker_concurrency: 3\n")
    returncode, output = run(inventory, "--limit", "db1", playbook=MODEL)
    assert returncode == 0, output
    assert "FD1" not in output


def test_an_unreachable_host_ends_the_run_before_any_change(inventory):
    (inventory / "group_vars/all/ansible.yml").write_text(
        "---\nansible_port: 1\nansible_ssh_common_args: -o ConnectTimeout=1\n"
    )
    path = inventory / "hosts.yml"
    path.write_text(
        re.sub(
            r"ansible_host: 192\.0\.2\.(\d+)",
            r"airflow_address: 192.0.2.\1, ansible_host: 127.0.0.\1",
            path.read_text(),
        )
    )
    returncode, output = run(inventory)
    assert returncode != 0
    assert (
        "FD212 hosts db1, lb1, master1, master2, mq1, mq2, mq3, worker1, worker2: found no connection (db1: " in output
    )
    assert output.count("nothing was changed on any host") == 2, "once as the error, once as the result"
    assert "UNREACHABLE" not in output
    assert output.rindex("TASK [") == output.index("TASK [Check the hosts before anything changes]")


def test_the_preflight_tells_everything_that_is_wrong_with_a_host(inventory):
    """This machine as the host: the module checks it, and nothing beyond the preflight runs."""
    shutil.rmtree(inventory)
    shutil.copytree(ROOT / "inventories/single", inventory)
    (inventory / "group_vars/all/ansible.yml").write_text(
        "---\nansible_connection: local\nansible_python_interpreter: /nowhere/python\n"
    )
    returncode, output = run(inventory, playbook="playbooks/phases/preflight.yml")
    assert returncode != 0
    assert "FD213 hosts node1: found no check of the host possible" in output
    (inventory / "group_vars/all/ansible.yml").write_text(
        f"---\nansible_connection: local\nansible_python_interpreter: {sys.executable}\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        change(inventory, airflow_haproxy_web_port=listener.getsockname()[1])
        returncode, output = run(
            inventory, "--check", "-e", "__play_deploys=true", playbook="playbooks/phases/preflight.yml"
        )
    assert returncode != 0
    expected = "FD213 account" if os.geteuid() else f"(pid {os.getpid()}"
    if "FD201" not in output:
        assert expected in output, output


def test_secrets_are_encrypted_when_there_is_a_vault_password(inventory, tmp_path):
    password = tmp_path / "vault"
    password.write_text("vault password")
    arguments = ("--limit", "db1", "--vault-password-file", str(password))
    run(inventory, *arguments, playbook=MODEL)
    paths = [inventory / ".airflow_secrets.yml", inventory / ".airflow_certificates.yml"]
    first = [path.read_text() for path in paths]
    assert [text.startswith("$ANSIBLE_VAULT;") for text in first] == [True, True]
    run(inventory, *arguments, playbook=MODEL)
    assert [path.read_text() for path in paths] == first


def test_check_mode_stores_no_secret(inventory):
    returncode, output = run(inventory, "--limit", "db1", "--check", playbook=MODEL)
    assert returncode == 0, output
    assert not (inventory / ".airflow_secrets.yml").exists()
    assert not (inventory / ".airflow_certificates.yml").exists()


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """An inventory, what a run wrote beside it, and what the second run printed, with everything that Ansible can
    say."""
    inventory = copied(tmp_path_factory.mktemp("twice"))
    change(inventory, airflow_admin_password="given: by/the user")
    arguments = ("--limit", "unknown,db1", "-vvv")
    run(inventory, *arguments, playbook=MODEL)
    written = {path: path.read_text() for path in inventory.rglob("*airflow*") if path.is_file()}
    _code, output = run(inventory, *arguments, playbook=MODEL)
    return inventory, written, output


def test_secrets_are_made_once_and_kept(twice):
    inventory, written, output = twice
    path = inventory / ".airflow_secrets.yml"
    first = written[path]
    assert path.stat().st_mode & 0o777 == 0o600
    assert "airflow_secrets.yml" in (path.parent / ".gitignore").read_text()
    assert "airflow_admin_password" not in first
    assert path.read_text() == first
    values = [value for value in yaml.safe_load(first).values() if len(value) > 8]
    assert values
    assert not [value for value in [*values, "given: by/the user"] if value in output]


def test_certificates_are_made_once_and_kept_from_others(twice):
    inventory, written, output = twice
    path = inventory / ".airflow_certificates.yml"
    first = written[path]
    assert path.stat().st_mode & 0o777 == 0o600
    assert ".airflow_certificates.yml" in (inventory / ".gitignore").read_text().splitlines()
    assert path.read_text() == first
    kept = yaml.safe_load(first)
    assert sorted(kept["hosts"]) == ["db1", "lb1", "master1", "master2", "mq1", "mq2", "mq3"]
    assert (inventory / ".airflow_ca.crt").read_text() == kept["ca"]["certificate"]
    keys = [kept["ca"]["key"], *(pair["key"] for pair in kept["hosts"].values())]
    assert not [key for key in keys if key.splitlines()[1] in output]
