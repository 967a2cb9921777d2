"""What is released is the same for everybody, listed, and comes from nowhere else than it says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import runpy
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
BUILD = runpy.run_path(str(ROOT / "roles/airflow/files/build_release.py"))


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """Two builds of the same commit, with another umask."""
    if not (ROOT / ".git").exists():
        pytest.skip("built from a commit, and this is no checkout")
    folders = []
    for umask in (0o022, 0o077):
        folder = tmp_path_factory.mktemp("build")
        command = [sys.executable, str(ROOT / ".config/build.py"), str(folder)]
        subprocess.run(
            command, check=True, capture_output=True, umask=umask, cwd=folder, env={**os.environ, "TZ": f"UTC{umask}"}
        )
        folders.append(folder)
    return folders


def test_two_builds_are_the_same(builds):
    sums = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} for folder in builds
    ]
    assert sums[0] == sums[1]
    assert len(sums[0]) == 8


def test_the_checksums_are_those_of_all_files(builds):
    (listed,) = builds[0].glob("*.sha256")
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", listed.name], cwd=builds[0], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.count(": OK\n") == 7, done.stdout + done.stderr


def test_the_archive_installs_and_passes_its_own_manifest(builds, tmp_path):
    archive = next(builds[0].glob("*.tar.gz"))
    galaxy = [Path(sys.executable).parent / "ansible-galaxy", "collection"]
    plain = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
    }
    subprocess.run(
        [*galaxy, "install", "--no-deps", "--offline", archive, "-p", tmp_path],
        check=True,
        capture_output=True,
        env=plain,
    )
    verify = [*galaxy, "verify", "--offline", "flightdeck.airflow", "-p", tmp_path]
    done = subprocess.run(verify, check=False, capture_output=True, text=True, env=plain)
    assert done.returncode == 0 and "Successfully verified" in done.stdout, done.stdout + done.stderr


def test_every_document_is_valid_and_names_what_is_locked(builds):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    documents = {path.name.split(".", 3)[-1]: path.read_text() for path in builds[0].glob("*.cdx.json")}
    assert len(documents) == 6
    for name, text in documents.items():
        assert validator.validate_str(text) is None, name
    lock = (ROOT / "roles/airflow/files/locks/airflow-3.3.2-py3.11.txt").read_text()
    document = json.loads(next(text for name, text in documents.items() if "3.3.2-py3.11" in name))
    pinned = {line.split()[0] for line in lock.splitlines() if re.match(r"[a-z0-9].*==", line)}
    assert {f"{entry['name']}=={entry['version']}" for entry in document["components"]} == {
        re.sub(r"\[.*\]", "", pin) for pin in pinned
    }
    assert sum(len(entry["hashes"]) for entry in document["components"]) == lock.count("sha256:")


def test_the_document_of_a_release_is_valid():
    installed = [("Zope.Thing", "1.0", "ZPL-2.1"), ("a_b", "2", ""), ("a_b", "2", "")]
    document = BUILD["bom"]("apache-airflow", "3.3.2", (BUILD["component"](*package) for package in installed))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    assert [entry["purl"] for entry in document["components"]] == ["pkg:pypi/a-b@2", "pkg:pypi/zope-thing@1.0"]


def test_a_build_takes_its_environment_from_a_file_and_leaves_none(tmp_path):
    """The login of an index would be in the list of processes, were it handed over by a command."""
    script = tmp_path / "build_release.py"
    script.write_bytes((ROOT / "roles/airflow/files/build_release.py").read_bytes())
    release = tmp_path / "releases/1"
    release.mkdir(parents=True)
    (release / "release.json").write_text("{}")
    packer = tmp_path / "bin/tar"
    packer.parent.mkdir()
    packer.write_text('#!/bin/sh\nprintf %s "$PIP_INDEX_URL" >"$5"\n')
    packer.chmod(0o755)
    index = "https://user:token@packages.example.org/simple"
    environment = {"PIP_INDEX_URL": index, "PATH": f"{packer.parent}:{os.environ['PATH']}"}
    (tmp_path / "environment.json").write_text(json.dumps(environment))
    subprocess.run([sys.executable, script, release, "3.3.2"], check=True)
    assert (tmp_path / "releases/1.tar.zst").read_text() == index
    assert not (tmp_path / "environment.json").exists()


def test_a_second_build_waits_for_the_first_and_takes_its_archive(tmp_path):
    """As when the first one's play was killed."""
    script, release = tmp_path / "build_release.py", tmp_path / "releases/1"
    script.write_bytes((ROOT / "roles/airflow/files/build_release.py").read_bytes())
    release.mkdir(parents=True)
    (release / "release.json").write_text("{}")
    packer = tmp_path / "bin/tar"
    packer.parent.mkdir()
    packer.write_text(f'#!/bin/sh\necho packed >>"$5"\nuntil [ -e {tmp_path}/go ]; do sleep 0.05; done\n')
    packer.chmod(0o755)
    builds = []
    for _ in range(2):
        environment = tmp_path / "environment.json"
        environment.write_text(json.dumps({"PATH": f"{packer.parent}:{os.environ['PATH']}"}))
        builds.append(subprocess.Popen([sys.executable, script, release, "3.3.2"]))
        while environment.exists():
            time.sleep(0.01)
    (tmp_path / "go").touch()
    assert [build.wait(300) for build in builds] == [0, 0]
    assert (tmp_path / "releases/1.tar.zst").read_text() == "packed\n"


