"""Inventories as people write them: no setting is lost, none is taken from the wrong place, and no file of another
cluster is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENT
from test_bad_inputs import MODEL, ROOT

VALIDATE = "playbooks/validate.yml"
COMPONENTS = [name for name, each in COMPONENT.items() if not each.optional and name != "worker"]
PASSWORD = "correct horse 9 battery staple"
FERNET = "cG0kAOZlUmBbEXVwQxE-6hs3DeIHWI0wYtxcV5Qh2r8="


def hosts(network="192.0.2", workers=("w1",), **worker):
    """A small cluster in the form of an inventory."""
    groups = {f"airflow_{name}": {"hosts": {"m1": {"ansible_host": f"{network}.11"}}} for name in COMPONENTS}
    groups |= {
        f"airflow_{name}": {"hosts": {"b1": {"ansible_host": f"{network}.31"}}}
        for name in ("haproxy", "metastore", "rabbitmq")
    }
    addresses = {name: {"ansible_host": f"{network}.{100 + number}"} for number, name in enumerate(workers)}
    groups["airflow_worker"] = {"hosts": {name: {**address, **worker} for name, address in addresses.items()}}
    return {"all": {"children": groups}}


class Controller:
    """A directory on the controller, and runs of Ansible in it."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, **files):
        """Files by path, with ``__`` for a slash and an extension for the dot after the last ``_``."""
        for name, content in files.items():
            path = self.path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))

    def path(self, name):
        stem, _, extension = name.replace("__", "/").rpartition("_")
        return self.folder / f"{stem}.{extension}"

    def run(self, playbook, *sources, options=(), **environment):
        """Return code and output of a playbook of the collection, or of one in the directory."""
        listed = [argument for source in sources for argument in ("-i", str(self.folder / source))]
        path = self.folder / playbook if (self.folder / playbook).exists() else ROOT / playbook
        command = [Path(sys.executable).parent / "ansible-playbook", *listed, str(path), *options]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **environment}
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=600, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def accepted(self, *arguments, **named):
        returncode, output = self.run(*arguments, **named)
        assert returncode == 0, output
        return output

    def refused(self, *arguments, **named):
        """The problems of a run that is refused, a line each."""
        returncode, output = self.run(*arguments, **named)
        assert returncode != 0, output
        return re.findall(r"^  (FD.*)", output, re.MULTILINE)

    def secrets(self, name=".airflow_secrets.yml"):
        return yaml.safe_load((self.folder / name).read_text())


@pytest.fixture
def controller(tmp_path):
    return Controller(tmp_path)


def test_the_inventory_of_the_reference_cluster_is_accepted(controller):
    """As it stands in the repository, with the files that it names."""
    controller.accepted(VALIDATE, ROOT / "inventories/lab")


@pytest.mark.parametrize("name", ["group_vars__all_yml", "group_vars__all_yaml"])
def test_variables_of_all_hosts_in_one_file_are_read_in_every_run(controller, name):
    controller.write(
        hosts_yml=hosts(),
        **{name: {"airflow_cluster_name": "prodall", "airflow_tls": False, "airflow_version": "2.11.2"}},
    )
    for _run in range(2):
        controller.accepted(MODEL, "hosts.yml")
    assert "Cluster prodall is valid: 3 hosts, Airflow 2.11.2." in controller.accepted(VALIDATE, "hosts.yml")
    assert [path.name for path in (controller.folder / "group_vars").iterdir()] == [controller.path(name).name]
    assert controller.secrets()["__airflow_cluster"]["name"] == "prodall"


def test_variables_of_all_hosts_may_be_in_a_file_without_extension(controller):
    controller.write(hosts_yml=hosts())
    (controller.folder / "group_vars").mkdir()
    (controller.folder / "group_vars/all").write_text("airflow_cluster_name: plainall\n")
    controller.accepted(MODEL, "hosts.yml")
    assert controller.secrets()["__airflow_cluster"]["name"] == "plainall"


def test_a_file_that_ansible_ignores_is_refused(controller):
    controller.write(
        hosts_yml=hosts(),
        group_vars__all_yml={"airflow_tls": False},
        group_vars__all__main_yml={"other": 1},
    )
    (line,) = controller.refused(VALIDATE, "hosts.yml")
    assert line.startswith("FD192")
    assert "group_vars/all.yml" in line


