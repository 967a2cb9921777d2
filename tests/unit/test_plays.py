"""What plays ask of the roles in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.flightdeck.airflow.plugins.filter.services import backing_services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BACKING_SERVICES, COMPONENTS

ROOT = Path(__file__).parents[2]
ACTIONS = {f"ansible.builtin.{how}_{kind}": kind for how in ("include", "import") for kind in ("role", "tasks")}


def test_every_installation_waits_for_the_lock_of_apt():
    """A machine that has just booted runs its own upgrades, which take minutes."""
    tasks = [
        (path.relative_to(ROOT).as_posix(), task["ansible.builtin.apt"])
        for path in sorted(ROOT.glob("roles/*/*/*.yml"))
        if path.parent.name in ("tasks", "handlers")
        for task in nested(yaml.safe_load(path.read_text()))
        if "ansible.builtin.apt" in task
    ]
    service = "roles/service/tasks"
    assert [path for path, _apt in tasks] == [f"{service}/{name}.yml" for name in ("packages", "update", "updates")]
    assert all(apt["lock_timeout"] >= 900 for _path, apt in tasks)


def nested(tasks):
    """All tasks, those of blocks too."""
    for task in tasks or ():
        yield task
        for part in ("block", "rescue", "always"):
            yield from nested(task.get(part))


def named(name, folder, loop=""):
    """Files that ``name``, which may be computed or be the items of ``loop``, may stand for."""
    names = re.findall(r"'(\w+)'", name + str(loop)) if "{{" in name else [name]
    paths = [(folder / each).with_suffix(".yml") for each in names]
    assert any(path.exists() for path in paths), name
    return [path for path in paths if path.exists()]


def roles(name, loop=""):
    """Roles that ``name`` may stand for: those that ``loop`` names, or those of backing services or modes."""
    if "{{" not in name:
        return [name.removeprefix("flightdeck.airflow.")]
    if listed := [each for each in re.findall(r"'(\w+)'", str(loop)) if (ROOT / "roles" / each).is_dir()]:
        return listed
    return [each.name for each in (BACKING_SERVICES if "__play_service" in name else MODES)]


def files_of(task, here):
    """Task files that ``task`` brings in; of a name that is computed, those that its expression names."""
    for action, kind in ACTIONS.items():
        if action not in task:
            continue
        said = task[action]
        if kind == "tasks":
            yield from named(said if isinstance(said, str) else said["file"], here, task.get("loop", ""))
        else:
            for role in (ROOT / "roles" / name for name in roles(said["name"], task.get("loop", ""))):
                yield from named(said.get("tasks_from", "main"), role / "tasks")
                yield from role.glob(f"handlers/{said.get('handlers_from', 'main')}.yml")


def reached(tasks, here):
    """The tasks and those of every file that they bring in."""
    waiting, seen = [(list(tasks), here)], set()
    while waiting:
        some, place = waiting.pop()
        for task in nested(some):
            yield task, place
            for path in files_of(task, place):
                if path not in seen:
                    seen.add(path)
                    waiting.append((yaml.safe_load(path.read_text()), path.parent))


def plays():
    """Every play of the collection, with its file."""
    for path in sorted((ROOT / "playbooks").glob("**/*.yml")):
        for play in yaml.safe_load(path.read_text()) or ():
            if "hosts" in play:
                yield path, play


def files_of_tasks():
    """The content of every playbook and of every file of tasks, with its path; not the variables of plays."""
    paths = [
        *ROOT.glob("roles/*/tasks/*.yml"),
        *(path for path in ROOT.glob("playbooks/**/*.yml") if path.parent.name != "vars"),
    ]
    return [(path, yaml.safe_load(path.read_text()) or []) for path in paths]


def entry_points(role):
    return set(yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"])


def test_every_module_that_tasks_use_exists():
    """A name that is wrong ends the run only when it comes to the task."""
    mine = {path.stem for folder in ("modules", "action") for path in (ROOT / "plugins" / folder).glob("*.py")}
    files = files_of_tasks()
    tasks = [(path, task) for path, content in files for play in content for task in nested([play])]
    tasks += [
        (path, task) for path, play in plays() for part in ("tasks", "post_tasks") for task in nested(play.get(part))
    ]
    used = {(key, path) for path, task in tasks for key in task if key.startswith("flightdeck.airflow.")}
    assert len(used) > 50
    assert [(key, path) for key, path in used if key.removeprefix("flightdeck.airflow.") not in mine] == []


def test_every_entry_point_that_is_used_is_in_the_spec_of_its_role():
    used = set()
    for _path, content in files_of_tasks():
        for task in nested(task for part in content for task in (part.get("tasks", ()) if "hosts" in part else [part])):
            for said in (task[action] for action, kind in ACTIONS.items() if kind == "role" and action in task):
                name = said.get("tasks_from", "main")
                used |= {
                    (role, each)
                    for role in roles(said["name"], task.get("loop", ""))
                    for each in (re.findall(r"'(\w+)'", name) or [name])
                }
    assert len(used) > 25
    assert {(role, name) for role, name in used if name not in entry_points(role)} == set()


def test_every_entry_point_of_the_role_airflow_is_in_its_readme():
    table = re.findall(r"^\| `(\w+)` \|", (ROOT / "roles/airflow/README.md").read_text(), re.MULTILINE)
    assert set(table) == entry_points("airflow")


def test_nothing_is_one_at_a_time_where_hosts_do_not_wait_for_each_other():
    """With the strategies free and host_pinned each host's inclusion counts ``throttle`` for itself, which is no
    limit at all."""
    found, tasks = [], 0
    for path, play in plays():
        if play.get("strategy", "linear").split(".")[-1] in ("free", "host_pinned"):
            for task, place in reached(play["tasks"], path.parent):
                tasks += 1
                if "throttle" in task:
                    found.append(f"{place.relative_to(ROOT)}: {task['name']}")
    assert tasks > 100
    assert found == []


@pytest.mark.parametrize("action", ["stop", "start"])
def test_only_a_deployment_brings_settings_to_a_unit(action):
    """Stopping and starting must not say that a process has settings which are not on the host."""
    tasks = yaml.safe_load((ROOT / "roles/airflow/tasks/component.yml").read_text())
    templar = Templar(DataLoader(), {"airflow_component_action": action})
    (task,) = (task for task in tasks if templar.evaluate_conditional(trust_as_template(task["when"])))
    assert set(task["flightdeck.airflow.service"]) == {"units", "state"}


def test_workers_have_new_dags_before_a_dag_processor_reads_them():
    for name in ("playbooks/deploy_dags.yml", "playbooks/phases/start_airflow.yml"):
        plays = yaml.safe_load((ROOT / name).read_text())
        (task,) = (task for play in plays for task in play.get("tasks", ()) if task["name"] == "Ship the DAGs")
        assert task["ansible.builtin.import_role"]["name"] == "flightdeck.airflow.dags"
        path = ROOT / "roles/dags/tasks/main.yml"
        nodes = {
            "worker1": {"components": ["worker"], "dags": {"path": "/d"}},
            "master1": {"components": ["webserver", "scheduler", "dag_processor"], "dags": {"path": "/d"}},
            "both": {"components": ["dag_processor", "worker"], "dags": {"path": "/d"}},
            "web1": {"components": ["webserver"]},
        }
        processors = [{"name": host} for host, node in nodes.items() if "dag_processor" in node["components"]]
        known = {"airflow_cluster": {"nodes": nodes, "hosts_of": {"dag_processor": processors}}}
        of_role = yaml.safe_load((ROOT / "roles/dags/vars/main.yml").read_text())
        known |= {name: trust_as_template(value) for name, value in of_role.items()}
        waves = [
            [
                host
                for host in nodes
                if Templar(DataLoader(), {**known, "inventory_hostname": host}).evaluate_conditional(
                    trust_as_template(step["when"])
                )
            ]
            for step in yaml.safe_load(path.read_text())
        ]
        assert waves == [["worker1"], ["master1", "both"]]


def used_entry_points(tasks):
    """Entry points of roles that ``tasks`` use themselves, in their order."""
    uses = (task.get(action) for task in nested(tasks) for action, kind in ACTIONS.items() if kind == "role")
    return [role.get("tasks_from", "main") for role in uses if role]


def test_secrets_go_after_the_restarts_and_units_before():
    """Handlers run between tasks and post_tasks: they restart every unit that is there, and until then old
    processes read old secrets."""
    found = 0
    for path, play in plays():
        restarts = any("airflow-*.service" in str(task) for task, _place in reached(play.get("tasks", ()), path.parent))
        before, after = (used_entry_points(play.get(part)) for part in ("tasks", "post_tasks"))
        if restarts and {"leftover_units", "leftover_files"} & {*before, *after}:
            found += 1
            assert "leftover_units" in before and "leftover_files" in after, path
            assert "leftover_units" not in after and "leftover_files" not in before, path
    assert found


@pytest.mark.parametrize(("limit", "builder"), [(["lb1", "db1"], None), (["db1", "worker1", "master1"], "master1")])
def test_one_airflow_host_of_those_that_run_builds_the_release_and_a_run_without_any_goes_on(limit, builder):
    [condition] = (
        task["when"]
        for _path, play in plays()
        for task in play.get("tasks", ())
        if used_entry_points([task]) == ["build"]
    )
    known = {"airflow_cluster": {"airflow_hosts": ["master1", "worker1"]}, "ansible_play_hosts_all": limit}
    builds = [
        host
        for host in limit
        if Templar(DataLoader(), {**known, "inventory_hostname": host}).evaluate_conditional(
            trust_as_template(condition)
        )
    ]
    assert builds == ([builder] if builder else [])


def test_logins_of_package_indexes_stand_in_no_command_line():
    """``environment`` of a task is part of the command that Ansible gives to a shell on the host: every account
    there can read it."""
    found = []
    for path, content in files_of_tasks():
        for task in nested(content):
            if "block" not in task and re.search(
                r"__airflow_build_environment|airflow_package_(\w*url|proxy)", str(task)
            ):
                found.append((path.name, "environment" in task, task.get("no_log", False)))
    assert found
    assert [task for task in found if task[1:] != (False, True)] == []


def test_the_tags_that_a_deployment_accepts_are_those_of_its_parts():
    for playbook in ("site", "plan"):
        content = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text())
        assert content[0]["vars"]["__play_tags"] == "{{ __play_site_tags }}"
    accepted = yaml.safe_load((ROOT / "playbooks/vars/tags.yml").read_text())["__play_site_tags"]
    used = {
        tag
        for path, play in plays()
        for part in (play, *nested(play["tasks"]))
        for tags in [part.get("tags", [])]
        for tag in ([tags] if isinstance(tags, str) else tags)
    }
    used |= {service.tag or service.name for service in BACKING_SERVICES}
    assert used - {"always"} == set(accepted)


@pytest.mark.parametrize(
    ("run", "skipped", "deployed"),
    [
        (["all"], [], ["metastore", "rabbitmq", "haproxy", "keepalived"]),
        (["haproxy", "airflow"], [], ["haproxy", "keepalived"]),
        (["all"], ["metastore", "haproxy"], ["rabbitmq"]),
        (["airflow"], [], []),
    ],
)
def test_a_host_deploys_those_of_its_backing_services_that_the_tags_select(run, skipped, deployed):
    parts = ["address", "components", "keepalived", "haproxy", "rabbitmq", "metastore", "airflow"]
    node = {part: {} for part in parts}
    assert backing_services(node, run, skipped) == deployed


def test_every_playbook_checks_its_tags_first():
    """By way of its first phase, or of the phase that this one begins with."""
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        while "ansible.builtin.import_playbook" in (first := yaml.safe_load(path.read_text())[0]):
            path = path.parent / first["ansible.builtin.import_playbook"]
        assert "assert_tags.yml" in first["tasks"][0]["ansible.builtin.import_tasks"], path


def test_every_play_says_its_strategy():
    """With another one from the user's ansible.cfg, run_once, throttle and any_errors_fatal would do nothing."""
    found = {
        f"{path.name}: {play['name']}"
        for path, play in plays()
        if not play.get("strategy", "").startswith("ansible.builtin.")
    }
    assert found == set()


