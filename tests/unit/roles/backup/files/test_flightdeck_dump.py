"""The program that dumps an external metastore, with programs of PostgreSQL that are scripts of a few lines."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _backups
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import backups
from test_flightdeck_restore import FILES, program

dump = program("flightdeck_dump")
LIVE = {"server": "15.14", "major": 15, "namespace": "public", "size": 5000, "migrated": True}
MANIFEST = {"flightdeck": '{"cluster":"airflow"}'}
# By what is in a statement, what psql answers; the first one that fits.
ANSWERS = [
    ["json_build_object", [json.dumps(LIVE)]],
    ["version_num", ["abc123"]],
    ["pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid", ["t"]],
    ["pg_settings", ["lock_timeout", "statement_timeout"]],
    ["format('DROP", ["DROP TABLE IF EXISTS public.dag;"]],
    ["GRANT", ["DO 'BEGIN grant';"]],
]
PSQL = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
command = [each for each in sys.argv if each.startswith("--command=")]
if command:
    answers = json.loads((folder / "answers").read_text())
    for line in next((lines for word, lines in answers if word in command[0]), []):
        print(line)
else:
    said = sys.stdin.read()
    (folder / "session").write_text(said)
    if "fails" in said:
        sys.exit("ERROR:  it fails")
"""
SCRIPT = (
    b"--\nSET statement_timeout = 0;\nSET transaction_timeout = 0;\nCREATE TABLE x ();\nSET transaction_timeout = 1;\n"
)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A repository host; its file "archive" is what pg_dump writes and, decrypted, pg_restore reads."""
    folder, config = tmp_path / "15/bin", tmp_path / "config"
    folder.mkdir(parents=True)
    config.mkdir()
    (tmp_path / "dumps").mkdir()
    (tmp_path / "archive").write_bytes(SCRIPT)
    (tmp_path / "answers").write_text(json.dumps(ANSWERS))
    (config / "dump.json").write_text(json.dumps({"directory": str(tmp_path / "dumps"), "keep": 2}))
    scripts = {
        "psql": PSQL.format(python=sys.executable, folder=str(tmp_path)),
        "pg_dump": f"#!/bin/sh\ncat {tmp_path}/archive\n",
        "pg_restore": "#!/bin/sh\ncat\n",
    }
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setattr(dump, "POSTGRESQL", tmp_path)
    monkeypatch.setattr(dump, "CONFIG", config)
    # Without a cipher: unit tests need no openssl.
    monkeypatch.setattr(dump, "CIPHER", ("sh", "-c", "cat", "cipher"))
    return tmp_path


def answers(host, word, lines):
    (host / "answers").write_text(json.dumps([[word, lines], *ANSWERS]))


def replace(host, name, text):
    (host / "15/bin" / name).write_text(f"#!/bin/sh\n{text}\n")


def names(host):
    return sorted(path.name for path in (host / "dumps").iterdir() if path.name != "lock")


@pytest.fixture
def seconds(monkeypatch):
    """Each dump is of a second of its own."""
    second = iter(range(20))
    monkeypatch.setattr(dump, "new_label", lambda kind: f"20261129-0000{next(second):02}{dump.ENDS[kind]}")


def test_a_dump_is_listed_as_pgbackrest_would(host):
    dump.backup(MANIFEST)
    (made,), problem = _backups.parse(json.dumps(dump.info()))
    assert problem == ""
    assert (made.kind, made.size, made.repository_size) == ("full", 5000, len(SCRIPT))
    assert made.manifest == {"cluster": "airflow"}
    assert backups.check_target("", made.label, 0) == []
    assert names(host) == [f"{made.label}.dump", f"{made.label}.json"]
    record = dump.record_of(made.label)
    assert (record["schema"], record["server"], record["client"]) == ("abc123", "15.14", 15)


@pytest.mark.usefixtures("seconds")
def test_the_last_dumps_stay_and_what_restores_replaced(host):
    replaced = dump.dump(dump.REPLACED, {})["label"]
    for _ in range(4):
        dump.backup(MANIFEST)
    labels = [record["label"] for record in dump.records()]
    assert labels == [replaced, "20261129-000003F", "20261129-000004F"]
    assert dump.replaced_labels() == [replaced]
    assert dump.remove_replaced() == [replaced]
    assert [record["label"] for record in dump.records()] == labels[1:]
    assert len(names(host)) == 4


def test_a_dump_that_fails_leaves_nothing(host):
    replace(host, "pg_dump", "echo beginning; echo 'pg_dump: error: permission denied for table x' >&2; exit 1")
    with pytest.raises(dump.DumpError, match="permission denied for table x"):
        dump.backup(MANIFEST)
    assert names(host) == []


def test_a_killed_run_leaves_no_dump_and_the_next_one_cleans_up(host):
    replace(host, "pg_dump", "echo beginning; exec sleep 60")
    code = (
        f"import sys; sys.path.insert(0, {str(FILES)!r}); import pathlib, flightdeck_dump as dump\n"
        f"dump.POSTGRESQL = pathlib.Path({str(host)!r}); dump.CONFIG = dump.POSTGRESQL / 'config'\n"
        "dump.CIPHER = ('sh', '-c', 'cat', 'cipher'); dump.backup({})"
    )
    with subprocess.Popen([sys.executable, "-B", "-c", code], start_new_session=True) as run:
        while run.poll() is None and not any(name.endswith(".new") for name in names(host)):
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGKILL)
    # The last of its programs may still be ending.
    with (host / "dumps/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    # As if it had been killed between the two files.
    (host / "dumps/20261129-000000F.dump").write_text("x")
    assert dump.info()[0]["backup"] == []
    replace(host, "pg_dump", "echo whole")
    dump.backup(MANIFEST)
    assert len(names(host)) == 2


def test_the_way_back_from_an_upgrade_stays(host):
    made = []
    for schema in ("older", "before", "before", "now", "now", "now"):
        answers(host, "SELECT version_num", [schema])
        dump.backup(MANIFEST)
        made.append(dump.records()[-1]["label"])
    assert [record["label"] for record in dump.records()] == [made[2], *made[4:]]


@pytest.mark.usefixtures("host")
def test_two_runs_do_not_work_at_once():
    with pytest.raises(dump.DumpError, match="another run"), dump.alone(), dump.alone():
        pass


@pytest.mark.parametrize(
    ("word", "lines", "problem"),
    [
        (
            "json_build_object",
            [json.dumps({**LIVE, "major": 17})],
            "the server has PostgreSQL 17, and pg_dump .* of 15",
        ),
        ("json_build_object", [json.dumps({**LIVE, "namespace": None})], "no schema"),
        ("pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid", ["f"], "does not own Airflow's tables"),
        ("lower(kind)", ["routine f(integer)"], "what another account owns: routine f"),
    ],
)
def test_what_could_not_be_restored_is_not_dumped(host, word, lines, problem):
    answers(host, word, lines)
    replace(host, "pg_dump", f"touch {host}/called")
    with pytest.raises(dump.DumpError, match=problem) as found:
        dump.backup(MANIFEST)
    assert found.value.hint
    assert not (host / "called").exists()


def test_the_newest_clients_are_used(host):
    (host / "9/bin").mkdir(parents=True)
    (host / "9/bin/pg_dump").touch()
    assert dump.newest() == 15
    assert dump.client("pg_dump")[0] == str(host / "15/bin/pg_dump")


def test_other_accounts_tables_are_left_out(host):
    answers(host, 'format(\'"%s"."%s"\'', ['"public"."a"'])
    replace(host, "pg_dump", 'echo "$@"')
    dump.backup(MANIFEST)
    (path,) = (host / "dumps").glob("*.dump")
    assert '--schema="public" --exclude-table="public"."a"' in path.read_text()


def test_a_restore_is_one_transaction_after_a_dump_of_the_present_state(host):
    dump.backup(MANIFEST)
    label = dump.records()[0]["label"]
    result = dump.restore(label, MANIFEST)
    assert result["label"] == label
    assert dump.replaced_labels() == [result["replaced"]]
    assert result["replaced"].endswith("F-before-restore")
    session = (host / "session").read_text().splitlines()
    assert session[0] == "BEGIN;"
    end = session.index("DO 'BEGIN grant';")
    assert "WHERE version_num = 'abc123'" in session[end + 1]
    assert session[-2:] == [dump.ANALYZE, "COMMIT;"]
    # What the server does not know is left out of the head, and of nothing else.
    assert session[session.index("DROP TABLE IF EXISTS public.dag;") + 1 : end] == [
        "--",
        "SET statement_timeout = 0;",
        "CREATE TABLE x ();",
        "SET transaction_timeout = 1;",
    ]


@pytest.mark.parametrize(
    ("restore", "problem"),
    [("cat; echo 'pg_restore: error: end of file' >&2; exit 1", "end of file"), ("kill -9 $$", "sh failed")],
)
def test_half_a_dump_is_not_committed(host, restore, problem):
    dump.backup(MANIFEST)
    replace(host, "pg_restore", restore)
    with pytest.raises(dump.DumpError, match=problem):
        dump.load(dump.records()[0])
    assert "COMMIT" not in (host / "session").read_text()


def test_what_the_server_says_is_the_reason(host):
    (host / "archive").write_text("this fails\n")
    dump.backup(MANIFEST)
    with pytest.raises(dump.DumpError, match=r"^it fails$"):
        dump.load(dump.records()[0])


def test_a_damaged_dump_is_found_and_not_restored(host, capsys):
    dump.backup(MANIFEST)
    label = dump.records()[0]["label"]
    assert dump.verify() == 0
    (host / f"dumps/{label}.dump").write_bytes(SCRIPT[:-1] + b"x")
    assert dump.verify() == 1
    said = capsys.readouterr().out
    assert f"ERROR: {label}: invalid checksum\nstatus: error\n" in said
    with pytest.raises(dump.DumpError, match="invalid checksum"):
        dump.restore(label, MANIFEST)
    with pytest.raises(dump.DumpError, match="invalid checksum"):
        dump.read(label)
    assert not (host / "session").exists()
    (host / f"dumps/{label}.dump").unlink()
    assert dump.damage(dump.record_of(label)) == "file missing"


def test_an_error_has_a_hint(host, capsys, monkeypatch):
    answers(host, "json_build_object", [json.dumps({**LIVE, "major": 17})])
    monkeypatch.setattr(sys, "argv", ["flightdeck-dump", "check"])
    monkeypatch.setattr(os, "chdir", lambda _path: None)
    assert dump.main() == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ERROR:", "HINT:"]


def test_the_secrets_are_in_files(host):
    assert dump.environment()["PGPASSFILE"] == str(host / "config/pgpass")
    assert dump.cipher()[-2:] == ["-pass", f"file:{host}/config/cipher"]
    assert Path(FILES / "flightdeck_dump.py").read_text().count("PGPASSWORD") == 0