def test_every_locked_package_has_a_hash():
    for lock in [ROOT / "requirements.lock", *(ROOT / "roles/airflow/files/locks").glob("*.txt")]:
        text = lock.read_text().replace("\\\n", "")
        for line in text.splitlines():
            assert re.fullmatch(r"\S+==\S+(\s*;[^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", line), (
                f"{lock.name}: {line[:60]}"
            )


# What would admit packages without a signature or checksum.
OPEN_DOORS = {
    "allow_unauthenticated": r"allow_unauthenticated|allow[-_]downgrade.*apt|--force-yes|--allow-unauthenticated",
    "an apt repository or key": r"apt_repository|apt_key|deb822_repository|trusted=yes|sources\.list",
    "a download without a sum": r"ansible\.builtin\.get_url|curl\b.*\|\s*(ba)?sh|wget\b",
    "certificates are not checked": r"validate_certs:\s*(false|no)|--trusted-host|--insecure",
}


@pytest.mark.parametrize("door", sorted(OPEN_DOORS))
def test_no_role_opens_a_door(door):
    for path in [*ROOT.glob("roles/**/*"), *ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("plugins/**/*.py")]:
        if path.is_file() and "locks" not in path.parts and path.suffix in (".yml", ".py", ".j2", ".sh"):
            assert not re.search(OPEN_DOORS[door], path.read_text()), path


def test_the_archive_has_no_link_out_of_itself(builds):
    with tarfile.open(next(builds[0].glob("*.tar.gz"))) as archive:
        for member in archive:
            assert not member.name.startswith(("/", "..")) and not member.linkname.startswith(("/", "..")), member.name


def test_the_archive_of_a_release_is_for_root_alone(tmp_path):
    release, archive = tmp_path / "release", tmp_path / "release.tar.zst"
    release.mkdir()
    (release / "release.json").write_text("{}")
    # Left by a build that was killed, readable for all.
    half = tmp_path / "release.tar.part"
    half.write_text("half")
    half.chmod(0o644)
    BUILD["pack"](release, archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    listed = subprocess.run(
        ["tar", "--list", "--use-compress-program", "zstd -d", "--file", archive], capture_output=True, check=True
    )
    assert listed.stdout.decode().split() == ["release/", "release/release.json"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("plugins/**/*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_plugin_names_its_licence(path):
    # What Ansible loads into its own process is under its licence; CONTRIBUTING.md says why.
    on_hosts = path.relative_to(ROOT).parts[1] in ("modules", "module_utils")
    wanted = "# SPDX-License-Identifier: " + ("Apache-2.0" if on_hosts else "GPL-3.0-or-later")
    assert wanted in path.read_text().splitlines()[:3]
