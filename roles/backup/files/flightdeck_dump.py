#!/usr/bin/python3
"""Dumps an external PostgreSQL metastore, and loads a dump into it.

Runs on the repository host as postgres: by flightdeck-backup, flightdeck-restore, status.yml and restore.yml. It takes
the commands and options of pgBackRest that they use and answers "info" in its form, so both are run alike. A dump is
pg_dump's custom format, encrypted by openssl before it reaches the disk. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

# Written by the role: dump.json (directory, keep), and what only this account reads: pg_service.conf, pgpass, cipher.
CONFIG = Path("/etc/flightdeck-backup")
# Debian's servers and clients, by major version.
POSTGRESQL = Path("/usr/lib/postgresql")
# Types of dumps: those of timers and backup.yml, and those of what a restore was about to replace.
FULL, REPLACED = "full", "replaced"
# The end of a label says as much.
ENDS = {FULL: "F", REPLACED: "F-before-restore"}
CHUNK = 1 << 20
# openssl's defaults may change from version to version.
CIPHER = ("openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-iter", "600000", "-md", "sha256", "-salt")
# Of pg_restore's script, what comes before the first object.
PREAMBLE = (b"--", b"\n", b"SET ", b"SELECT pg_catalog.set_config", b"\\restrict")

# What is dumped and replaced: objects of the account, or of a role that it is a member of, in the schema in which it
# creates its own, but for those of extensions.
RELATIONS = """
SELECT oid, relkind, format('%I.%I', relnamespace::regnamespace::text, relname) AS name, relacl, relowner,
  pg_has_role(relowner, 'USAGE') AS own
FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
""".strip()
ROUTINES = """
SELECT 'ROUTINE' AS kind, oid::regprocedure::text AS name, pg_has_role(proowner, 'USAGE') AS own
FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
UNION ALL
SELECT 'TYPE', oid::regtype::text, pg_has_role(typowner, 'USAGE')
FROM pg_type WHERE typnamespace = current_schema()::regnamespace
  AND (typtype IN ('e', 'd', 'r')
       OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c'))
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = pg_type.oid AND deptype = 'e')
""".strip()
LIVE = """
SELECT json_build_object(
  'server', current_setting('server_version'), 'major', current_setting('server_version_num')::int / 10000,
  'namespace', current_schema(), 'size', pg_database_size(current_database()),
  'migrated', to_regclass('alembic_version') IS NOT NULL)
""".strip()
# Without CASCADE: what others have built upon the tables ends the restore, and is not lost.
DROPS = f"""
SELECT format('DROP %s IF EXISTS %s;', kind, string_agg(name, ', ')) FROM (
  SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
    WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, name FROM ({RELATIONS}) AS relations WHERE own
  UNION ALL SELECT kind, name FROM ({ROUTINES}) AS routines WHERE own) AS objects