def test_secrets_of_earlier_versions_move_and_what_their_directory_hid_is_read_in_the_next_run(controller):
    controller.write(hosts_yml=hosts(), group_vars__all_yml={"airflow_cluster_name": "prodall"})
    controller.accepted(MODEL, "hosts.yml")
    made = controller.secrets()
    old = controller.folder / "group_vars/all/airflow_secrets.yml"
    old.parent.mkdir()
    (controller.folder / ".airflow_secrets.yml").rename(old)
    old.write_text(
        "# Secrets of the cluster\n" + yaml.safe_dump({name: value for name, value in made.items() if name[0] != "_"})
    )
    before = old.read_text()
    for playbook, options in ((VALIDATE, ()), (MODEL, ("--check",))):
        (line,) = controller.refused(playbook, "hosts.yml", options=options)
        assert line.startswith("FD192")
        assert old.read_text() == before
    assert [line[:5] for line in controller.refused(MODEL, "hosts.yml")] == ["FD192"]
    assert not old.parent.exists()
    controller.accepted(MODEL, "hosts.yml")
    assert controller.secrets() == made


def test_secrets_of_earlier_versions_move_from_beside_variables_of_the_user(controller):
    controller.write(hosts_yml=hosts(), group_vars__all__main_yml={"airflow_cluster_name": "prodall"})
    old = controller.folder / "group_vars/all/airflow_secrets.yml"
    old.write_text(f"airflow_digest_key: {PASSWORD}\nairflow_fernet_key: {FERNET}\n")
    controller.accepted(VALIDATE, "hosts.yml")
    controller.accepted(MODEL, "hosts.yml", options=("--check",))
    assert old.exists()
    assert f"Moved the secrets of the cluster from {old} to" in controller.accepted(MODEL, "hosts.yml")
    assert [path.name for path in old.parent.iterdir()] == ["main.yml"]
    assert controller.secrets()["airflow_fernet_key"] == FERNET
    old.write_text(f"airflow_digest_key: another {PASSWORD}\n")
    (line,) = controller.refused(MODEL, "hosts.yml")
    assert line.startswith("FD191")


def test_everything_is_read_from_the_clusters_own_hosts(controller):
    """The first host of all is none of the cluster; its login is undefined, and it has other variables."""
    inventory = hosts()
    bastion = {
        "ansible_become": True,
        "ansible_host": "{{ none }}",
        "ansible_port": "{{ none }}",
        "ansible_become_password": "{{ none }}",
    }
    site = {
        "airflow_cluster_name": "prod",
        "airflow_admin_password": PASSWORD,
        "airflow_fernet_key": FERNET,
        "airflow_tls": True,
    }
    site |= {
        "airflow_secrets_file": "{{ inventory_dir }}/mine.yml",
        "airflow_certificates_file": "{{ inventory_dir }}/certificates.yml",
    }
    controller.write(
        hosts_yml={
            "all": {"hosts": {"bastion": {**bastion, "airflow_tls": False}}, "children": {"site": inventory["all"]}}
        },
        group_vars__site__main_yml=site,
        show_yml=[
            {"ansible.builtin.import_playbook": str(ROOT / MODEL)},
            {
                "hosts": "m1",
                "gather_facts": False,
                "tasks": [
                    {
                        "ansible.builtin.debug": {
                            "msg": "{{ airflow_secrets.admin_password }} {{ airflow_secrets.fernet_key }}"
                        }
                    }
                ],
            },
        ],
    )
    assert "Cluster prod is valid: 3 hosts" in controller.accepted(VALIDATE, "hosts.yml")
    output = controller.accepted("show.yml", "hosts.yml", ANSIBLE_DISPLAY_OK_HOSTS="1")
    assert f"{PASSWORD} {FERNET}" in output
    assert not {"airflow_admin_password", "airflow_fernet_key"} & controller.secrets("mine.yml").keys()
    assert controller.secrets("certificates.yml")["cluster"]["name"] == "prod"
    assert not (controller.folder / ".airflow_certificates.yml").exists()


def test_two_inventories_in_one_directory_do_not_share_files(controller):
    controller.write(prod_yml=hosts("10.1.0"), staging_yml=hosts("10.2.0"))
    controller.accepted(MODEL, "prod.yml")
    before = {path: path.read_bytes() for path in controller.folder.glob(".airflow*")}
    for playbook in (VALIDATE, MODEL):
        assert [line[:5] for line in controller.refused(playbook, "staging.yml")] == ["FD190", "FD190"]
    assert {path: path.read_bytes() for path in controller.folder.glob(".airflow*")} == before
    for sources in (("prod.yml", "staging.yml"), (".",)):
        assert [line[:5] for line in controller.refused(VALIDATE, *sources)] == ["FD128"]