def test_private_names_stay_where_they_are_made():
    """Playbooks have names of their own and give roles what their specs name; no role reads what a playbook keeps
    for itself."""
    found = set()
    for path in sorted((ROOT / "playbooks").glob("**/*.yml")):
        found |= {
            (path.name, name) for name in re.findall(r"\b__\w+", path.read_text()) if not name.startswith("__play_")
        }
    for path in [*ROOT.glob("roles/**/*.yml"), *ROOT.glob("roles/**/*.j2"), *ROOT.glob("plugins/**/*.py")]:
        found |= {(path.name, name) for name in re.findall(r"\b__play_\w+", path.read_text())}
    assert found == set()


def test_no_play_lists_the_groups_of_the_cluster():
    """A new service would have to be added to every list.

    Plays over the cluster run on the groups that the model phase makes.
    """
    longest = {f"{path.name}: {play['name']}": play["hosts"].count("airflow_") for path, play in plays()}
    assert {name for name, count in longest.items() if count > 3} == set()


@pytest.fixture
def inventory(tmp_path):
    """The production example, and hosts of no group of ours."""
    folder = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories/prod", folder)
    (folder / "other.yml").write_text(yaml.safe_dump({"all": {"hosts": {"other": None, "another": None}}}))
    return folder


def run(inventory, content, *arguments, **environment):
    """What Ansible does with playbooks of the collection, by their paths, and with plays."""
    listed = [
        {"ansible.builtin.import_playbook": str(ROOT / part)} if isinstance(part, str) else part for part in content
    ]
    (inventory.parent / "plays.yml").write_text(yaml.safe_dump(listed))
    command = [
        Path(sys.executable).parent / "ansible-playbook",
        "-i",
        inventory,
        inventory.parent / "plays.yml",
        *arguments,
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=600, check=False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "db1 mq1 mq2 mq3 lb1 master1 master2 worker1 worker2 | master1 master2 worker1 worker2"),
        (("--check",), "db1 mq1 mq2 mq3 lb1 master1 master2 worker1 worker2 | master1 master2 worker1 worker2"),
        (("--limit", "worker2,mq1,other"), "mq1 worker2 | worker2"),
    ],
)
def test_the_groups_of_the_model_are_the_hosts_of_the_cluster_in_its_order(inventory, arguments, expected):
    groups = ["airflow_cluster_hosts", "airflow_component_hosts"]
    show = {"ansible.builtin.debug": {"msg": "members: {{ ansible_play_hosts | join(' ') }}"}, "run_once": True}
    # The model is computed again where a playbook imports site.yml.
    content = [
        *["playbooks/phases/model.yml"] * 2,
        *({"hosts": group, "gather_facts": False, "tasks": [show]} for group in groups),
    ]
    done = run(inventory, content, *arguments, ANSIBLE_DISPLAY_OK_HOSTS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " | ".join(re.findall(r"members: ([\w ]+)", done.stdout)) == expected
    assert not re.search("changed: .*item=", done.stdout)
    assert "WARNING" not in done.stderr


ACCESS = """
UI        https://192.0.2.10:8443
login     admin
password  airflow_admin_password, in {0}/.airflow_secrets.yml or where your inventory sets it
CA        {0}/.airflow_ca.crt, for browsers to import
next      ansible-playbook flightdeck.airflow.verify -i {0}
DAGs      none of yours: set airflow_dags_dir, then run flightdeck.airflow.deploy_dags (docs/dags.md)
backups   none: add a host to the group airflow_backup (docs/backups.md)
WARNING   the secrets file is not encrypted: ansible-vault encrypt {0}/.airflow_secrets.yml (docs/security.md)

"""


def test_a_deployment_ends_with_how_to_reach_the_cluster_and_what_it_lacks(inventory):
    phases = ["playbooks/phases/model.yml", "playbooks/phases/print_access.yml"]
    done = run(inventory, phases)
    assert ACCESS.format(inventory) in done.stdout
    password = yaml.safe_load((inventory / ".airflow_secrets.yml").read_text())["airflow_admin_password"]
    assert password not in done.stdout + done.stderr


def test_it_does_not_name_what_the_cluster_has(inventory, tmp_path):
    password = tmp_path / "password"
    password.write_text("a password")
    (tmp_path / "dags").mkdir()
    given = ["-e", f"airflow_dags_dir={tmp_path}/dags", "-e", "airflow_verified=true"]
    phases = ["playbooks/phases/model.yml", "playbooks/phases/print_access.yml"]
    done = run(inventory, phases, *given, "--vault-password-file", str(password))
    said = done.stdout + done.stderr
    assert "for browsers to import\nbackups   none" in said
    assert not re.search("^(next|DAGs|WARNING) ", said, re.MULTILINE)


def test_a_deployment_that_failed_somewhere_does_not(inventory):
    """Nor does one that changed nothing, because it only checked."""
    failing = {
        "hosts": "worker1:worker2",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.fail": {}, "when": "inventory_hostname == 'worker1'"}],
    }
    done = run(inventory, ["playbooks/phases/model.yml", failing, "playbooks/phases/print_access.yml"])
    assert "failed=1" in done.stdout
    assert "login" not in done.stdout
    done = run(inventory, ["playbooks/phases/model.yml", "playbooks/phases/print_access.yml"], "--check")
    assert done.returncode == 0
    assert "login" not in done.stdout


def test_components_start_in_the_order_of_the_catalogue():
    tasks = yaml.safe_load((ROOT / "playbooks/phases/tasks/components.yml").read_text())
    assert [role for task in tasks for role in roles(task["ansible.builtin.import_role"]["name"])] == list(COMPONENTS)
    for task, component in zip(tasks, COMPONENTS, strict=True):
        assert task["when"] == f"'{component}' in airflow_cluster.nodes[inventory_hostname].components"


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_the_role_of_a_mode_has_the_entry_points_that_phases_use(mode):
    assert {"main", "functions", "register_hosts", "drop_old_hosts", "stop_unwrapped"} <= entry_points(mode.name)


def only_reads(task):
    """Whether a task changes nothing, also out of check mode."""
    query = task.get("community.postgresql.postgresql_query", {}).get("query", "")
    uri = task.get("ansible.builtin.uri")
    return (
        query.lstrip().startswith("SELECT")
        or (uri is not None and uri.get("method", "GET") == "GET")
        or ("ansible.builtin.command" in task and task.get("changed_when") is False)
    )


def test_what_runs_in_check_mode_all_the_same_only_reads():
    """plan.yml is site.yml in check mode: nothing else may escape it."""
    found = [
        (path, task)
        for path in [
            *ROOT.glob("roles/*/tasks/*.yml"),
            *ROOT.glob("playbooks/*.yml"),
            *ROOT.glob("playbooks/phases/**/*.yml"),
        ]
        for task in nested([each for part in yaml.safe_load(path.read_text()) for each in part.get("tasks", [part])])
        if task.get("check_mode") is False
    ]
    assert len(found) > 5
    assert [f"{path.name}: {task['name']}" for path, task in found if not only_reads(task)] == []


def test_no_task_is_delegated_to_another_host_of_the_cluster():
    """A delegated task evaluates ``ansible_host: "{{ inventory_hostname }}.example.com"`` with the name of the host
    that delegates, and so works on the wrong one. roles/firewall has hosts outside of the run, and evaluates first."""
    delegated = {
        path.relative_to(ROOT).as_posix()
        for folder in ("roles/*/tasks", "roles/*/handlers", "playbooks", "playbooks/phases", "playbooks/phases/tasks")
        for path in ROOT.glob(f"{folder}/*.yml")
        for line in path.read_text().splitlines()
        if line.strip().startswith("delegate_to:") and line.split()[-1] != "localhost"
    }
    assert delegated == {"roles/firewall/tasks/update.yml"}


@pytest.mark.parametrize(
    ("members", "origins", "refused"),
    [(3, 3, True), (3, 2, True), (3, 1, False), (3, 0, False), (5, 3, True), (5, 2, False)],
)
def test_a_tier_of_which_most_hosts_have_data_is_not_recovered(members, origins, refused):
    """Whether they run or not: those that only stopped come back by a start."""
    tasks = yaml.safe_load((ROOT / "roles/airflow/tasks/check_recovery.yml").read_text())
    (task,) = (task for task in tasks if task.get("loop_control"))
    known = {
        "__airflow_tier": "etcd",
        "__airflow_origins": [f"db{number}" for number in range(origins)],
        "airflow_cluster": {"hosts_of": {"etcd": [{"name": f"db{number}"} for number in range(members)]}},
    }
    condition = trust_as_template(task["ansible.builtin.assert"]["that"])
    assert Templar(DataLoader(), known).evaluate_conditional(condition) is not refused


def test_nothing_depends_on_the_order_of_a_set():
    """Ansible's filters difference, intersect and union make one."""
    ordered = re.compile(r"\b(difference|intersect|union)\((?:[^()]|\([^()]*\))*\)\s*\|\s*(reverse|first|last)\b")
    files = [
        path
        for folder in ("roles", "playbooks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".yml", ".j2")
    ]
    assert [path for path in files if ordered.search(path.read_text(encoding="utf-8"))] == []