GROUP BY kind ORDER BY array_position(
  ARRAY['VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'TABLE', 'SEQUENCE', 'ROUTINE', 'TYPE'], kind)
""".strip()
# Rights that other accounts have, to be given again on what there is after the restore.
GRANTS = f"""
SELECT format('DO %L;', format('BEGIN IF to_regclass(%L) IS NOT NULL THEN GRANT %s ON %s %s TO %s%s; END IF; END',
  name, privilege_type, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, name,
  CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
  CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END))
FROM ({RELATIONS}) AS relations, aclexplode(relacl) WHERE own AND grantee <> relowner
""".strip()
# As patterns of pg_dump, which take what is between double quotes as it is.
OTHERS = f"""
SELECT format('"%s"."%s"', replace(nspname, '"', '""'), replace(relname, '"', '""'))
FROM ({RELATIONS}) AS relations JOIN pg_class USING (oid) JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE NOT own
""".strip()
# Before the end of a restore: the loaded data are those of the record. The planner knows nothing of new tables.
PROOF = """
DO $$ BEGIN IF '{schema}' <> '' AND NOT EXISTS (SELECT FROM {namespace}.alembic_version WHERE version_num = '{schema}')
THEN RAISE EXCEPTION 'the loaded data have not the schema {schema}'; END IF; END $$;
""".strip()
ANALYZE = "SET client_min_messages = error; ANALYZE;"
OWNED = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'alembic_version'::regclass"
UNOWNED = f"SELECT lower(kind) || ' ' || name FROM ({ROUTINES}) AS routines WHERE NOT own"


class DumpError(Exception):
    """What went wrong, in a line; ``hint`` says what to do about it."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def last_lines(text: str, count: int = 6) -> str:
    """The end of ``text`` in one line."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return "; ".join(lines[-count:])


def newest() -> int:
    """The newest major version whose clients are installed. Raises DumpError."""
    found = [int(path.parts[-3]) for path in POSTGRESQL.glob("*/bin/pg_dump") if path.parts[-3].isdigit()]
    if not found:
        raise DumpError(f"{POSTGRESQL} has no pg_dump", "Run flightdeck.airflow.site.")
    return max(found)


def client(name: str, *arguments: str) -> list[str]:
    """The command of a client of PostgreSQL. Debian's own wrapper would choose a version by the host's servers."""
    return [str(POSTGRESQL / str(newest()) / "bin" / name), *arguments]


def psql(*arguments: str) -> list[str]:
    """The command of psql, which ends with the first error."""
    return client("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", *arguments)


def environment() -> dict[str, str]:
    """Environment of the clients: the connection and its password are in files."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PGSERVICEFILE": str(CONFIG / "pg_service.conf"),
        "PGSERVICE": "metastore",
        "PGPASSFILE": str(CONFIG / "pgpass"),
        "PGAPPNAME": "flightdeck-dump",
        "PGCLIENTENCODING": "UTF8",
    }


def query(statement: str) -> list[str]:
    """Lines of the metastore's answer to ``statement``. Raises DumpError."""
    command = psql(f"--command={statement}")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if done.returncode:
        raise DumpError(last_lines(done.stderr).removeprefix("ERROR: "))
    return done.stdout.splitlines()


def check() -> dict[str, Any]:
    """What the metastore has: its ``schema`` version and ``size`` in bytes, and the versions of both sides.

    Raises DumpError when it cannot be dumped and restored as it is.
    """
    live = json.loads(query(LIVE)[0])
    if live["major"] > newest():
        raise DumpError(
            f"the server has PostgreSQL {live['major']}, and pg_dump of this host is of {newest()}, which refuses it",
            f"Install postgresql-{live['major']} on this host, or use one with a newer release of Debian.",
        )
    if live["namespace"] is None:
        raise DumpError("the account has no schema to create tables in", "Grant it one, or correct its search_path.")
    if live["migrated"] and query(OWNED) == ["f"]:
        raise DumpError(
            "the account does not own Airflow's tables", "Set airflow_metastore_owner_url to the account that does."
        )
    if unowned := query(UNOWNED):
        raise DumpError(
            f"schema {live['namespace']} has what another account owns: {', '.join(unowned[:5])}",
            "A restore could not replace it: move it to another schema.",
        )
    versions = query("SELECT version_num FROM alembic_version") if live["migrated"] else []
    return {**live, "client": newest(), "schema": versions[0] if versions else ""}


def quoted(name: str) -> str:
    """``name`` as an identifier of SQL, and as a pattern of pg_dump that fits nothing else."""
    return '"' + name.replace('"', '""') + '"'


def settings() -> dict[str, Any]:
    """What the role wrote for this program: the ``directory`` of the dumps, and how many to ``keep``."""
    return dict(json.loads((CONFIG / "dump.json").read_text(encoding="utf-8")))


def directory() -> Path:
    """Where the dumps are."""
    return Path(settings()["directory"])


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """No other run changes the dumps or the metastore meanwhile. Raises DumpError."""
    with (directory() / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DumpError("another run dumps or restores", "Wait for its end, and run again.") from None
        yield


def records() -> list[dict[str, Any]]:
    """The dumps that are complete, oldest first. Raises OSError."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory().iterdir()) if is_record(path)]
    return sorted(found, key=lambda record: record["timestamp"]["stop"])


def is_record(path: Path) -> bool:
    """Whether ``path`` says what a dump is: it is written last."""
    return path.suffix == ".json"


def dump_of(label: str) -> Path:
    """The file of a dump."""
    return directory() / f"{label}.dump"


def record_of(label: str) -> dict[str, Any]:
    """What is known of a dump. Raises DumpError."""
    found = next((record for record in records() if record["label"] == label), None)
    if found is None:
        raise DumpError(f"there is no dump {label}")
    return found


def remove(label: str) -> None:
    """Remove a dump: what says that it is one first."""
    (directory() / f"{label}.json").unlink(missing_ok=True)
    dump_of(label).unlink(missing_ok=True)


def remove_unfinished() -> None:
    """Remove what killed runs left."""
    known = {record["label"] for record in records()}
    for path in directory().iterdir():
        if path.suffix == ".new" or (path.suffix == ".dump" and path.stem not in known):
            path.unlink()


def prune(keep: int) -> None:
    """Remove the oldest dumps but ``keep``.

    The last one of the schema before the present one stays, the way back from an upgrade. Those of replaced data are
    not counted and stay.
    """
    full = [record for record in records() if record["type"] == FULL]
    before = [record["label"] for record in full if record["schema"] != full[-1]["schema"]][-1:]
    for record in full[:-keep]:
        if record["label"] not in before:
            remove(record["label"])


@contextlib.contextmanager
def pipeline(*commands: Sequence[str], feed: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
    """The output of programs that pass data from one to the next; all have ended afterwards. Raises DumpError."""
    processes: list[subprocess.Popen[bytes]] = []
    source: IO[bytes] | int = feed or subprocess.DEVNULL
    with tempfile.TemporaryFile() as errors:
        try:
            for command in commands:
                process = subprocess.Popen(
                    command, stdin=source, stdout=subprocess.PIPE, stderr=errors, env=environment()
                )
                if processes and processes[-1].stdout:
                    # So that the one before notices when this one ends.
                    processes[-1].stdout.close()
                processes.append(process)
                assert process.stdout is not None
                source = process.stdout
            assert process.stdout is not None
            yield process.stdout
        except BaseException:
            for process in processes:
                process.kill()
            raise
        finally:
            for process in processes:
                if process.stdout:
                    process.stdout.close()
                process.wait()
        errors.seek(0)
        said = last_lines(errors.read().decode("utf-8", "replace"))
    if any(process.returncode for process in processes):
        raise DumpError(said or f"{commands[0][0]} failed")


def cipher(*options: str) -> list[str]:
    """The command that encrypts or, with -d, decrypts."""
    return [*CIPHER, *options, "-pass", f"file:{CONFIG / 'cipher'}"]


def write(path: Path, text: str) -> None:
    """Write a file at once or not at all."""
    scratch = path.with_name(f"{path.name}.new")
    with scratch.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(path)


def new_label(kind: str) -> str:
    """A label of this second, in UTC; waits for the next one when there is such a dump."""
    while True:
        label = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + ENDS[kind]
        if not (directory() / f"{label}.json").exists():
            return label
        time.sleep(0.2)


def dump(kind: str, annotation: dict[str, Any]) -> dict[str, Any]:
    """Make a dump and return what is recorded of it. Raises DumpError."""
    remove_unfinished()
    live = check()
    label, begin = new_label(kind), int(time.time())
    others = [f"--exclude-table={pattern}" for pattern in query(OTHERS)]
    schema = f"--schema={quoted(live['namespace'])}"
    command = client("pg_dump", "--format=custom", "--no-password", schema, *others)
    scratch = dump_of(label).with_suffix(".new")
    digest, size = hashlib.sha256(), 0
    try:
        with scratch.open("wb") as target:
            with pipeline(command, cipher()) as stream:
                while chunk := stream.read(CHUNK):
                    target.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
            target.flush()
            os.fsync(target.fileno())
        scratch.replace(dump_of(label))
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    record = {
        "label": label,
        "type": kind,
        "timestamp": {"start": begin, "stop": int(time.time())},
        "info": {"size": live["size"], "repository": {"delta": size}},
        "database": {"id": 1},
        "error": False,
        "annotation": annotation,
        "sha256": digest.hexdigest(),
        "schema": live["schema"],
        "server": live["server"],
        "client": live["client"],
    }
    write(directory() / f"{label}.json", json.dumps(record, sort_keys=True) + "\n")
    return record


def backup(annotation: dict[str, Any]) -> None:
    """Make a dump, and remove the oldest ones. Raises DumpError."""
    with alone():
        record = dump(FULL, annotation)
        prune(settings()["keep"])
    print(
        f"INFO: dump {record['label']} of PostgreSQL {record['server']}, {record['info']['repository']['delta']} bytes"
    )


def info() -> list[dict[str, Any]]:
    """The dumps, in the form of ``pgbackrest info``."""
    status: dict[str, Any] = {"code": 0, "message": "ok"}
    found: list[dict[str, Any]] = []
    try:
        found = records()
    except (OSError, ValueError, LookupError) as error:
        status = {"code": 99, "message": f"{type(error).__name__}: {error}"}
    return [{"name": "dumps", "db": [{"id": 1, "system-id": 0}], "status": status, "backup": found}]


def damage(record: dict[str, Any]) -> str:
    """What is wrong with the file of a dump, as pgBackRest names it; empty for nothing."""
    path = dump_of(record["label"])
    if not path.exists():
        return "file missing"
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != record["sha256"]:
        return "invalid checksum"
    try:
        with path.open("rb") as stream, pipeline(cipher("-d"), client("pg_restore", "--file=-"), feed=stream) as script:
            while script.read(CHUNK):
                pass
    except DumpError as error:
        return f"invalid result: {error}"
    return ""


def verify() -> int:
    """Print what is wrong with the dumps; how many are damaged."""
    damaged = 0
    for record in records():
        if wrong := damage(record):
            damaged += 1
            print(f"ERROR: {record['label']}: {wrong}")
    print(f"status: {'error' if damaged else 'ok'}")
    return damaged


def read(label: str) -> None:
    """Write a dump, decrypted, to the standard output. Raises DumpError."""
    if wrong := damage(record_of(label)):
        raise DumpError(f"{label}: {wrong}")
    with dump_of(label).open("rb") as stream, pipeline(cipher("-d"), feed=stream) as archive:
        while chunk := archive.read(CHUNK):
            sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def pass_on(script: IO[bytes], target: IO[bytes], known: set[bytes]) -> None:
    """Copy pg_restore's ``script`` without the settings at its head that an older server does not know."""
    for line in script:
        name = line.split()[1] if line.startswith(b"SET ") else b""
        if not name or name in known:
            target.write(line)
        if not line.startswith(PREAMBLE):
            break
    while chunk := script.read(CHUNK):
        target.write(chunk)


def load(record: dict[str, Any]) -> None:
    """Replace what the account owns by a dump, in one transaction: without its end everything is as it was.

    Raises DumpError.
    """
    namespace = check()["namespace"]
    known = {name.encode() for name in query("SELECT name FROM pg_settings")}
    begin = ["BEGIN;", "SET lock_timeout = '60s';", "SET client_min_messages = warning;", *query(DROPS)]
    end = [*query(GRANTS), PROOF.format(schema=record["schema"], namespace=quoted(namespace)), ANALYZE, "COMMIT;"]
    restore = client("pg_restore", "--no-owner", "--no-privileges", f"--schema={namespace}", "--file=-")
    with tempfile.TemporaryFile() as errors:
        session = subprocess.Popen(
            psql(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=environment()
        )
        target = session.stdin
        assert target is not None
        failure = ""
        try:
            target.write("\n".join([*begin, ""]).encode())
            with dump_of(record["label"]).open("rb") as stream, pipeline(cipher("-d"), restore, feed=stream) as script:
                pass_on(script, target, known)
            # Only now: psql would commit what it has when a program before it dies.
            target.write("\n".join([*end, ""]).encode())
            target.close()
        except (DumpError, BrokenPipeError) as error:
            failure = str(error)
            with contextlib.suppress(BrokenPipeError):
                target.close()
        code = session.wait()
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").splitlines()
    # PostgreSQL's hint is CASCADE.
    said = last_lines("\n".join(line for line in lines if not line.startswith("HINT:")))
    if code or failure:
        raise DumpError(said.removeprefix("ERROR: ") or failure)


def restore(label: str, annotation: dict[str, Any]) -> dict[str, Any]:
    """Replace the metastore by a dump, after one of its present state. Raises DumpError."""
    with alone():
        record = record_of(label)
        if wrong := damage(record):
            raise DumpError(f"{label}: {wrong}")
        replaced = dump(REPLACED, annotation)
        load(record)
    return {"label": label, "replaced": replaced["label"], "schema": record["schema"]}


def replaced_labels() -> list[str]:
    """Labels of the dumps of what restores replaced."""
    return [record["label"] for record in records() if record["type"] == REPLACED]


def remove_replaced() -> list[str]:
    """Remove the dumps of what restores replaced, and return their labels. Raises DumpError."""
    with alone():
        labels = replaced_labels()
        for label in labels:
            remove(label)
    return labels


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(description=__doc__)
    actions = ["backup", "info", "verify", "check", "read", "restore", "aside", "remove-aside"]
    found.add_argument("action", choices=actions)
    found.add_argument("--set", default="", help="label of the dump")
    found.add_argument("--annotation", default="", help="what a dump is to say of the cluster: NAME=JSON")
    for name in ("--type", "--output", "--log-level-console"):
        found.add_argument(name, help="has no meaning here: a dump is always a full one")
    return found


def main() -> int:
    """Entry point."""
    given = parser().parse_args()
    os.umask(0o077)
    os.chdir("/")
    name, _equals, value = given.annotation.partition("=")
    annotation = {name: value} if name else {}
    try:
        match given.action:
            case "backup":
                backup(annotation)
            case "verify":
                return int(verify() > 0)
            case "read":
                read(given.set)
            case "info":
                print(json.dumps(info()))
            case "check":
                print(json.dumps(check()))
            case "restore":
                print(json.dumps(restore(given.set, annotation)))
            case _:
                print(json.dumps({"aside": remove_replaced() if given.action == "remove-aside" else replaced_labels()}))
    except (DumpError, OSError) as error:
        stream = sys.stderr if given.action in ("read", "restore") else sys.stdout
        print(f"ERROR: {error}", file=stream)
        if hint := getattr(error, "hint", ""):
            print(f"HINT: {hint}", file=stream)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