def test_a_worker_that_comes_or_goes_changes_no_file_of_the_cluster(controller):
    controller.write(prod_yml=hosts())
    controller.accepted(MODEL, "prod.yml")
    before = {path: path.read_bytes() for path in controller.folder.glob(".airflow*")}
    assert len(before) == 3
    controller.write(prod_yml=hosts(workers=("w2", "w3")))
    controller.accepted(MODEL, "prod.yml")
    assert {path: path.read_bytes() for path in controller.folder.glob(".airflow*")} == before


def test_a_common_inventory_with_two_clusters_does_not_share_files(controller):
    """The hosts of both are in one file, and the groups of each cluster in a file of its own."""
    addresses = {f"s{site}h{number}": {"ansible_host": f"10.{site}.0.{number}"} for site in (1, 2) for number in (1, 2)}
    controller.write(common__hosts_yml={"all": {"hosts": addresses}})
    for site in (1, 2):
        groups = {
            f"airflow_{name}": {"hosts": {f"s{site}h1": None}}
            for name in (*COMPONENTS, "haproxy", "metastore", "rabbitmq")
        }
        groups["airflow_worker"] = {"hosts": {f"s{site}h2": None}}
        controller.write(**{f"site{site}__groups_yml": {"all": {"children": groups}}})
    for playbook in (MODEL, VALIDATE):
        controller.accepted(playbook, "common", "site1")
    assert {line[:5] for line in controller.refused(VALIDATE, "common", "site2")} == {"FD190"}


def test_hosts_of_two_clusters_are_refused_with_one_code(controller):
    controller.write(prod__hosts_yml=hosts("10.1.0"), staging__hosts_yml=hosts("10.2.0", workers=("w8", "w9")))
    assert [line[:5] for line in controller.refused(VALIDATE, "prod", "staging")] == ["FD128"]
    controller.write(host_vars__w1_yml={"airflow_cluster_name": "other"}, one_yml=hosts())
    assert [line[:5] for line in controller.refused(VALIDATE, "one.yml")] == ["FD128"]


def test_variables_of_an_imported_playbook_are_checked_and_converted(controller):
    shown = "tls {{ airflow_cluster.tls.enabled }}, firewall {{ airflow_cluster.firewall }}"
    play = {"hosts": "m1", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": shown}}]}

    def imported(**variables):
        controller.write(site_yml=[{"ansible.builtin.import_playbook": str(ROOT / MODEL), "vars": variables}, play])

    controller.write(hosts_yml=hosts(), group_vars__all_yml={"airflow_tls": True})
    imported(airflow_tls="no", airflow_firewall="no")
    assert "tls False, firewall False" in controller.accepted("site.yml", "hosts.yml", ANSIBLE_DISPLAY_OK_HOSTS="1")
    imported(
        airflow_worker_queus=["x"],
        airflow_fernet_key="bad",
        airflow_admin_password="x",
        airflow_config={"core": {"paralelism": 4}},
    )
    assert [line[:5] for line in controller.refused("site.yml", "hosts.yml")] == ["FD120", "FD131", "FD141", "FD144"]


def test_variables_beside_the_users_own_playbook_are_a_warning(controller):
    controller.write(
        site_yml=[{"ansible.builtin.import_playbook": str(ROOT / VALIDATE)}],
        group_vars__all__airflow_yml={"airflow_cluster_name": "beside"},
        inv__hosts_yml=hosts(),
    )
    output = controller.accepted("site.yml", "inv")
    assert re.search(r"WARNING\]: FD193 .*airflow_cluster_name in .*group_vars/all", output)
    # With the inventory in the same directory, Ansible reads them.
    controller.write(hosts_yml=hosts())
    output = controller.accepted("site.yml", "hosts.yml")
    assert "Cluster beside is valid" in output
    assert "FD193" not in output


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"ansible_host": "{{ nowhere }}"},
            "FD125 variable ansible_host of hosts w1, w2: found a template or vault that fails ('nowhere'",
        ),
        ({"ansible_port": "{{ nowhere }}"}, "FD125 variable ansible_port of hosts w1, w2"),
        ({"ansible_become_password": "{{ nowhere }}"}, "FD125 variable ansible_become_password of hosts w1, w2"),
        (
            {"ansible_host": None, "airflow_address": "192.0.2.9"},
            "FD121 variable ansible_host of hosts w1, w2: found no value",
        ),
        ({"ansible_port": "ssh"}, "FD121 variable ansible_port of hosts w1, w2: found 'ssh'"),
    ],
)
def test_what_is_wrong_with_a_connection_is_one_problem_with_hosts_and_variable(controller, variables, says):
    inventory = hosts(workers=("w1", "w2"), **variables)
    if "airflow_address" in variables:
        inventory["all"]["children"]["airflow_worker"]["hosts"]["w2"]["airflow_address"] = "192.0.2.10"
    controller.write(hosts_yml=inventory)
    (line,) = controller.refused(VALIDATE, "hosts.yml")
    assert line.startswith(says)


