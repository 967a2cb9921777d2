from __future__ import annotations

import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import dag_archive

CANARY = {"flightdeck_canary.py": b"x = 1\n"}
UNPRIVILEGED = 65534
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "dags"
    (root / "team").mkdir(parents=True)
    (root / "a.py").write_text("a = 1\n")
    (root / "team" / "b.py").write_text("b = 1\n")
    (root / ".airflowignore").write_text("team/old\n")
    return root


def paths(root: Path | str, generated: dict[str, bytes] | None = None) -> list[str]:
    return sorted(dag_archive.scan(str(root), generated).entries)


def test_all_files_belong_to_the_tree_but_version_control_and_byte_code(tree: Path) -> None:
    for left_out in (".git/config", "__pycache__/a.cpython-311.pyc", "team/__pycache__/b.pyc", "old.pyc"):
        (tree / left_out).parent.mkdir(exist_ok=True, parents=True)
        (tree / left_out).write_text("x")
    assert paths(tree) == [".airflowignore", "a.py", "team/b.py"]


def test_a_git_file_of_a_worktree_is_left_out(tree: Path) -> None:
    (tree / "team" / ".git").write_text("gitdir: elsewhere\n")
    assert "team/.git" not in paths(tree)


def test_without_a_directory_there_are_only_the_generated_files() -> None:
    assert paths("", CANARY) == ["flightdeck_canary.py"]


def test_the_digest_depends_on_content_name_and_executable_bit_only(tree: Path, tmp_path: Path) -> None:
    first = dag_archive.scan(str(tree)).digest()
    os.utime(tree / "a.py", (1, 1))
    (tree / "empty").mkdir()
    assert dag_archive.scan(str(tree)).digest() == first
    elsewhere = tmp_path / "elsewhere"
    tree.rename(elsewhere)
    assert dag_archive.scan(str(elsewhere)).digest() == first
    seen = {first}
    (elsewhere / "a.py").chmod(0o755)
    seen.add(dag_archive.scan(str(elsewhere)).digest())
    (elsewhere / "a.py").write_text("a = 2\n")
    seen.add(dag_archive.scan(str(elsewhere)).digest())
    (elsewhere / "a.py").rename(elsewhere / "c.py")
    seen.add(dag_archive.scan(str(elsewhere)).digest())
    (elsewhere / "c.py").unlink()
    seen.add(dag_archive.scan(str(elsewhere)).digest())
    seen.add(dag_archive.scan(str(elsewhere), CANARY).digest())
    assert len(seen) == 6
    assert all(len(digest) == dag_archive.DIGEST_LENGTH for digest in seen)


def test_the_root_may_be_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert paths(tmp_path / "link") == paths(tree)


def test_links_inside_the_tree_become_relative(tree: Path) -> None:
    (tree / "team" / "up.py").symlink_to(tree / "a.py")
    (tree / "alias").symlink_to("team")
    found = dag_archive.scan(str(tree)).entries
    assert found["team/up.py"] == dag_archive.Entry("team/up.py", "link", "../a.py")
    assert found["alias"] == dag_archive.Entry("alias", "link", "team")
    assert "alias/b.py" not in found


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/etc", "outside of"),
        ("../../outside.py", "outside of"),
        ("nowhere.py", "does not exist"),
        (".git/config", "is not shipped"),
    ],
)
def test_links_that_cannot_be_shipped_are_refused(tree: Path, target: str, words: str) -> None:
    (tree / ".git").mkdir()
    (tree / ".git" / "config").write_text("x")
    (tree.parent / "outside.py").write_text("x")
    (tree / "team" / "link").symlink_to(tree / target if target == ".git/config" else target)
    with pytest.raises(dag_archive.TreeError, match=rf"airflow_dags_dir: team/link is a symbolic link to .*{words}"):
        dag_archive.scan(str(tree))


def test_a_link_to_a_sibling_directory_whose_name_begins_alike_is_outside(tree: Path) -> None:
    sibling = tree.parent / "dags2"
    sibling.mkdir()
    (tree / "link").symlink_to(sibling)
    with pytest.raises(dag_archive.TreeError, match="outside of"):
        dag_archive.scan(str(tree))


