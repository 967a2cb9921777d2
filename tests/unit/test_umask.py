"""What the collection creates has the modes that it decides, under every umask of login, sudo and controller."""

from __future__ import annotations

import grp
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags, _files
from ansible_collections.flightdeck.airflow.plugins.modules import release
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import dag_archive
from interrupt import Run

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "roles/airflow/files/build_release.py"
NAME = "3.3.2-0a1b2c3d-py3.11"


@pytest.fixture(params=[0o027, 0o077, 0], ids=lambda mask: f"{mask:03o}", autouse=True)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(root: Path) -> dict[str, int]:
    """Modes by path of what lies below ``root``, without the links."""
    return {
        str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode)
        for path in root.rglob("*")
        if not path.is_symlink()
    }


def installed(folder: Path) -> Path:
    """A release as tools leave it under the umask: a program, a module, a link out of it."""
    target = folder / "releases" / NAME
    for name in ("bin/airflow", "lib/airflow/__init__.py", "release.json"):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (target / "bin/airflow").chmod(stat.S_IMODE((target / "bin/airflow").stat().st_mode) | stat.S_IXUSR)
    (target / "bin/python").symlink_to(folder / "python")
    (folder / "python").write_text("")
    (folder / "python").chmod(0o750)
    return target


RELEASE = {
    "bin": 0o755,
    "bin/airflow": 0o755,
    "lib": 0o755,
    "lib/airflow": 0o755,
    "lib/airflow/__init__.py": 0o644,
    "release.json": 0o644,
}


def build(folder: Path) -> Path:
    """The archive of a release that is installed already, by the program that builds it."""
    target = installed(folder)
    (folder / "build").mkdir()
    shutil.copy(SCRIPT, folder / "build")
    (folder / "build/environment.json").write_text("{}")
    subprocess.run([sys.executable, folder / "build/build_release.py", target, "3.3.2"], check=True)
    return target.with_name(f"{NAME}.tar.zst")


def test_every_account_runs_a_release_and_root_alone_writes_it(tmp_path, capsys):
    archive = build(tmp_path)
    built = tmp_path / "releases" / NAME
    assert modes(built) == RELEASE
    assert stat.S_IMODE(built.stat().st_mode) == 0o755
    # What a link leads to is no part of a release.
    assert stat.S_IMODE((tmp_path / "python").stat().st_mode) == 0o750
    other = tmp_path / "opt/airflow"
    arguments = {"root": str(other), "name": NAME, "archive": str(archive)}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        release.main()
    assert json.loads(capsys.readouterr().out)["installed"]
    assert modes(other / "releases" / NAME) == RELEASE
    assert [stat.S_IMODE(path.stat().st_mode) for path in (other, other / "releases", other / "releases" / NAME)] == [
        0o755
    ] * 3


def test_directories_of_releases_that_are_closed_are_opened(tmp_path, capsys):
    releases = installed(tmp_path).parent
    before = {}
    for check in (True, False):
        for path in (tmp_path, releases):
            path.chmod(0o750)
        with patch_module_args({"root": str(tmp_path), "name": NAME, "_ansible_check_mode": check}):
            with pytest.raises(SystemExit):
                release.main()
        before[check] = json.loads(capsys.readouterr().out)["diff"]
    assert before[True] == before[False]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, releases)] == [0o755] * 2
    with patch_module_args({"root": str(tmp_path), "name": NAME}), pytest.raises(SystemExit):
        release.main()
    assert json.loads(capsys.readouterr().out)["changed"] is False


def test_the_directories_above_a_file_are_open_to_all(tmp_path):
    owner, group = _files.attributes("/proc/self").split()[0].split(":")
    change = _files.Change()
    _files.ensure_directory(
        {"path": str(tmp_path / "srv/data/airflow"), "mode": "0750", "owner": owner, "group": group},
        change,
        check=False,
    )
    _files.write_text(str(tmp_path / "etc/a/b.conf"), "one\n", os.geteuid(), os.getegid(), 0o640)
    wanted = {
        "srv": 0o755,
        "srv/data": 0o755,
        "srv/data/airflow": 0o750,
        "etc": 0o755,
        "etc/a": 0o755,
        "etc/a/b.conf": 0o640,
    }
    assert modes(tmp_path) == wanted


