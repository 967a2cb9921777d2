"""Inventories as people write them, and the verdict that is right: a problem with its code, or the value in the model.

The action plugin runs here without a process of Ansible's, so that a case takes a fraction of a second.
"""

from __future__ import annotations

import copy
import datetime
import json

import pytest
import yaml
from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.template import Templar
from ansible.utils.context_objects import CLIArgs
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.flightdeck.airflow.plugins.action.cluster_model import ActionModule
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import RefusalError
from test_bad_inputs import ROOT

PROD = yaml.safe_load((ROOT / "inventories/prod/hosts.yml").read_text())
FOLDER = "{name: dags-folder, classpath: airflow.dag_processing.bundles.local.LocalDagBundle, kwargs: {}}"
GIT = '{"name": "repo", "classpath": "airflow.providers.git.bundles.git.GitDagBundle", "kwargs": {"git_conn_id": "g"}}'


@pytest.fixture
def verdict(tmp_path, monkeypatch, capsys):
    """Returns the problems of an inventory, a line each, what is displayed, and the model when there is no problem."""
    monkeypatch.setattr(context, "CLIARGS", CLIArgs({"args": (), "extra_vars": ()}))

    def judge(hosts, variables="", play=None):
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(hosts))
        (tmp_path / "group_vars").mkdir(exist_ok=True)
        (tmp_path / "group_vars/all.yml").write_text(variables)
        loader = DataLoader()
        loader.set_basedir(str(ROOT / "playbooks"))
        sources = [str(tmp_path / "hosts.yml")]
        inventory = InventoryManager(loader, sources=sources)
        manager = VariableManager(loader, inventory)
        tasks = [{"ansible.builtin.debug": {}}]
        loaded = Play.load({"hosts": "all", "vars": play or {}, "tasks": tasks}, manager, loader)
        task = loaded.tasks[0].block[0]
        known = {
            **manager.get_vars(play=loaded, host=inventory.get_hosts("all")[0], task=task),
            "hostvars": HostVars(inventory, manager, loader),
            "ansible_inventory_sources": sources,
        }
        action = ActionModule(task, None, None, loader, Templar(loader, known), None)
        action._writes = False
        try:
            result, problems = action._model(known), []
        except RefusalError as refusal:
            result, problems = {}, sorted(map(str, set(refusal.problems)))
        return problems, capsys.readouterr().err.replace("\n", " "), result.get("cluster", {})

    return judge


def prod(**changes):
    """The production example; ``changes`` are groups, each with its hosts."""
    inventory = copy.deepcopy(PROD)
    groups = inventory["all"]["children"]
    for group, hosts in changes.items():
        groups[f"airflow_{group}"] = {"hosts": hosts}
    return inventory


def at(last, **more):
    return {"ansible_host": f"192.0.2.{last}", **more}


def workers(count):
    return {f"w{number}": {"ansible_host": f"10.9.{number // 250}.{1 + number % 250}"} for number in range(count)}


def moved():
    """The production example on IPv6."""
    return json.loads(json.dumps(PROD).replace("192.0.2.", "2001:db8::"))


NAMED_DATABASES = {f"db{number}.example.org": None for number in range(3)}
NAMED_BALANCERS = {f"lb{number}.example.org": None for number in (1, 2)}
TWO_BALANCERS = {"lb1": at(10), "lb2": at(9)}
LONG = "w" * 100