def test_special_files_are_refused(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(dag_archive.TreeError, match="pipe is neither a file"):
        dag_archive.scan(str(tree))


def test_a_file_named_like_the_canary_is_refused(tree: Path) -> None:
    (tree / "flightdeck_canary.py").write_text("x")
    with pytest.raises(dag_archive.TreeError, match=r"flightdeck_canary.py in .* Rename yours"):
        dag_archive.scan(str(tree), CANARY)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A directory of an account that does not read everything, as which the test runs."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(UNPRIVILEGED)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    finally:
        if root:
            os.seteuid(0)


def test_an_unreadable_file_is_named(own_folder: Path) -> None:
    (own_folder / "a.py").write_text("x")
    (own_folder / "a.py").chmod(0)
    with pytest.raises(dag_archive.TreeError, match=r"a\.py cannot be read"):
        dag_archive.scan(str(own_folder))


def test_problems_of_the_directory_itself(tree: Path, tmp_path: Path) -> None:
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    assert dag_archive.root_problem("") is None
    assert dag_archive.root_problem(str(tree)) is None
    assert "is not an absolute path" in str(dag_archive.root_problem("dags"))
    assert "{{ inventory_dir }}/../dags" in str(dag_archive.root_problem("dags"))
    assert dag_archive.root_problem(str(tmp_path / "nowhere")) == f"{tmp_path}/nowhere does not exist on the controller"
    assert dag_archive.root_problem(str(tree / "a.py")) == f"{tree}/a.py is not a directory"
    assert "is a symbolic link to" in str(dag_archive.root_problem(str(dangling)))
    with pytest.raises(dag_archive.TreeError, match=r"^airflow_dags_dir: .*nowhere does not exist"):
        dag_archive.scan(str(tmp_path / "nowhere"))


def test_python_that_does_not_compile_is_found_with_its_line(tree: Path) -> None:
    (tree / "team" / "b.py").write_text("b = 1\nif True\n    pass\n")
    (tree / "zero.py").write_bytes(b"x = '\0'\n")
    (tree / "notes.txt").write_text("if True\n")
    errors, warned = dag_archive.syntax_findings(dag_archive.scan(str(tree)), HERE)
    assert [text.partition(":")[0] for text in errors] == ["team/b.py, line 2", "zero.py"] or errors[1].startswith(
        "zero.py"
    )
    assert warned == []


@pytest.mark.parametrize("target", ["", "3.99"])
def test_what_may_be_newer_syntax_is_only_a_warning(tree: Path, target: str) -> None:
    (tree / "a.py").write_text("a = = 1\n")
    errors, warned = dag_archive.syntax_findings(dag_archive.scan(str(tree)), target)
    assert errors == []
    assert warned[0].startswith("a.py, line 1: ")


def test_the_encoding_cookie_of_a_file_is_obeyed(tree: Path) -> None:
    (tree / "a.py").write_bytes("# -*- coding: latin-1 -*-\na = 'é'\n".encode("latin-1"))
    assert dag_archive.syntax_findings(dag_archive.scan(str(tree)), HERE) == ([], [])


def test_the_archive_holds_the_tree_and_is_reproducible(tree: Path, tmp_path: Path) -> None:
    (tree / "alias").symlink_to("team")
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o755)
    found = dag_archive.scan(str(tree), CANARY)
    dag_archive.pack(found, str(tmp_path / "one"))
    os.utime(tree / "a.py", (1, 1))
    dag_archive.pack(found, str(tmp_path / "two"))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as archive:
        members = {member.name: member for member in archive}
        assert sorted(members) == sorted(found.entries)
        assert members["alias"].linkname == "team"
        assert [members[name].mode for name in ("run.sh", "a.py")] == [0o750, 0o640]
        content = archive.extractfile("flightdeck_canary.py")
        assert content is not None
        assert content.read() == CANARY["flightdeck_canary.py"]


def test_a_file_that_changes_meanwhile_is_noticed(tree: Path, tmp_path: Path) -> None:
    found = dag_archive.scan(str(tree))
    (tree / "a.py").write_text("a = 2\n")
    with pytest.raises(dag_archive.TreeError, match=r"a.py changed while it was read"):
        dag_archive.pack(found, str(tmp_path / "one"))


def test_comparison_of_two_revisions() -> None:
    before = {"same": "file:1", "changed": "file:1", "mode": "file:1", "gone": "file:1"}
    after = {"same": "file:1", "changed": "file:2", "mode": "x:1", "new": "file:1"}
    assert dag_archive.compare(before, after) == {"added": ["new"], "changed": ["changed", "mode"], "removed": ["gone"]}
