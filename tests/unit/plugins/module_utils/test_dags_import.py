"""What the DAG processor's surroundings are made of, and what two imports say together."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags_import

UNIT = """\
# /etc/systemd/system/airflow-dag-processor.service
[Unit]
Description=x
[Service]
Type=exec
User=airflow
EnvironmentFile=/etc/airflow/environment
ExecStart=/opt/airflow/current/bin/airflow dag-processor
Restart=always
# A comment=1
PrivateTmp=yes
# /etc/systemd/system/airflow-dag-processor.service.d/own.conf
[Service]
ExecStartPre=/bin/true
Environment="A=b c"
[Install]
WantedBy=multi-user.target
"""


def test_a_process_has_what_the_unit_and_its_drop_ins_say_of_processes() -> None:
    assert _dags_import.properties(UNIT) == [
        "User=airflow",
        "EnvironmentFile=/etc/airflow/environment",
        "PrivateTmp=yes",
        'Environment="A=b c"',
    ]


def test_a_staged_revision_stands_in_the_place_of_the_current_one() -> None:
    command = _dags_import.command([], "python", "/d/current", "/d/revisions/1", "/d/revisions/2")
    assert "--property=BindReadOnlyPaths=/d/revisions/2:/d/revisions/1" in command
    assert command[-3:] == ["python", "-", "/d/current"]
    same = _dags_import.command([], "python", "/d/current", "/d/revisions/1", "/d/revisions/1")
    assert not [word for word in same if "Bind" in word]


def test_two_imports_are_compared() -> None:
    before = {
        "errors": {"old.py": "boom"},
        "dags": {"gone": ["g.py", "1"], "same": ["s.py", "1"], "other": ["o.py", "1"], "hidden": ["new.py", "1"]},
    }
    trace = 'Traceback\n  File "/d/new.py", line 3, in <module>\n    import x\nModuleNotFoundError: No module x\n'
    after = {
        "errors": {"old.py": "boom", "new.py": trace},
        "dags": {"added": ["a.py", "1"], "same": ["s.py", "1"], "other": ["o.py", "2"]},
    }
    found = _dags_import.compare(before, after)
    assert found == {
        "added": ["added"],
        "removed": ["gone"],
        "changed": ["other"],
        "errors": {"new.py": "line 3: ModuleNotFoundError: No module x"},
        "known_errors": {"old.py": "boom"},
    }
    assert _dags_import.lines(found, "1", "2") == [
        "DAGs of revision 2, compared with 1: 1 added, 1 removed, 1 changed",
        "  added    added",
        "  removed  gone",
        "  changed  other",
        "  import error, as before: old.py, boom",
        "  import error: new.py, line 3: ModuleNotFoundError: No module x",
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Traceback:\n  a\nb\nc\n", "a / b / c"),
        ("", ""),
        (
            "Running as unit: run-u7.service; Press ^] three times within 1s to disconnect TTY.\n"
            "Finished with result: oom-kill\n"
            "Main processes terminated with: code=killed/status=KILL\n"
            "Service runtime: 1.1s\n",
            "oom-kill / Main processes terminated with: code=killed/status=KILL",
        ),
    ],
)
def test_why_an_import_ended_early_is_said_by_it_or_by_systemd(said, why):
    assert _dags_import.failure(said) == why


def test_what_came_in_the_place_of_an_answer_is_said():
    process = _dags_import.start([sys.executable, "-"], "print('a word {}')")
    with pytest.raises(_dags_import.ImportFailedError, match=r"exit code 0: answered 'a word \{\}'"):
        _dags_import.result(process, 60)
