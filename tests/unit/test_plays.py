"""What plays ask of the roles in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import GROUPS

ROOT = Path(__file__).parents[2]
ACTIONS = {f"ansible.builtin.{how}_{kind}": kind for how in ("include", "import") for kind in ("role", "tasks")}


def nested(tasks):
    """All tasks, those of blocks too."""
    for task in tasks or ():
        yield task
        for part in ("block", "rescue", "always"):
            yield from nested(task.get(part))


def named(name, folder):
    """Files that ``name`` may stand for."""
    names = re.findall(r"'(\w+)'", name) if "{{" in name else [name]
    paths = [folder / f"{Path(each).stem}.yml" for each in names]
    assert any(path.exists() for path in paths), name
    return [path for path in paths if path.exists()]


def files_of(task, here):
    """Task files that ``task`` brings in; of a name that is computed, those that its expression names."""
    for action, kind in ACTIONS.items():
        if action not in task:
            continue
        said = task[action]
        if kind == "tasks":
            yield from named(said if isinstance(said, str) else said["file"], here)
        else:
            role = ROOT / "roles" / said["name"].removeprefix("flightdeck.airflow.")
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


def entry_points(role):
    return set(yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"])


def test_every_entry_point_that_is_used_is_in_the_spec_of_its_role():
    used = set()
    for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/**/*.yml")]:
        content = yaml.safe_load(path.read_text()) or []
        for task in nested(task for part in content for task in (part.get("tasks", ()) if "hosts" in part else [part])):
            for said in (task[action] for action, kind in ACTIONS.items() if kind == "role" and action in task):
                name = said.get("tasks_from", "main")
                used |= {(said["name"].split(".")[-1], each) for each in (re.findall(r"'(\w+)'", name) or [name])}
    assert len(used) > 25
    assert {(role, name) for role, name in used if name not in entry_points(role)} == set()


def test_every_entry_point_of_the_role_airflow_is_in_its_readme():
    table = re.findall(r"^\| `(\w+)` \|", (ROOT / "roles/airflow/README.md").read_text(), re.MULTILINE)
    assert set(table) == entry_points("airflow")


def test_nothing_is_one_at_a_time_where_hosts_wait_for_nobody():
    """With the strategies free and host_pinned each host's inclusion counts ``throttle`` for itself, which is no limit at all."""
    found, tasks = [], 0
    for path in sorted((ROOT / "playbooks").glob("**/*.yml")):
        for play in yaml.safe_load(path.read_text()) or ():
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
    templar = Templar(DataLoader(), {"airflow_action": action})
    (task,) = (task for task in tasks if templar.evaluate_conditional(trust_as_template(task["when"])))
    assert set(task["flightdeck.airflow.service"]) == {"units", "state"}


def test_secrets_go_after_the_restarts_and_units_before():
    """Handlers run between tasks and post_tasks: they restart every unit that is there, and until then old processes read old secrets."""
    plays = yaml.safe_load((ROOT / "playbooks/airflow.yml").read_text())
    (play,) = (play for play in plays if play["name"] == "Start Airflow")
    entries = [[task.get("ansible.builtin.import_role", {}).get("tasks_from") for task in play[part]] for part in ("tasks", "post_tasks")]
    assert (entries[0][-1], entries[1]) == ("leftover_units", ["leftover_files"])


@pytest.mark.parametrize(("limit", "builder"), [(["lb1", "db1"], None), (["db1", "worker1", "master1"], "master1")])
def test_one_airflow_host_of_those_that_run_builds_the_release_and_a_run_without_any_goes_on(limit, builder):
    plays = yaml.safe_load((ROOT / "playbooks/backing_services.yml").read_text())
    condition = next(task["when"] for play in plays for task in play["tasks"] if task["name"] == "Build the Airflow release")
    known = {"airflow_cluster": {"airflow_hosts": ["master1", "worker1"]}, "ansible_play_hosts_all": limit}
    builds = [
        host
        for host in limit
        if Templar(DataLoader(), {**known, "inventory_hostname": host}).evaluate_conditional(trust_as_template(condition))
    ]
    assert builds == ([builder] if builder else [])


def test_logins_of_package_indexes_stand_in_no_command_line():
    """``environment`` of a task is part of the command that Ansible gives to a shell on the host: every account there can read it."""
    found = []
    for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/**/*.yml")]:
        for task in nested(yaml.safe_load(path.read_text())):
            if "block" not in task and re.search(r"__airflow_build_environment|airflow_package_(\w*url|proxy)", str(task)):
                found.append((path.name, "environment" in task, task.get("no_log", False)))
    assert found == [("build.yml", False, True)]


def test_plays_over_the_whole_cluster_name_every_group():
    """In one order: some tasks run on the first host only."""
    plays = [play for path in (ROOT / "playbooks").glob("*.yml") for play in yaml.safe_load(path.read_text()) if "hosts" in play]
    found = {
        play["name"]: play["hosts"] for play in plays if play["hosts"].count("airflow_") > len(GROUPS) / 2 and "!" not in play["hosts"]
    }
    assert len(found) > 5
    assert {name: hosts for name, hosts in found.items() if hosts != ":".join(f"airflow_{group}" for group in GROUPS)} == {}