def test_the_dags_are_for_their_group_alone(tmp_path):
    source = tmp_path / "source"
    (source / "team").mkdir(parents=True)
    (source / "team/a.py").write_text("a = 1\n")
    tree = dag_archive.scan(str(source))
    dag_archive.pack(tree, str(tmp_path / "archive"))
    store = _dags.Revisions(str(tmp_path / "srv/dags"), grp.getgrgid(os.getegid()).gr_name)
    store.apply(tree.digest(), archive=str(tmp_path / "archive"), keep=3, check=False, want_manifest=False)
    assert modes(tmp_path / "srv") == {
        "dags": 0o750,
        "dags/revisions": 0o750,
        f"dags/revisions/{tree.digest()}": 0o750,
        f"dags/revisions/{tree.digest()}/team": 0o750,
        f"dags/revisions/{tree.digest()}/team/a.py": 0o640,
    }
    assert stat.S_IMODE((tmp_path / "srv").stat().st_mode) == 0o755


def test_the_archive_of_the_dags_names_its_own_modes(tmp_path):
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o700)
    dag_archive.pack(dag_archive.scan(str(tmp_path)), str(tmp_path.with_suffix(".tar")))
    with tarfile.open(tmp_path.with_suffix(".tar")) as archive:
        assert {member.name: member.mode for member in archive} == {"a.py": 0o640, "run.sh": 0o750}


def model(inventory: Path) -> None:
    """The phase that writes files on the controller."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, ROOT / "playbooks/phases/model.yml"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_secrets_are_for_the_user_and_the_certificate_is_for_all(tmp_path):
    inventory = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories/prod", inventory)
    keys = inventory / "keys/of/the/cluster"
    (inventory / "group_vars/all/where.yml").write_text(f"airflow_certificates_file: {keys}/certificates.yml\n")
    before = modes(inventory)
    model(inventory)
    made = {path: mode for path, mode in modes(inventory).items() if path not in before}
    assert {path: mode for path, mode in made.items() if "airflow_" in path or "certificates" in path} == {
        ".airflow_secrets.yml": 0o600,
        ".airflow_ca.crt": 0o644,
        "keys/of/the/cluster/certificates.yml": 0o600,
    }
    assert {
        path: mode for path, mode in made.items() if path.endswith((".gitignore", "keys", "of", "the", "cluster"))
    } == {
        ".gitignore": 0o644,
        "keys": 0o755,
        "keys/of": 0o755,
        "keys/of/the": 0o755,
        "keys/of/the/cluster": 0o755,
        "keys/of/the/cluster/.gitignore": 0o644,
    }
    # One that an earlier run left open to all.
    (inventory / ".airflow_ca.crt").chmod(0o666)
    model(inventory)
    assert stat.S_IMODE((inventory / ".airflow_ca.crt").stat().st_mode) == 0o644


def test_a_run_that_is_killed_leaves_nothing_that_others_can_write(tmp_path):
    """Nor a secret that they can read, whatever was made until then; the next run completes it."""
    inventory = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories/prod", inventory)
    before, names = modes(inventory), set(os.listdir(inventory))
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, ROOT / "playbooks/phases/model.yml"]
    with Run(command, {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}) as run:
        while run.poll() is None and set(os.listdir(inventory)) == names:
            time.sleep(0.001)
        run.kill()
    made = {path: mode for path, mode in modes(inventory).items() if path not in before}
    assert made
    assert [path for path, mode in made.items() if mode & 0o022] == []
    assert [path for path, mode in made.items() if "secrets" in path and mode & 0o077] == []
    model(inventory)
    assert stat.S_IMODE((inventory / ".airflow_secrets.yml").stat().st_mode) == 0o600
