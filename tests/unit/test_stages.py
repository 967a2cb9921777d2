"""Where the time of `make up` and `make test` went."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import stages

MOLECULE = """INFO     single ➜ converge: Executing
PLAY [Deploy Airflow] ****
\x1b[36mINFO    \x1b[0m \x1b[32msingle\x1b[0m ➜ \x1b[33mverify\x1b[0m: \x1b[36mExecuting\x1b[0m
INFO     single ➜ verify: Executed: Successful
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "STAGES", tmp_path / "stages.jsonl")
    monkeypatch.setattr(stages, "LOGS", tmp_path / "logs")
    return tmp_path


def parts_of(text):
    parts = stages.Parts()
    for number, line in enumerate(text.splitlines()):
        parts.line(stages.COLOURS.sub("", line), float(number))
    parts.begin("", float(len(text.splitlines())))
    return parts.found


def test_parts_are_the_steps_of_molecule_and_not_the_plays_in_them():
    assert parts_of(MOLECULE) == [("converge", 2.0), ("verify", 2.0)]


def test_parts_are_plays_elsewhere():
    assert parts_of("PLAY [Install] ***\nTASK [x]\nPLAY [Start] ***\nok\n") == [("Install", 2.0), ("Start", 2.0)]


def test_a_stage_keeps_what_its_command_printed_and_how_it_ended(cache, capfd):
    script = "print('one'); print('E   assert 1 == 2'); raise SystemExit(3)"
    assert stages.run("a stage", [sys.executable, "-c", script]) == 3
    assert (cache / "logs/a_stage.log").read_text() == "one\nE   assert 1 == 2\n"
    (stage,) = stages.read()
    assert (stage.name, stage.code) == ("a stage", 3)
    printed = capfd.readouterr().out
    assert printed.startswith("one\nE   assert 1 == 2\n")
    assert "a stage failed after" in printed and printed.rstrip().endswith("E   assert 1 == 2")


def test_what_failed_is_shown_with_what_ansible_says_of_it():
    lines = [
        "ok: [db1]",
        "fatal: [db1]: FAILED! =>",
        "    msg: no",
        "    rc: 1",
        *["..."] * 9,
        "FAILED molecule/default/tests/test_ui.py::test_x",
    ]
    shown = stages.failures(lines)
    assert shown[:3] == ["fatal: [db1]: FAILED! =>", "    msg: no", "    rc: 1"]
    assert shown[-1].endswith("test_x") and "ok: [db1]" not in shown


def test_lines_are_shown_as_they_come(tmp_path):
    """Not at the end: who waits for half an hour wants to see that it goes on."""
    script = f"import sys; print('begun', flush=True); open({str(tmp_path / 'go')!r}).read()"
    command = [sys.executable, stages.__file__, "run", "progress", sys.executable, "-c", script]
    (tmp_path / "stages").mkdir()
    subprocess.run(["mkfifo", tmp_path / "go"], check=True)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={"FLIGHTDECK_CACHE": str(tmp_path / "stages")}
    ) as process:
        assert process.stdout.readline() == "begun\n"
        (tmp_path / "go").write_text("on")
        assert process.wait() == 0


def test_the_table_counts_stages_that_ran_at_once_in_the_whole_only_once(cache):
    rows = [
        {"name": "image", "began": 100.0, "seconds": 40.0, "code": 0, "parts": []},
        {"name": "tools", "began": 101.0, "seconds": 20.0, "code": 0, "parts": []},
        {
            "name": "default",
            "began": 140.0,
            "seconds": 60.0,
            "code": 1,
            "parts": [["converge", 50.0], ["destroy", 1.0]],
        },
    ]
    (cache / "stages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert stages.table(stages.read()).splitlines() == [
        "Where the time went:",
        "      40 s  image",
        "      20 s  tools",
        "      60 s  default (failed)",
        "          50 s  converge",
        "     100 s  in all",
    ]


def test_what_up_needs_is_a_part_of_what_the_tests_need():
    """One environment serves both, so both locks say the same."""
    root = Path(__file__).parents[2]
    small, whole = (
        set((root / name).read_text().splitlines()) for name in ("requirements-up.lock", "requirements.lock")
    )
    assert small
    assert small <= whole