# Name: what is written, and the beginning and a part of each problem, in their order.
REFUSED = {
    "addr-ipv6-zone": (prod(worker={"w1": {"ansible_host": "fe80::1%eth0"}}), "", ["FD118 airflow_address of host w1"]),
    "addr-null-ansible-host": (
        prod(worker={"worker1": {"ansible_host": None}, "worker2": at(22)}),
        "",
        ["FD121 variable ansible_host of host worker1: found no value"],
    ),
    "addr-undefined-port": (
        prod(worker={"w1": at(21, ansible_port="{{ ssh_port }}")}),
        "",
        ["FD125 variable ansible_port of host w1: found a template or vault that fails ('ssh_port'"],
    ),
    "addr-undefined-tpl": (
        prod(worker={"w1": {"ansible_host": "{{ private_ip }}"}}),
        "",
        ["FD125 variable ansible_host of host w1"],
    ),
    "bk-nologin": (
        prod(rabbitmq={}),
        "airflow_broker_url: amqp://h/v",
        ["FD168 airflow_broker_url: found a URL with the account guest"],
    ),
    "cfg-api2": (
        prod(),
        "airflow_version: 2.11.2\nairflow_config: {api: {auth_backends: airflow.api.auth.backend.session}}",
        ["FD147 airflow_config.api.auth_backends"],
    ),
    "cfg-bundles-list-ok": (
        prod(),
        f"airflow_config: {{dag_processor: {{dag_bundle_config_list: [{GIT}]}}}}",
        [
            "FD147 airflow_config.dag_processor.dag_bundle_config_list: found no bundle of the DAGs",
            "FD173 airflow_config",
        ],
    ),
    "cfg-multiline": (
        prod(),
        f"airflow_config:\n  dag_processor:\n    dag_bundle_config_list: |\n      [\n       {GIT}\n      ]\n",
        ["FD147 airflow_config.dag_processor.dag_bundle_config_list", "FD173 airflow_config.dag_processor"],
    ),
    "bundles by the environment": (
        prod(),
        f"airflow_environment: {{AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST: '[{GIT}]'}}",
        ["FD147 airflow_environment.AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", "FD173 airflow_environment"],
    ),
    "cfg-hashline": (
        prod(),
        r'airflow_config: {api: {instance_name: "1\n# 2\n3"}}',
        ["FD135 airflow_config.api.instance_name"],
    ),
    "cfg-jinja": (
        prod(),
        "airflow_config: {logging: {log_filename_template: 'dag_id={{ ti.dag_id }}'}}",
        ["FD125 variable airflow_config.logging.log_filename_template"],
    ),
    "cfg-percent": (
        prod(),
        "airflow_config: {logging: {log_format: '[%(asctime)s] {%(filename)s:%(lineno)d}'}}",
        ["FD125 variable airflow_config.logging.log_format"],
    ),
    "cfg-percent2": (
        prod(),
        "airflow_config: {logging: {log_format: !unsafe '[%%(asctime)s] {%%(filename)s}'}}",
        ["FD135 airflow_config.logging.log_format: found a doubled percent sign"],
    ),
    "cfg-loglevel": (
        prod(),
        "airflow_config: {logging: {logging_level: LOUD}}",
        ["FD135 airflow_config.logging.logging_level"],
    ),
    "cfg-one-undefined": (
        prod(),
        "airflow_config: {core: {parallelism: '{{ nope }}', paralelism: 4}, logging: {logging_level: LOUD}}",
        [
            "FD125 variable airflow_config.core.parallelism",
            "FD131 airflow_config.core.paralelism",
            "FD135 airflow_config.logging.logging_level",
        ],
    ),
    "cfg-remotelog-gcs": (
        prod(),
        "airflow_config: {logging: {remote_logging: 'True', remote_base_log_folder: 'gs://logs/airflow'}}",
        ["FD173 airflow_config.logging.remote_base_log_folder"],
    ),
    "cfg-remotelog-s3": (
        prod(),
        "airflow_config: {logging: {remote_logging: true, remote_base_log_folder: 's3://logs/airflow'}}",
        ["FD173 airflow_config.logging.remote_base_log_folder"],
    ),
    "cfg-vaultbackend-ok": (
        prod(),
        "airflow_config: {secrets: {backend: airflow.providers.hashicorp.secrets.vault.VaultBackend}}",
        ["FD173 airflow_config.secrets.backend"],
    ),
    "cfg-schema": (
        prod(),
        "airflow_config: {database: {sql_alchemy_schema: airflow}}",
        ["FD147 airflow_config.database"],
    ),
    "cfg-web-mix": (
        prod(),
        "airflow_config: {webserver: {expose_config: true, rbac: true}}",
        ["FD131 airflow_config.webserver.rbac", "FD132 airflow_config.webserver.expose_config"],
    ),
    "cfg-wrongsection": (
        prod(),
        "airflow_config: {CORE: {parallelism: 1}, scheduler: {parallelism: 32, dag_dir_list_interval: 30}}",
        [
            "FD130 airflow_config.CORE",
            "FD131 airflow_config.scheduler.parallelism",
            "FD132 airflow_config.scheduler.dag_dir_list_interval",
        ],
    ),
    "a pool without a limit": (
        prod(),
        "airflow_config: {database: {sql_alchemy_max_overflow: -1}}",
        ["FD129 airflow_config.database.sql_alchemy_pool_size and sql_alchemy_max_overflow: found no limit"],
    ),
    "conn-become": (
        prod(),
        "ansible_become: true\nansible_become_password: '{{ vault_x }}'",
        ["FD125 variable ansible_become_password: "],
    ),
    "env-none": (
        prod(),
        "airflow_environment: {HTTP_PROXY: , AIRFLOW__CORE__PARALLELISM: , DEBUG: true, N: 4, EMPTY: ''}",
        [
            "FD139 airflow_environment.AIRFLOW__CORE__PARALLELISM: found no value",
            "FD139 airflow_environment.DEBUG: found a truth value",
            "FD139 airflow_environment.HTTP_PROXY: found no value",
        ],
    ),
    "env-proxycreds": (
        prod(),
        "airflow_environment: {HTTPS_PROXY: 'http://user:hunter2@proxy:3128', no_proxy: '*'}",
        ["FD139 airflow_environment.HTTPS_PROXY: found a proxy with a login"],
    ),
    "x-vault-vars": (
        prod(),
        "airflow_environment: {PGPASSWORD: y, AWS_ACCESS_KEY_ID: AKIA, DB_PASSWORD_FILE: /x, "
        "SENTRY_DSN: 'https://a:b@sentry'}",
        ["FD139 airflow_environment.PGPASSWORD", "FD139 airflow_environment.SENTRY_DSN"],
    ),
    "x-path-java": (
        prod(),
        "airflow_environment: {PATH: '/usr/lib/jvm/bin:/usr/bin:/bin'}",
        ["FD139 airflow_environment.PATH: found '/usr/lib/jvm/bin:/usr/bin:/bin'; expected <airflow_root>/current/bin"],
    ),
    "a variable that no process can have": (
        prod(),
        f"airflow_environment: {{LONG: {'x' * 140_000}}}",
        ["FD139 airflow_environment.LONG: found 140000 bytes"],
    ),
    "fw-sshport-alias": (
        prod(),
        "airflow_firewall: true\nansible_ssh_port: 2222",
        ["FD153 airflow_firewall_ssh_ports: found 22; expected 2222 among them"],
    ),
    "ms-badopt": (
        prod(metastore={}),
        "airflow_metastore_url: postgresql://a:hunter2@h/db?sslmod=require",
        ["FD176 airflow_metastore_url: found a URL with an option sslmod"],
    ),
    "name-dotdot": (prod(rabbitmq={"mq..x.example": at(41)}), "", ["FD118 host 'mq..x.example': found its name"]),
    "name-long": (prod(worker={LONG: at(21)}), "", [f"FD118 host '{LONG}': found its name"]),
    "pw-jinja": (prod(), "airflow_admin_password: 'abc{{hunter2}}ghijklm'", ["FD125 variable airflow_admin_password"]),
    "pw-jinja2": (prod(), "airflow_admin_password: 'abc{%hunter2klmn'", ["FD125 variable airflow_admin_password"]),
    "pw-jinja3": (
        prod(),
        "airflow_admin_password: 'abc{#hunter2#}gh9'",
        ["FD125 variable airflow_admin_password: found text with {#"],
    ),
    "pw-long": (
        prod(),
        f"airflow_admin_password: {'aB3hunter2' * 60}",
        ["FD144 airflow_admin_password: found more than 256 bytes"],
    ),
    "pw-short": (
        prod(),
        "airflow_admin_password: Ab3!",
        ["FD144 airflow_admin_password: found fewer than 12 characters"],
    ),
    "pw-u8short": (prod(), "airflow_admin_password: 'äöüßäöx'", ["FD144 airflow_admin_password: found fewer than 12"]),
    "queues-200bad": (
        prod(worker=workers(200)),
        "airflow_worker_queues: [default, 'GPU high']",
        ["FD106 airflow_worker_queues: found 'GPU high'"],
    ),
    "queues-odd": (
        prod(),
        "airflow_worker_queues: [default, a/b, ü, '', null, 5, {gpu: 2}, {name: x, concurrency: '4'}, "
        "{name: y, concurrency: -1}]",
        [
            "FD106 airflow_worker_queues: found 'a/b'",
            "FD106 airflow_worker_queues: found 'ü'",
            "FD112 airflow_worker_queues: found concurrency -1 of queue 'y'",
            "FD115 airflow_worker_queues: found ''",
            "FD115 airflow_worker_queues: found a queue without a name",
            "FD115 airflow_worker_queues: found gpu of a queue",
            "FD115 airflow_worker_queues: found no value",
        ],
    ),
    "topo-ha-dns": (
        prod(metastore=NAMED_DATABASES, etcd=NAMED_DATABASES),
        "",
        [
            f"FD150 airflow_address of host {name}: found the name {name}; expected an IP address, for etcd, Patroni"
            for name in NAMED_DATABASES
        ],
    ),
    "topo-vip-dns": (
        prod(haproxy=NAMED_BALANCERS),
        "airflow_vip: 192.0.2.100/24",
        [f"FD150 airflow_address of host {name}" for name in NAMED_BALANCERS],
    ),
    "y-vip-names": (
        prod(haproxy=NAMED_BALANCERS),
        "airflow_vip: 192.0.2.100/24\nairflow_vip_interface: eth0",
        [f"FD150 airflow_address of host {name}" for name in NAMED_BALANCERS],
    ),
    "topo-vip-netaddr": (
        prod(),
        "airflow_vip: 192.0.2.0/24",
        ["FD157 airflow_vip: found '192.0.2.0/24', the address of the network"],
    ),
    "unk-var": (
        prod(),
        "airflow_smtp_password: x\nairflow_env: prod\nairflow_flower: true\nairflow_worker_concurency: 8",
        [
            "FD120 variable airflow_env: found an unknown name; expected a documented variable. Remove it.",
            "FD120 variable airflow_flower: found an unknown name; expected a documented variable. Remove it.",
            "FD120 variable airflow_smtp_password: found an unknown name; expected a documented variable. Remove it.",
            "FD120 variable airflow_worker_concurency: found an unknown name; expected a documented variable. Did",
        ],
    ),
    "url-http-tls": (prod(), "airflow_url: http://airflow.example.org:8080", ["FD129 airflow_url: found an http URL"]),
    "a path of Airflow's own": (prod(), "airflow_url: https://example.org/api", ["FD119 variable airflow_url"]),
    "y-10w100-mc": (
        prod(worker=workers(10)),
        "airflow_worker_concurrency: 100\nairflow_postgresql_config: {max_connections: 400}",
        ["FD129 airflow_postgresql_config.max_connections: found 400; expected at least 1190"],
    ),
    "octal numbers": (
        prod(),
        "airflow_uid: 0123\nairflow_max_task_seconds: 2:00:00\nairflow_haproxy_https_port: 0x2117\n"
        "airflow_environment: {A: '0123', B: 1_000, C: 10}\nother_app: {mode: 0644}\n",
        [
            "FD121 variable airflow_environment in ",
            "FD121 variable airflow_haproxy_https_port in ",
            "FD121 variable airflow_max_task_seconds in ",
            "FD121 variable airflow_uid in ",
        ],
    ),
    "a date for text": (
        prod(),
        "airflow_cluster_name: 2024-01-01",
        ["FD121 variable airflow_cluster_name: found a date '2024-01-01';"],
    ),
    "a date for a secret": (
        prod(),
        "airflow_admin_password: 2024-01-01 10:00:00",
        ["FD121 variable airflow_admin_password: found a date"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_with_its_place(verdict, name):
    hosts, variables, expected = REFUSED[name]
    problems, displayed, _model = verdict(hosts, variables)
    assert len(problems) == len(expected), problems
    assert [problem for problem, start in zip(problems, expected, strict=True) if not problem.startswith(start)] == []
    assert "hunter2" not in displayed + "".join(problems)


def databases(model):
    return {node["metastore"]["max_connections"] for node in model["nodes"].values() if "metastore" in node}


def option(model, section, name, host="master1"):
    return model["nodes"][host]["airflow"]["config"][section][name]


# Name: what is written, a value of the model, and what it is.
ACCEPTED = {
    "addr-ipv6": (moved(), "", lambda model: (model["ipv6"], model["url"]), (True, "https://[2001:db8::10]:8443")),
    "cfg-pool": (
        prod(),
        "airflow_config: {database: {sql_alchemy_pool_size: 50, sql_alchemy_max_overflow: 100}}",
        databases,
        # (2 x (20 + 15 + 20 + 15) sessions of masters) x 150/15, and what workers and people need.
        {1600},
    ),
    "a pool of one host": (
        prod(
            scheduler={
                "master1": at(11, airflow_environment={"AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "500"}),
                "master2": at(12),
            }
        ),
        "",
        databases,
        {3200},
    ),
    "a small pool": (prod(), "airflow_config: {database: {sql_alchemy_pool_size: 1}}", databases, {400}),
    "y-10w100": (prod(worker=workers(10)), "airflow_worker_concurrency: 100", databases, {1600}),
    "y-10w-queueconc": (
        prod(worker=workers(10)),
        "airflow_worker_queues: [default, {name: io, concurrency: 400}]",
        databases,
        {6400},
    ),
    "topo-200w-conc64": (prod(worker=workers(200)), "airflow_worker_concurrency: 64", databases, {25600}),
    "bundles with the DAGs folder": (
        prod(),
        "airflow_system_packages: [git]\n"
        f"airflow_config: {{dag_processor: {{dag_bundle_config_list: [{FOLDER}, {GIT}]}}}}",
        lambda model: [bundle["name"] for bundle in option(model, "dag_processor", "dag_bundle_config_list")],
        ["dags-folder", "repo"],
    ),
    "cfg-metrics": (
        prod(),
        "airflow_config: {metrics: {statsd_on: true, statsd_host: localhost}, traces: {otel_on: true}}",
        lambda model: option(model, "metrics", "statsd_on"),
        True,
    ),
    "fmt-import-vars3": (
        prod(),
        "",
        lambda model: (model["tls"]["enabled"], model["firewall"], "pgbouncer" in model["nodes"]["lb1"]),
        (False, False, False),
        {"airflow_tls": "no", "airflow_firewall": "no", "airflow_pgbouncer": "false", "airflow_metastore_url": ""},
    ),
    "queues-envdefault": (
        prod(),
        "airflow_worker_queues: [batch]\nairflow_environment: {AIRFLOW__OPERATORS__DEFAULT_QUEUE: batch}",
        lambda model: list(model["queues"]),
        ["batch"],
    ),
    "url-443port": (
        prod(),
        "airflow_haproxy_https_port: 443\nairflow_url: https://airflow.example.org",
        lambda model: model["nodes"]["lb1"]["ports"][0]["port"],
        443,
    ),
    "url-path": (
        prod(),
        "airflow_url: https://example.org/airflow",
        lambda model: (
            option(model, "core", "execution_api_server_url", "worker1"),
            [each.get("check_path") for each in model["nodes"]["lb1"]["haproxy"]["listeners"][:2]],
            "/airflow/execution" in model["nodes"]["lb1"]["haproxy"]["listeners"][0]["deny_paths"],
        ),
        (
            "https://192.0.2.10:8082/airflow/execution/",
            [None, "/airflow/execution/health"],
            True,
        ),
    ),
    "x-path-java": (
        prod(),
        "airflow_environment: {PATH: '/opt/airflow/current/bin:/usr/lib/jvm/bin:/usr/bin:/bin'}",
        lambda model: model["version"]["major"],
        3,
    ),
    "first-become-undef": (
        {"all": {**PROD["all"], "hosts": {"a1": {"ansible_become_password": "{{ nope }}"}}}},
        "",
        lambda model: len(model["nodes"]),
        9,
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_works_has_the_right_value(verdict, name):
    hosts, variables, value, expected, *play = ACCEPTED[name]
    problems, displayed, model = verdict(hosts, variables, *play)
    assert problems == []
    assert "WARNING" not in displayed
    assert value(model) == expected


@pytest.mark.parametrize(
    ("hosts", "variables", "says"),
    [
        (
            prod(),
            "airflow_config: {kubernetes_executor: {namespace: airflow}}",
            "FD148 airflow_config.kubernetes_executor",
        ),
        (prod(haproxy=TWO_BALANCERS), "", "FD148 group airflow_haproxy: found lb2, which no host of the cluster uses"),
        (prod(grafana={"prom1": at(99)}), "", "FD148 group airflow_grafana"),
    ],
    ids=["cfg-kube", "topo-2lb-no-vip", "topo-grafana-group"],
)
def test_what_has_no_effect_is_a_warning(verdict, hosts, variables, says):
    problems, displayed, _model = verdict(hosts, variables)
    assert problems == []
    assert says in displayed


@pytest.mark.parametrize(
    ("variables", "files", "expected"),
    [
        (
            "airflow_web_certificate_file: '{{ inventory_dir }}/web.crt'",
            True,
            ["FD140 airflow_web_key_file: found nothing"],
        ),
        ("airflow_url: https://airflow.example.org\n", False, ["FD196 airflow_web_certificate_file"]),
        ("airflow_tls: false\n", False, ["FD129 airflow_web_certificate_file and airflow_web_key_file"]),
    ],
    ids=["cert-half", "cert-otherhost", "cert-valid-notls"],
)
def test_a_certificate_that_users_could_not_use_is_one_problem(verdict, tmp_path, variables, files, expected):
    now = datetime.datetime.now(datetime.UTC)
    pair = certificates.issue(certificates.make_ca("x", now), "other", ["other.example.net"], now, days=1)
    for name, content in (("crt", pair["certificate"]), ("key", pair["key"])):
        (tmp_path / f"web.{name}").write_text(content)
    both = "".join(
        f"airflow_web_{name}_file: '{{{{ inventory_dir }}}}/web.{end}'\n"
        for name, end in (("certificate", "crt"), ("key", "key"))
    )
    problems, _displayed, _model = verdict(prod(), variables if files else variables + both)
    assert [problem[: len(start)] for problem, start in zip(problems, expected, strict=True)] == expected


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("group_vars/airflow_wroker.yml", "airflow_worker"),
        ("group_vars/airflow-worker/main.yml", "airflow_worker"),
        ("group_vars/ALL.yml", "all"),
        # These may be for a group or host of another inventory, or for another program.
        ("group_vars/staging.yml", ""),
        ("host_vars/worker9.yml", ""),
    ],
)
def test_variables_in_a_file_that_is_almost_named_as_a_group_are_a_warning(verdict, tmp_path, path, says):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("airflow_worker_concurrency: 3\n")
    problems, displayed, _model = verdict(prod())
    assert problems == []
    assert ("FD148" in displayed) == bool(says)
    assert not says or f"expected {tmp_path}/group_vars/{says}." in displayed