def test_other_names_of_connection_variables_are_read(controller):
    controller.write(hosts_yml=hosts(), group_vars__all_yml={"airflow_firewall": True, "ansible_ssh_port": 2222})
    (line,) = controller.refused(VALIDATE, "hosts.yml")
    assert line.startswith("FD153")
    inventory = hosts()
    inventory["all"]["children"]["airflow_worker"]["hosts"]["w1"] = {"ansible_ssh_host": "192.0.2.11"}
    controller.write(hosts_yml=inventory, group_vars__all_yml={})
    (line,) = controller.refused(VALIDATE, "hosts.yml")
    assert line.startswith("FD108")


def test_one_mistake_on_200_hosts_is_one_line_whatever_the_strategy(controller):
    workers = [f"w{number}" for number in range(200)]
    inventory = hosts()
    inventory["all"]["children"]["airflow_worker"]["hosts"] = {
        name: {"ansible_host": f"10.9.0.{name[1:]}"} for name in workers
    }
    controller.write(hosts_yml=inventory, group_vars__all_yml={"airflow_worker_queues": ["default", "GPU high"]})
    returncode, output = controller.run(VALIDATE, "hosts.yml", ANSIBLE_STRATEGY="free")
    assert returncode != 0
    assert output.count("  FD106") == 1
    assert "The inventory, not this host: 1 problem" in output


@pytest.mark.parametrize("playbook", [VALIDATE, MODEL])
def test_a_place_that_cannot_be_written_is_found_before(controller, playbook):
    (controller.folder / "file").touch()
    place = str(controller.folder / "file" / "x.yml")
    controller.write(
        hosts_yml=hosts(), group_vars__all_yml={"airflow_secrets_file": place, "airflow_certificates_file": place + "2"}
    )
    assert [line[:30] for line in controller.refused(playbook, "hosts.yml")] == [
        "FD194 airflow_certificates_fil",
        "FD194 airflow_secrets_file: fo",
    ]


def test_a_secrets_file_among_variables_is_refused(controller):
    place = "{{ inventory_dir }}/group_vars/all/airflow_secrets.yml"
    controller.write(hosts_yml=hosts(), group_vars__all_yml={"airflow_secrets_file": place})
    (line,) = controller.refused(VALIDATE, "hosts.yml")
    assert line.startswith("FD194 airflow_secrets_file")


def test_what_cannot_be_decrypted_is_a_problem_where_it_is_used(controller):
    value = "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"
    names = ("airflow_admin_password", "airflow_url", "secret_of_something_else")
    controller.write(hosts_yml=hosts(), group_vars__all_yml="".join(f"{name}: {value}" for name in names))
    assert [line[:43] for line in controller.refused(VALIDATE, "hosts.yml")] == [
        "FD125 variable airflow_admin_password: foun",
        "FD125 variable airflow_url: found a templat",
    ]


def test_encrypted_secrets_need_their_password_and_keep_their_identity(controller):
    for name in ("dev", "prod"):
        (controller.folder / name).write_text(name)
    both = [argument for name in ("dev", "prod") for argument in ("--vault-id", f"{name}@{controller.folder / name}")]
    controller.write(hosts_yml=hosts())
    controller.accepted(MODEL, "hosts.yml", options=both, ANSIBLE_VAULT_ENCRYPT_IDENTITY="prod")
    written = [controller.folder / name for name in (".airflow_secrets.yml", ".airflow_certificates.yml")]
    assert {path.read_text().splitlines()[0] for path in written} == {"$ANSIBLE_VAULT;1.2;AES256;prod"}
    before = [path.read_bytes() for path in written]
    controller.accepted(MODEL, "hosts.yml", options=both)
    assert [path.read_bytes() for path in written] == before
    # Another host is another record, which the identity of the file encrypts.
    controller.write(hosts_yml=hosts(workers=("w1", "w2")))
    controller.accepted(MODEL, "hosts.yml", options=both)
    assert {path.read_text().splitlines()[0] for path in written} == {"$ANSIBLE_VAULT;1.2;AES256;prod"}
    for options in ((), both[:2]):
        (line,) = controller.refused(VALIDATE, "hosts.yml", options=options)
        assert line.startswith("FD125 airflow_secrets_file")
