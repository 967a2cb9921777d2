"""Every code of a problem is in the enumeration, in the docs, and comes out of a check that a test runs."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.flightdeck.airflow.plugins.module_utils import _login, _metastore_server
from ansible_collections.flightdeck.airflow.plugins.modules.metadata_db import State
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import SCHEDULER_LEASE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import (
    certificates,
    migration,
    secrets_file,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster as cluster_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    backups,
    broker,
    bundles,
    controller,
    drain,
    identity,
    inventory,
    login,
    modes,
    monitoring,
    preflight,
    remote_logs,
    rotation,
    secrets,
    types,
    updates,
    values,
    vars_files,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import sources as sources_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code, Stage
from cryptography.fernet import Fernet
from test_backups import BACKUP, answer
from test_bad_inputs import GROUPED
from test_broker import REDIS, with_redis
from test_cluster import defaults, host, reference
from test_kerberos import checked as kerberos_problems
from test_preflight import NONE, OWN, PLENTY, cluster, looked, taken
from test_survey import ALL, MODEL, found
from test_updates import found as found_updates

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"\bFD\d{3}\b")


def sources(*patterns):
    return {path: path.read_text() for pattern in patterns for path in sorted(ROOT.glob(pattern)) if path.is_file()}


def everywhere(**changes):
    """What is found of every directory of a host that has nothing wrong but ``changes``."""
    return {path: {**PLENTY, **changes} for path in looked(cluster(), "node1")["preflight"]["disks"]}


def test_the_page_of_the_codes_is_the_enumeration():
    command = [
        sys.executable,
        "-c",
        "import runpy; print(runpy.run_path('.config/render_codes.py')['render'](), end='')",
    ]
    rendered = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert (ROOT / "docs/codes.md").read_text() == rendered, "run make docs"


def test_codes_are_sorted_and_fit_into_a_row():
    assert list(Code) == sorted(Code)
    for code in Code:
        assert CODE.fullmatch(code.name)
        assert code == code.name
        assert code.stages
        assert not [
            text for text in (code.summary, code.remedy) if not text or text[-1] in ". " or re.search(r"[|\n]|  ", text)
        ]


def test_what_roles_playbooks_and_modules_report_is_in_the_enumeration():
    """They write codes as text: YAML and what runs on hosts cannot import the enumeration."""
    written = sources(
        "playbooks/**/*.yml", "roles/*/tasks/*.yml", "plugins/modules/*.py", "plugins/module_utils/**/*.py"
    )
    in_text = {code for text in written.values() for code in CODE.findall(text)}
    assert in_text == {code for code in Code if Stage.RUN in code.stages}


def test_all_others_are_written_as_members():
    checks = sources("plugins/action/*.py", "plugins/plugin_utils/**/*.py", "plugins/filter/*.py")
    del checks[ROOT / "plugins/plugin_utils/_validation/codes.py"]
    text = "\n".join(checks.values())
    assert not re.findall(r"(?<!Code\.)\bFD\d{3}\b", text)
    assert set(CODE.findall(text)) == {code for code in Code if set(code.stages) - {Stage.RUN}}


def test_other_pages_and_tests_name_codes_that_exist():
    named = {
        code
        for text in sources("docs/*.md", "roles/*/README.md", "molecule/**/*.py").values()
        for code in CODE.findall(text)
    }
    assert named <= set(Code)


def unreadable_certificate(folder):
    (folder / "web").write_text("no certificate")
    return controller.check_web_certificate(
        str(folder / "web"), str(folder / "web"), "", datetime.datetime.now(datetime.UTC)
    )


def certificate_of_another(folder):
    now = datetime.datetime.now(datetime.UTC)
    pair = certificates.issue(certificates.make_ca("x", now), "lb1", ["lb1"], now, days=1)
    for name, content in (("crt", pair["certificate"]), ("key", pair["key"])):
        (folder / name).write_text(content)
    return controller.check_web_certificate(str(folder / "crt"), str(folder / "key"), "airflow.example.org", now)


def defect(_folder):
    @guarded
    def run(_action):
        return {}["nothing"]

    with pytest.raises(AnsibleActionFail) as caught:
        run(None)
    return [str(caught.value)]


BUNDLE = {"name": "a", "kind": "git", "url": "/srv/dags.git"}
PROD = Identity(name="prod", hosts={"db1": "192.0.2.31"})


def hidden_variables(folder):
    (folder / "group_vars/all").mkdir(parents=True)
    (folder / "group_vars/all.yml").write_text("airflow_tls: false\n")
    return vars_files.check_ignored([folder], ["all"], [], Path.read_text)


def variables_beside_a_playbook(folder):
    (folder / "group_vars").mkdir()
    (folder / "group_vars/all.yml").write_text("airflow_tls: false\n")
    return [vars_files.beside_playbooks([folder / "site.yml"], [folder / "inventory"], Path.read_text)]


def warnings(model, **changes):
    return preflight.check({name: looked(model, name, **changes) for name in model.nodes}, model, OWN)[1]


def problems(model, limit="", **changes):
    return preflight.check({name: looked(model, name, **changes) for name in model.nodes}, model, OWN, limit)[0]


def rotate(names, given=None, limit="", external=()):
    return rotation.check(names, {"admin_password": "a", "metastore_password": "b"}, given or {}, limit, external)


NOTHING = {"installed": [], "current": ""}
NEWER = {"installed": ["3.10.0-0-py3.11"], "current": "3.10.0-0-py3.11"}
OLDER = {"installed": ["3.2.2-0-py3.11"], "current": "3.2.2-0-py3.11"}
OTHER_RELEASE = {"system": {"distribution_major_version": "13"}}
TWO_RELEASES = {name: looked(MODEL, name, **(OTHER_RELEASE if name == "db1" else {})) for name in MODEL.nodes}
SHIFTED = {name: looked(MODEL, name, clock=[9.0, 9.1] if name == "db1" else [0.0, 0.1]) for name in MODEL.nodes}
ONE_MACHINE = {name: looked(MODEL, name, identity="same") for name in MODEL.nodes}
GONE = {name: {"preflight": {"unreachable": True, "error": "timed out"}} for name in MODEL.nodes}
OLD = cluster(airflow_version="2.11.2")

# What makes a check report a code, at each stage at which it can. Codes of GROUPED come out of whole runs of
# validate.yml.
TRIGGERS = {
    Stage.INVENTORY: {
        Code.FD376: lambda _: monitoring.check([], defaults(airflow_journals=True)),
        Code.FD377: lambda _: monitoring.check([], defaults(airflow_log_format="json", airflow_version="2.11.2")),
        Code.FD378: lambda _: monitoring.check([], defaults(airflow_alert_email_user="a")),
        Code.FD380: lambda _: monitoring.check([host(name, 150, "monitoring") for name in "ab"], defaults()),
        Code.FD381: lambda _: monitoring.check([], defaults(airflow_alert_email_to=["a@example.org"])),
        Code.FD359: lambda _: backups.check_bucket(defaults(airflow_backup_s3_bucket="logs")),
        Code.FD369: lambda _: backups.check_dumps(
            [host("backup1", 151, "backup")],
            defaults(airflow_metastore_url="postgresql://a@db/a", airflow_backup_keep_diff=1),
        ),
        Code.FD330: lambda _: backups.check([host("db1", 131, "metastore", "backup")]),
        Code.FD105: lambda _: inventory.check([*reference(), host("w", 99, "worker", queues=())], defaults()),
        Code.FD122: lambda _: types.check_same({"a": {"airflow_version": "1"}, "b": {}}),
        Code.FD124: lambda _: controller.check_ansible("2.9.27", ">=2.19.0"),
        Code.FD128: lambda _: inventory.check_sources({"a": "prod", "b": "staging"}),
        Code.FD140: unreadable_certificate,
        Code.FD277: lambda _: bundles.check_entries(replace(defaults(), dag_bundles=({"name": "a", "kind": "git"},))),
        Code.FD278: lambda _: bundles.check_entries(replace(defaults(airflow_version="2.11.2"), dag_bundles=(BUNDLE,))),
        Code.FD318: lambda _: login.check(defaults(airflow_auth_manager="simple")),
        Code.FD319: lambda _: login.check(defaults(airflow_auth_manager="fob")),
        Code.FD291: lambda _: remote_logs.check("ftp://logs", {"login": "a"}, {}),
        Code.FD292: lambda _: remote_logs.check("s3://logs", {}, {}),
        Code.FD293: lambda _: remote_logs.check("s3://logs", {"user": "a"}, {}),
        Code.FD294: lambda _: remote_logs.check("s3://logs", {"login": "a"}, {"logging": {"remote_logging": True}}),
        Code.FD295: lambda _: values.check_values({"airflow_environment": {"TZ": "Europe/Nowhere"}}, "3.3.2"),
        Code.FD149: lambda _: [secrets.plain_warning({"hosts.yml": ["airflow_admin_password"]})],
        Code.FD374: lambda _: secrets.check_secrets({"fernet_key": "ENC[AES256_GCM,data:a,type:str]"}, {}),
        Code.FD150: lambda _: inventory.check(
            [replace(reference()[0], address="lb1.example.org"), *reference()[1:]], defaults(airflow_firewall=True)
        ),
        Code.FD155: lambda _: inventory.check(
            [*reference(), host("db2", 132, "metastore"), host("db3", 133, "metastore")], defaults()
        ),
        Code.FD169: lambda _: inventory.check(reference(), defaults(airflow_metastore_engine="mariadb")),
        Code.FD199: defect,
        Code.FD310: lambda _: inventory.check(reference(), defaults(airflow_login="ldap")),
        Code.FD311: lambda _: inventory.check(reference(), defaults(airflow_login_default_role="")),
        Code.FD312: lambda _: inventory.check(reference(), defaults(airflow_ldap_uri="ldaps://a")),
        Code.FD313: lambda _: inventory.check(reference(), defaults(airflow_login_default_role="admin")),
        Code.FD314: lambda folder: login.check_file(str(folder / "nothing"), str),
        Code.FD195: lambda _: inventory.check(
            [replace(reference()[0], address="2001:db8::10"), *reference()[1:]], defaults()
        ),
        Code.FD196: certificate_of_another,
        Code.FD180: lambda _: modes.check([], defaults(airflow_scheduler_mode="singleton")),
        Code.FD190: lambda folder: identity.check(
            "airflow_secrets_file", folder / "x", "key", PROD, replace(PROD, name="staging")
        ),
        Code.FD191: lambda folder: migration.check(
            [migration.Old(folder, secrets_file.Content({"fernet_key": "a"}))],
            secrets_file.Content({"fernet_key": "b"}),
            folder / "x",
        ),
        Code.FD280: lambda _: inventory.check(reference(), defaults(airflow_version="3.3.1")),
        Code.FD281: lambda folder: sources_validation.read_wheels(str(folder / "nothing"), "3.3.2")[1],
        Code.FD282: lambda folder: sources_validation.read_wheels(str(folder), "3.3.2")[1],
        Code.FD283: lambda _: sources_validation.check(
            sources_validation.Sources(lock_file="/a", constraints="https://a.example.org"), "3.3.2"
        ),
        Code.FD192: hidden_variables,
        Code.FD193: variables_beside_a_playbook,
        Code.FD194: lambda _: controller.check_file("airflow_secrets_file", Path("/dev/null/x"), due=True),
        Code.FD300: lambda _: kerberos_problems(airflow_kerberos_principal=""),
        Code.FD301: lambda _: kerberos_problems(airflow_kerberos_keytab_file=""),
        Code.FD302: lambda _: kerberos_problems(airflow_kerberos_keytab_file="/x"),
        Code.FD303: lambda _: kerberos_problems(airflow_kerberos_principal="other"),
        Code.FD304: lambda _: kerberos_problems(airflow_kerberos_config_file="/conf"),
        Code.FD340: lambda _: inventory.check(
            reference(), defaults(airflow_version="2.11.2", airflow_db_clean=True, airflow_db_clean_days=90)
        ),
        Code.FD341: lambda _: inventory.check(
            reference(), defaults(airflow_db_clean=True, airflow_db_clean_days=1, airflow_max_task_seconds=86400)
        ),
        Code.FD342: lambda _: inventory.check(reference(), defaults(airflow_db_clean_tables=["a b"])),
        Code.FD325: lambda _: drain.check_removal(["db9"], ["db1"]),
    },
    Stage.ROTATION: {
        Code.FD160: lambda _: rotate(["fernet"]),
        Code.FD161: lambda _: rotate(["admin_password"], {"admin_password": "mine"}),
        Code.FD162: lambda _: rotate([], limit="w1"),
        Code.FD172: lambda _: broker.check_rotation(
            ["broker_password"], cluster_model.build(with_redis(), defaults(**REDIS)).broker
        ),
        Code.FD179: lambda _: rotate(["metastore_password"], external=["metastore_password"]),
    },
    Stage.PREFLIGHT: {
        Code.FD182: lambda _: problems(
            cluster(), limit="node1", facts={"flightdeck_files": [SCHEDULER_LEASE.wrapper.program]}
        ),
        Code.FD201: lambda _: problems(cluster(), system={"distribution": "Ubuntu"}),
        Code.FD202: lambda _: problems(OLD, system={"python": "3.13"}, releases=NOTHING),
        Code.FD203: lambda _: preflight.check(TWO_RELEASES, MODEL, OWN)[0],
        Code.FD204: lambda _: problems(cluster(), system={"memtotal_mb": 100}),
        Code.FD205: lambda _: problems(cluster(), disks={}),
        Code.FD206: lambda _: preflight.check(SHIFTED, MODEL, OWN)[0],
        Code.FD207: lambda _: problems(cluster(), **taken(5432)),
        Code.FD208: lambda _: problems(cluster(), cluster="legacy 0123456789ab"),
        Code.FD209: lambda _: problems(cluster(), names={}),
        Code.FD210: lambda _: problems(cluster(), releases=NEWER),
        Code.FD211: lambda _: preflight.check(ONE_MACHINE, MODEL, OWN)[0],
        Code.FD212: lambda _: preflight.check(GONE, MODEL, OWN)[0],
        Code.FD213: lambda _: problems(cluster(), root=False),
        Code.FD214: lambda _: problems(cluster(), systemd=False),
        Code.FD215: lambda _: problems(cluster(), database={"decrypts": False}),
        Code.FD216: lambda _: problems(OLD, database={"schema": versions.VERSIONS["3.3.2"].schema}, releases=NOTHING),
        Code.FD217: lambda _: problems(cluster(), nr_open=1024),
        Code.FD218: lambda _: warnings(cluster(), synchronised=False),
        Code.FD219: lambda _: warnings(cluster(), unattended_upgrades=True),
        Code.FD220: lambda _: problems(cluster(), without_candidate=["zstd"]),
        Code.FD221: lambda _: preflight.check(found(etcd=ALL), MODEL, OWN)[0],
        Code.FD223: lambda _: preflight.check(found(etcd=None, nodes=None), MODEL, OWN)[0],
        Code.FD224: lambda _: warnings(cluster(), database=None),
        Code.FD236: lambda _: problems(cluster(airflow_uid=20001)),
        Code.FD321: lambda _: drain.check_hosts([], MODEL, "", {}),
        Code.FD322: lambda _: drain.check_capacity(
            ["worker1", "worker2"], [], {}, cluster_model.build(reference(), defaults())
        ),
        Code.FD326: lambda _: drain.check_majority(drain.Members("etcd", ["a", "b", "c"], ["a", "b"]), ["a"], "a"),
        Code.FD323: lambda _: warnings(cluster(), facts={"flightdeck_drained": {"since": "now", "reason": ""}}),
        Code.FD328: lambda _: problems(cluster(), facts={"flightdeck_removed": "2026-01-01T00:00:00Z"}),
        Code.FD290: lambda _: warnings(cluster(), disks=everywhere(free_mb=100)),
        Code.FD284: lambda _: problems(cluster(airflow_manage_account=False), account=NONE),
        Code.FD239: lambda _: problems(cluster(), disks=everywhere(owner="jane")),
        Code.FD238: lambda _: problems(cluster(), disks=everywhere(noexec=True)),
        Code.FD240: lambda _: problems(cluster(), closed_directories={"/opt/airflow": "/opt"}),
        Code.FD237: lambda _: problems(cluster(), hidden_processes="hidepid=2"),
        Code.FD350: lambda _: problems(cluster(), releases=OLDER),
        Code.FD222: lambda _: preflight.check(found(etcd=ALL, without=("db1", "db2")), MODEL, OWN)[0],
        Code.FD331: lambda _: backups.check_releases({"backup1": "13"}, {"db1": "12"}),
        Code.FD333: lambda _: backups.check_type("some"),
        Code.FD370: lambda _: backups.check_target("2026-11-29 11:00:00+00:00", "", 0, dumps=True),
        Code.FD334: lambda _: backups.check_answer(answer(code=3, message="missing stanza data"), "", "", {}, "3.3.2"),
        Code.FD335: lambda _: backups.check_backup([], "", "", {}, "3.3.2"),
        Code.FD337: lambda _: backups.check_backup([BACKUP], "", "", {}, "3.3.2"),
        Code.FD338: lambda _: backups.check_room({"db1": 1}, 10**9),
        Code.FD365: lambda _: updates.check_paths({"db1": found_updates("rabbitmq-server", "3.10.8-1", "4.0.5-1")}),
        Code.FD366: lambda _: updates.check_removes({"db1": found_updates("haproxy", "1", "2", removes=["x"])}),
        Code.FD367: lambda _: updates.check_members(
            {"etcd": updates.Members(["db1"], ["db1", "db2"])}, {"db1": found_updates("haproxy", "1", "2")}
        ),
        Code.FD368: lambda _: updates.check_hosts(["db9"], MODEL),
    },
    Stage.RUN: {
        Code.FD169: lambda _: [
            _metastore_server.server_problem("url", "mysql", "8.0", 3, {"version": "10.11.14-MariaDB"})
        ],
        Code.FD315: lambda _: _login.check({"AUTH_TYPE": 7}, set(), {"AUTH_DB": 1}),
        Code.FD316: lambda _: _login._asked(lambda *_: "refuses", [("unix:", {})])[0],
        Code.FD317: lambda _: _login._asked(lambda *_: "", [("ldap://127.0.0.1:1", {})])[1],
        Code.FD215: lambda _: [
            State({}, set(), "", Fernet(Fernet.generate_key()).encrypt(b"x").decode()).state_problem(
                "3.3.2", set(), "A" * 44
            )
        ],
        Code.FD216: lambda _: [
            State({"alembic_version": "newer"}, set(), "", "").state_problem("3.3.2", {"older"}, "")
        ],
        Code.FD178: lambda _: [
            _metastore_server.server_problem("url", "postgresql", "14", 3, {"version": "PostgreSQL 13.21"})
        ],
    },
}

# Variables with which a file of tasks reports a code before it does anything.
REFUSED = {
    "airflow_db_command": [],
    "airflow_cluster": {
        "metastore": {"external": True, "engine": "mysql"},
        "nodes": {
            "localhost": {
                "airflow": {
                    "wrappers": {"scheduler": {"unit": "airflow-scheduler.service", "setting": "a", "value": "b"}}
                }
            }
        },
    },
    "airflow_replaced_host": "db9",
    "__airflow_extra_groups": ["root", "no-such-group"],
    "__airflow_build": {"rc": 3, "stderr": "no version of a fits b"},
    "__airflow_options_file": str(ROOT / "plugins/plugin_utils/_catalog/options/3.2.2.json"),
    "airflow_version": "3.2.9",
    "airflow_config": {"api": {"no_such_option": "x"}},
    "airflow_environment": {},
    "airflow_config_extra_sections": [],
    "__airflow_empty_hosts": [],
    "__metastore_node": {"patroni": {}},
    "__metastore_candidate": "",
    "airflow_cluster_name": "airflow",
    "airflow_confirm": "another",
    "airflow_db_clean_schedule": "every full moon",
    "airflow_confirmed_effect": "destroys data",
    "airflow_release_findings": {"migrations": None, "code": ["a.py: no"], "errors": {"b.py": "no"}},
    "airflow_version_change": {"migrates": True, "name": "2.11.2"},
    "airflow_dump_record": {},
    "__airflow_needed": {"alembic_version": "x"},
    "__metastore_room": {"path": "/x.dump", "free_mb": 1, "needed_mb": 2},
    "ansible_limit": "node1",
    "airflow_all_hosts_reason": "One is missing.",
    "__airflow_restart_components": ["db"],
    "__airflow_restartable": ["webserver"],
    "airflow_remove_data": "another",
}
IN_TASKS = (
    *(Code.FD165, Code.FD166, Code.FD179, Code.FD182, Code.FD185, Code.FD188, Code.FD189, Code.FD285, Code.FD286),
    *(Code.FD320, Code.FD327, Code.FD332, Code.FD343, Code.FD344, Code.FD351, Code.FD352, Code.FD353, Code.FD355),
    *(Code.FD356, Code.FD357, Code.FD360),
)
# What only services report, with the test that shows it; without one, why there is none.
NEEDS_SERVICES = {
    Code.FD163: "molecule/secure/tests/test_secret_rotation.py",
    Code.FD164: "molecule/secure/tests/test_secret_rotation.py",
    Code.FD167: "molecule/ha/tests/test_metastore.py",
    Code.FD183: "PostgreSQL would have to keep a session that it was asked to end",
    Code.FD184: "PostgreSQL would have to keep a session that it was asked to end",
    Code.FD186: "tests/unit/plugins/modules/test_etcd_member.py",
    Code.FD187: "molecule/brokers/tests/test_brokers.py",
    Code.FD256: "molecule/custom/tests/test_files.py",
    **dict.fromkeys(
        (Code.FD265, Code.FD266, Code.FD267, Code.FD268, Code.FD269),
        "tests/unit/plugins/modules/test_object_modules.py",
    ),
    Code.FD371: "a host would have to be lost while it stops Airflow",
    Code.FD270: "molecule/custom/tests/test_dags.py",
    Code.FD271: "a host that lacks the revision before is one that joined after it",
    Code.FD272: "an import that fails in the DAG processor alone",
    Code.FD273: "tests/unit/roles/test_dags_source.py",
    Code.FD274: "tests/unit/roles/test_dags_source.py",
    Code.FD275: "tests/unit/roles/test_dags_source.py",
    Code.FD279: "molecule/custom/tests/test_bundles.py",
    Code.FD324: "molecule/operations/tests/test_drain.py",
    Code.FD361: "molecule/operations/tests/test_uninstall.py",
    **dict.fromkeys((Code.FD354, Code.FD358), "molecule/upgrade/tests/test_upgrade.py"),
    **dict.fromkeys((Code.FD334, Code.FD336, Code.FD339), "molecule/backup/tests/test_backup.py"),
    Code.FD337: "the repository would have to have the backups of another server, or of another key",
    **dict.fromkeys((Code.FD362, Code.FD363), "molecule/ha/tests/test_replace_host.py"),
    Code.FD325: "molecule/operations/tests/test_remove_host.py",
    Code.FD328: "molecule/operations/tests/test_remove_host.py",
    Code.FD329: "a tier, file or load balancer would have to keep what the run removes from it",
    Code.FD305: "it needs a KDC, and a run of its own in a scenario that has one",
}


@pytest.fixture(scope="module")
def reported_by_tasks(tmp_path_factory):
    """What files of tasks report in one run."""
    folder = tmp_path_factory.mktemp("tasks")
    written = sources("playbooks/**/*.yml", "roles/*/tasks/*.yml")
    tasks = [{"ansible.builtin.set_fact": {"flightdeck_unwrapped": ["airflow-scheduler.service"], "cacheable": True}}]
    for code in IN_TASKS:
        path = next(path for path, text in written.items() if code in text and "set_fact" not in text)
        tasks.append(
            {
                "block": [{"ansible.builtin.include_tasks": str(path)}],
                "rescue": [{"ansible.builtin.meta": "clear_host_errors"}],
            }
        )
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    command = [
        Path(sys.executable).parent / "ansible-playbook",
        folder / "play.yml",
        "-e",
        json.dumps(REFUSED),
        "--skip-tags",
        "unknown",
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(CODE.findall(done.stdout))


@pytest.mark.parametrize("code", IN_TASKS)
def test_a_file_of_tasks_reports_it(reported_by_tasks, code):
    assert code in reported_by_tasks


@pytest.mark.parametrize(("stage", "code"), [(stage, code) for stage, codes in TRIGGERS.items() for code in codes])
def test_a_check_reports_it(stage, code, tmp_path):
    assert {str(problem)[:5] for problem in TRIGGERS[stage][code](tmp_path)} == {code}


@pytest.mark.parametrize(("code", "why"), NEEDS_SERVICES.items())
def test_what_only_services_report_is_shown_by_a_test_with_them(code, why):
    assert not why.endswith(".py") or code in (ROOT / why).read_text()


@pytest.mark.parametrize("stage", Stage)
def test_every_code_has_a_trigger(stage):
    run = {
        Stage.INVENTORY: {code for kind in GROUPED.values() for code in kind},
        Stage.RUN: {*IN_TASKS, *NEEDS_SERVICES},
    }
    triggered = [*TRIGGERS[stage], *run.get(stage, ())]
    assert sorted(triggered) == [code for code in Code if stage in code.stages]
