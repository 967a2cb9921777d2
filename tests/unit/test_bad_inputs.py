"""Bad input ends the run before any host is reached: one message, with its code, and nothing secret in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


@pytest.fixture
def inventory(tmp_path):
    """A copy of the production example whose hosts answer at no address."""
    target = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories/prod", target)
    return target


def change(inventory, **variables):
    (inventory / "group_vars/all/test.yml").write_text(yaml.safe_dump(variables, allow_unicode=True))


def run(inventory, *arguments, playbook="site.yml"):
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_SSH_ARGS": "-o ConnectTimeout=1",
    }
    command = [PLAYBOOK, "-i", str(inventory), str(ROOT / playbook), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def refused(inventory, code):
    returncode, output = run(inventory)
    assert returncode != 0
    assert code in output
    assert "nothing was changed on any host" in output
    # No task ran on a host: facts would be the first.
    assert "Look at the hosts" not in output
    return output


def without(inventory, group, host=None):
    path = inventory / "hosts.yml"
    content = yaml.safe_load(path.read_text())
    hosts = content["all"]["children"][group]["hosts"]
    for name in [host] if host else list(hosts):
        hosts = {key: value for key, value in hosts.items() if key != name}
    content["all"]["children"][group]["hosts"] = hosts
    path.write_text(yaml.safe_dump(content))


def test_an_empty_group(inventory):
    without(inventory, "airflow_scheduler")
    assert "group airflow_scheduler" in refused(inventory, "FD101")


def test_an_even_number_of_brokers(inventory):
    without(inventory, "airflow_rabbitmq", "mq3")
    assert "expected 1, 3 or 5" in refused(inventory, "FD102")


@pytest.mark.parametrize(
    ("variables", "code", "says"),
    [
        ({"airflow_version": "2.6.3"}, "FD104", "2.11.2 or 3.3.2"),
        ({"airflow_worker_queues": []}, "FD105", "airflow_worker_queues"),
        ({"airflow_dags_dir": "/nowhere/to/be/found"}, "FD111", "/nowhere/to/be/found"),
        ({"airflow_worker_concurency": 4}, "FD120", "airflow_worker_concurrency"),
        ({"airflow_worker_concurrency": "many"}, "FD121", "airflow_worker_concurrency"),
        ({"airflow_config": "core"}, "FD121", "airflow_config"),
        ({"airflow_action": "restart"}, "FD121", "deploy"),
        ({"airflow_haproxy_web_port": 80}, "FD109", "1024 to 65535"),
    ],
)
def test_a_bad_variable(inventory, variables, code, says):
    change(inventory, **variables)
    assert says in refused(inventory, code)


def test_a_cluster_wide_variable_for_one_group_only(inventory):
    (inventory / "group_vars/airflow_worker.yml").write_text("---\nairflow_version: 2.11.2\n")
    assert "variable airflow_version" in refused(inventory, "FD122")


def test_a_variable_of_a_host_may_differ(inventory):
    (inventory / "group_vars/airflow_worker.yml").write_text("---\nairflow_worker_concurrency: 3\n")
    _code, output = run(inventory, "--limit", "db1", "--tags", "none")
    assert "FD1" not in output


def test_all_problems_are_told_at_once(inventory):
    without(inventory, "airflow_scheduler")
    without(inventory, "airflow_rabbitmq", "mq3")
    output = refused(inventory, "FD101")
    assert "FD102" in output
    assert "problems found" in output


def test_a_bad_secret_is_not_shown(inventory):
    change(inventory, airflow_admin_password=["hunter2hunter2"])
    output = refused(inventory, "FD121")
    assert "airflow_admin_password" in output
    assert "hunter2" not in output


def test_an_unreachable_host_ends_the_run_before_any_change(inventory):
    (inventory / "group_vars/all/ansible.yml").write_text("---\nansible_port: 1\nansible_ssh_common_args: -o ConnectTimeout=1\n")
    path = inventory / "hosts.yml"
    path.write_text(path.read_text().replace("ansible_host: 192.0.2.", "ansible_host: 127.0.0."))
    returncode, output = run(inventory)
    assert returncode != 0
    assert "UNREACHABLE" in output
    assert "db1" in output
    assert output.rindex("TASK [") == output.index("TASK [Gather the facts that roles use]")


def test_secrets_are_made_once_and_kept(inventory):
    change(inventory, airflow_admin_password="given: by/the user")
    path = inventory / "group_vars/all/airflow_secrets.yml"
    limit = ("--limit", "nobody,db1", "--tags", "none")
    run(inventory, *limit, "-vvv")
    first = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "airflow_secrets.yml" in (path.parent / ".gitignore").read_text()
    assert "airflow_admin_password" not in first
    _code, output = run(inventory, *limit, "-vvv")
    assert path.read_text() == first
    values = [value for value in yaml.safe_load(first).values() if len(value) > 8]
    assert values
    assert not [value for value in [*values, "given: by/the user"] if value in output]


def test_secrets_are_encrypted_when_there_is_a_vault_password(inventory, tmp_path):
    password = tmp_path / "vault"
    password.write_text("vault password")
    arguments = ("--limit", "db1", "--tags", "none", "--vault-password-file", str(password))
    run(inventory, *arguments)
    paths = [inventory / "group_vars/all/airflow_secrets.yml", inventory / ".airflow_certificates.yml"]
    first = [path.read_text() for path in paths]
    assert [text.startswith("$ANSIBLE_VAULT;") for text in first] == [True, True]
    run(inventory, *arguments)
    assert [path.read_text() for path in paths] == first


def test_check_mode_stores_no_secret(inventory):
    run(inventory, "--limit", "db1", "--tags", "none", "--check")
    assert not (inventory / "group_vars/all/airflow_secrets.yml").exists()
    assert not (inventory / ".airflow_certificates.yml").exists()


def test_certificates_are_made_once_and_kept_from_others(inventory):
    arguments = ("--limit", "db1", "--tags", "none", "-vvv")
    run(inventory, *arguments)
    path = inventory / ".airflow_certificates.yml"
    first = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert ".airflow_certificates.yml" in (inventory / ".gitignore").read_text().splitlines()
    _code, output = run(inventory, *arguments)
    assert path.read_text() == first
    kept = yaml.safe_load(first)
    assert sorted(kept["hosts"]) == ["db1", "lb1", "master1", "master2", "mq1", "mq2", "mq3"]
    assert (inventory / ".airflow_authority.crt").read_text() == kept["authority"]["certificate"]
    keys = [kept["authority"]["key"], *(pair["key"] for pair in kept["hosts"].values())]
    assert not [key for key in keys if key.splitlines()[1] in output]
