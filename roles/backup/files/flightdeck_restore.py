#!/usr/bin/python3
"""Restores a backup of the metastore beside the present data, and puts it in their place when it is whole.

Runs as postgres on a metastore host, or for a drill or the rehearsal of an upgrade on the repository host. A server of
its own, which only this account reaches, replays the archived write-ahead log up to the target, or loads a dump of an
external metastore. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# In data that were restored: by which run. Copies of the data have it, too.
MARK = "flightdeck_restored.json"
# Debian's servers, by major version.
POSTGRESQL = Path("/usr/lib/postgresql")
# Seconds that the replay may take, and between two checks of it.
LONGEST, POLL = 6 * 3600, 0.5
# Options of the server over those in the restored data: no other account reaches it, it archives no WAL, and needs no
# limits of the server that the data are of.
PRIVATE = {
    "listen_addresses": "",
    "archive_mode": "off",
    "hot_standby": "off",
    "synchronous_standby_names": "",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "shared_preload_libraries": "",
    "shared_buffers": "128MB",
    "max_connections": "20",
    "ssl": "off",
    "log_destination": "stderr",
    "logging_collector": "off",
    "recovery_target_action": "promote",
}


class RestoreError(Exception):
    """What went wrong, in a line."""


@dataclass(frozen=True)
class Target:
    """What is restored: the backup ``label`` and, where there is a ``time``, the WAL up to it; else all of it.

    ``only`` stops as soon as the backup is consistent. ``options`` are pgBackRest's own, such as its configuration.
    ``dumps`` is the program that reads dumps, where the backup is one.
    """

    stanza: str
    version: str
    label: str
    time: str = ""
    only: bool = False
    timeline: str = "latest"
    options: tuple[str, ...] = ()
    dumps: str = ""

    @property
    def program(self) -> Path:
        """The directory of the server's programs: of a dump the newest, as its clients were."""
        found = [int(path.parts[-3]) for path in POSTGRESQL.glob("*/bin/postgres")] if self.dumps else []
        return POSTGRESQL / str(max(found, default=self.version)) / "bin"


def last_lines(text: str, count: int = 6) -> str:
    """The end of ``text`` in one line."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return "; ".join(lines[-count:])


def reason(text: str) -> str:
    """Why a command failed, in a line of what it said: a program's last exception, which SQL may follow, or the end."""
    exceptions = re.findall(r"^[\w.]*(?:Error|Exception)\b.*", text, re.MULTILINE)
    return exceptions[-1] if exceptions else last_lines(text)


def run(*command: str, env: Mapping[str, str] | None = None) -> str:
    """Output of a command. Raises RestoreError."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=env)
    if done.returncode:
        raise RestoreError(f"{Path(command[0]).name}: {reason(done.stdout + done.stderr)}")
    return done.stdout


def fetch(target: Target, directory: Path) -> None:
    """Restore the files of the backup into ``directory``, which holds nothing but what a former run left."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(mode=0o700)
    if target.dumps:
        account = ("--username=postgres", "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8")
        run(str(target.program / "initdb"), f"--pgdata={directory}", "--no-sync", *account)
        return
    command = ["pgbackrest", f"--stanza={target.stanza}", *target.options, f"--pg1-path={directory}"]
    run(*command, "--type=none", f"--set={target.label}", "--log-level-console=warn", "restore")
    for name in ("postgresql.conf", "recovery.signal"):
        (directory / name).touch(mode=0o600)


def repository(target: Target, *arguments: str) -> str:
    """What pgBackRest answers of its repository. Raises RestoreError."""
    return run("pgbackrest", f"--stanza={target.stanza}", *target.options, *arguments)


def history(target: Target) -> dict[str, Any]:
    """The timelines of the server in the repository: the ``newest``, when each was ``made``, in seconds since 1970, and
    its ``forks``: the timelines before it, each with the place in the write-ahead log and the reason where it was left.

    Empty while there is one only. Raises RestoreError.
    """
    place = f"archive/{target.stanza}"
    files = json.loads(
        repository(target, "--recurse", "--output=json", r"--filter=[0-9A-F]{8}\.history$", "repo-ls", place)
    )
    if not files:
        return {}
    newest = Path(max(files))
    lines = repository(target, "repo-get", f"{place}/{newest}").splitlines()
    forks = [line.split("\t") for line in lines if line.strip()]
    return {
        "newest": int(newest.stem, 16),
        # Not of a server that was lost.
        "made": {
            int(Path(path).stem, 16): file["time"] for path, file in files.items() if Path(path).parent == newest.parent
        },
        "forks": [[int(number), lsn, reason] for number, lsn, reason in forks],
    }


def quoted(text: str) -> str:
    """``text`` as one word of a shell's command."""
    return "'" + text.replace("'", "'\\''") + "'"


def settings(target: Target, directory: Path, socket: str) -> dict[str, str]:
    """Options of the private server."""
    found = {
        **PRIVATE,
        "unix_socket_directories": socket,
        "hba_file": f"{socket}/pg_hba.conf",
        "ident_file": f"{socket}/pg_ident.conf",
        "config_file": f"{socket}/postgresql.conf",
    }
    if target.dumps:
        return found
    fetcher = ["pgbackrest", f"--stanza={target.stanza}", *target.options, f"--pg1-path={directory}"]
    found |= {
        "restore_command": " ".join([quoted(part) for part in fetcher] + ["archive-get", "%f", '"%p"']),
        "recovery_target_timeline": target.timeline,
    }
    if target.time:
        found["recovery_target_time"] = target.time
    if target.only:
        found["recovery_target"] = "immediate"
    return found


class Server:
    """The private server: reached through a socket in ``folder`` only."""

    def __init__(self, target: Target, directory: Path, folder: str) -> None:
        self.target = target
        self.directory = directory
        self.folder = folder
        self.log = Path(folder, "log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it replays the WAL then."""
        Path(self.folder, "pg_hba.conf").write_text("local all all peer\n", encoding="utf-8")
        for name in ("pg_ident.conf", "postgresql.conf"):
            Path(self.folder, name).touch()
        options = settings(self.target, self.directory, self.folder)
        command = [str(self.target.program / "postgres"), "-D", str(self.directory)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def said(self) -> str:
        """The end of its log: what was fatal, where something was."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        wrong = [line for line in lines if re.search("FATAL|PANIC|ERROR", line)]
        # What it tells a client until it has started is no reason.
        fatal = [line for line in wrong if "FATAL:  the database system is" not in line]
        return last_lines("\n".join(fatal or lines))

    def query(self, database: str, statement: str) -> list[str]:
        """Lines of the answer to ``statement``. Raises RestoreError."""
        command = ["psql", "--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--username=postgres"]
        return run(*command, f"--host={self.folder}", f"--dbname={database}", f"--command={statement}").splitlines()

    def wait(self) -> None:
        """Return when it takes writes. Raises RestoreError when it ends before, or takes too long."""
        end = time.monotonic() + LONGEST
        while True:
            if self.process is None or self.process.poll() is not None:
                raise RestoreError(f"the server ended: {self.said()}")
            with contextlib.suppress(RestoreError):
                if self.query("postgres", "SELECT pg_is_in_recovery()") == ["f"]:
                    return
            if time.monotonic() > end:
                raise RestoreError(f"the write-ahead log was not replayed within {LONGEST} s: {self.said()}")
            time.sleep(POLL)

    def load(self) -> None:
        """Load the dump into a database of the managed one's name. Raises RestoreError."""
        self.query("postgres", "CREATE DATABASE airflow")
        # The dump of a schema creates it.
        self.query("airflow", "DROP SCHEMA public")
        access = [f"--host={self.folder}", "--username=postgres", "--dbname=airflow"]
        options = ["--no-owner", "--no-privileges", "--exit-on-error"]
        with tempfile.TemporaryFile() as errors:
            reader = subprocess.Popen(
                [self.target.dumps, f"--set={self.target.label}", "read"], stdout=subprocess.PIPE, stderr=errors
            )
            loader = subprocess.Popen(
                [str(self.target.program / "pg_restore"), *options, *access], stdin=reader.stdout, stderr=errors
            )
            if reader.stdout:
                reader.stdout.close()
            codes = [loader.wait(), reader.wait()]
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
        if any(codes):
            raise RestoreError(reason(said))
        # The schema may be another one than that in which statements look for tables.
        place = "SELECT relnamespace::regnamespace FROM pg_class WHERE relname = 'alembic_version'"
        for schema in self.query("airflow", place):
            self.query("postgres", f"ALTER DATABASE airflow SET search_path = {schema}")

    def stop(self) -> None:
        """End it, with a checkpoint. Raises RestoreError."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(timeout=LONGEST):
            raise RestoreError(f"the server did not end well: {self.said()}")


@contextlib.contextmanager
def server(target: Target, directory: Path) -> Iterator[Server]:
    """A private server with the data in ``directory``, which takes writes; it has ended afterwards."""
    # A short path: that of a socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="fdr") as folder:
        own = Server(target, directory, folder)
        own.start()
        try:
            own.wait()
            if target.dumps:
                own.load()
            yield own
        finally:
            own.stop()


def keep_history(directory: Path) -> None:
    """Have the next server archive the file of the new timeline: the private one archives nothing."""
    for history in sorted((directory / "pg_wal").glob("*.history"))[-1:]:
        status = directory / "pg_wal" / "archive_status"
        if not (status / f"{history.name}.done").exists():
            (status / f"{history.name}.ready").touch(mode=0o600)


def marked(directory: Path) -> dict[str, Any]:
    """What restored the data in ``directory``; empty for others."""
    path = directory / MARK
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def write_mark(directory: Path, run_id: str, target: Target) -> None:
    """Say in the data which run restored them: they are whole."""
    found = {"run": run_id, "label": target.label, "time": target.time}
    (directory / MARK).write_text(json.dumps(found) + "\n", encoding="utf-8")
    os.chmod(directory / MARK, 0o600)


def restore(target: Target, data: Path, run_id: str) -> dict[str, Any]:
    """Restore beside ``data``; the result names the run, that of a former one which was cut off while it changed the
    directories."""
    beside = data.with_name(f"{data.name}.restoring")
    if not data.exists() and (former := marked(beside)):
        return {"run": former["run"], "resumed": True}
    fetch(target, beside)
    # Of a former restore, when the backup was made after it.
    (beside / MARK).unlink(missing_ok=True)
    with server(target, beside) as own:
        last = own.query(
            "postgres",
            "SELECT COALESCE(to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', "
            "'YYYY-MM-DD HH24:MI:SS+00'), '')",
        )
    keep_history(beside)
    write_mark(beside, run_id, target)
    return {"run": run_id, "resumed": False, "last": last[0] if last else ""}


def running(data: Path) -> bool:
    """Whether a server has the ``data`` open."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(pid, 0)
        return "postgres" in Path(f"/proc/{pid}/comm").read_text(encoding="utf-8")
    return False


def set_aside(data: Path, run_id: str) -> str:
    """Rename ``data`` unless they are those that the run restored; the new name, empty when nothing was done.

    Raises RestoreError when a server has them open.
    """
    if not data.exists() or marked(data).get("run") == run_id:
        return ""
    if running(data):
        raise RestoreError(f"a server has {data} open")
    aside = data.with_name(f"{data.name}.before-{run_id}")
    data.rename(aside)
    return str(aside)


def activate(data: Path, run_id: str) -> dict[str, Any]:
    """Put the restored data in the place of ``data``. Raises RestoreError."""
    beside = data.with_name(f"{data.name}.restoring")
    if marked(beside).get("run") != run_id:
        if marked(data).get("run") == run_id:
            return {"aside": "", "changed": False}
        raise RestoreError(f"{beside} does not hold what run {run_id} restored")
    aside = set_aside(data, run_id)
    beside.rename(data)
    return {"aside": aside, "changed": True}


COUNTS = ("dag", "dag_run", "task_instance", "connection", "variable")


def counted(own: Server) -> dict[str, int]:
    """Rows of what users would miss. Raises RestoreError."""
    tables = ", ".join(f"'{name}', (SELECT count(*) FROM {name})" for name in COUNTS)
    return dict(json.loads(own.query("airflow", f"SELECT json_build_object({tables})")[0]))


def drill(target: Target, directory: Path, sealed: str) -> dict[str, Any]:
    """Restore into ``directory``, inspect Airflow's database, and remove the data. ``sealed`` is a query for an
    encrypted text."""
    begin = time.monotonic()
    fetch(target, directory)
    try:
        with server(target, directory) as own:
            counts = counted(own)
            schema = own.query("airflow", "SELECT version_num FROM alembic_version")
            token = own.query("airflow", sealed)
            last = own.query("airflow", "SELECT COALESCE(max(updated_at)::text, '') FROM dag_run")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "label": target.label,
        "seconds": round(time.monotonic() - begin),
        "counts": counts,
        "schema": schema[0] if schema else "",
        "token": token[0] if token else "",
        "last_run": last[0] if last else "",
    }


def migrate(own: Server, release: Path, auth_manager: str) -> float:
    """Seconds that Airflow's ``release`` takes to migrate the database of the private server, as its superuser.

    ``auth_manager`` is the class whose tables are migrated, too; empty for none. Raises RestoreError.
    """
    environment = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        # Airflow writes a configuration there.
        "HOME": own.folder,
        "AIRFLOW_HOME": own.folder,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://postgres@/airflow?host={own.folder}",
        **({"AIRFLOW__CORE__AUTH_MANAGER": auth_manager} if auth_manager else {}),
    }
    begin = time.monotonic()
    run(str(release / "bin/airflow"), "db", "migrate", env=environment)
    return time.monotonic() - begin


def rehearse(target: Target, directory: Path, release: Path, auth_manager: str) -> dict[str, Any]:
    """Restore into ``directory``, migrate that with Airflow's ``release``, and remove the data.

    The result has the seconds of both, the size in bytes before, the schema before and after, and ``rows``: what was
    counted by table, with the count after the migration where that differs. Raises RestoreError.
    """
    heads = json.loads((release / "release.json").read_text(encoding="utf-8"))["heads"]
    begin = time.monotonic()
    fetch(target, directory)
    try:
        with server(target, directory) as own:
            restored = time.monotonic() - begin
            size = int(own.query("airflow", "SELECT pg_database_size('airflow')")[0])
            schema = own.query("airflow", "SELECT version_num FROM alembic_version")
            before = counted(own)
            seconds = migrate(own, release, auth_manager)
            found = {table: own.query("airflow", f"SELECT version_num FROM {table}") for table in heads}
            after = counted(own)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    wrong = {table: versions for table, versions in found.items() if versions != [heads[table]]}
    if wrong:
        raise RestoreError(f"after the migration the schema is {wrong}, that of the release is {heads}")
    return {
        "label": target.label,
        "seconds": round(restored),
        "migration_seconds": round(seconds, 1),
        "size": size,
        "schema": schema[0] if schema else "",
        "migrated": heads["alembic_version"],
        "rows": [
            f"{name} {count}" if after[name] == count else f"{name} {count}, then {after[name]}"
            for name, count in before.items()
        ],
    }


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(description=__doc__)
    actions = ["history", "restore", "activate", "set-aside", "drill", "rehearse", "aside", "remove-aside"]
    found.add_argument("action", choices=actions)
    found.add_argument("--data", type=Path, required=True, help="directory of the data, or the scratch one of a drill")
    found.add_argument("--run", default="", help="name of this run of the playbook")
    found.add_argument("--stanza", default="")
    found.add_argument("--version", default="", help="major version of PostgreSQL")
    found.add_argument("--set", default="", help="label of the backup")
    found.add_argument("--time", default="", help="up to when the write-ahead log is replayed")
    found.add_argument("--only", action="store_true", help="nothing after the backup")
    found.add_argument("--timeline", default="latest", help="as PostgreSQL's recovery_target_timeline")
    found.add_argument("--option", action="append", default=[], help="an option for pgBackRest")
    found.add_argument("--dumps", default="", help="program that reads dumps, in the place of pgBackRest")
    found.add_argument("--sealed", default="", help="query for a text that the Fernet key encrypted")
    found.add_argument("--release", type=Path, help="directory of the release of Airflow that migrates")
    found.add_argument("--auth-manager", default="", help="class whose tables are migrated, too")
    return found


def aside(data: Path) -> list[Path]:
    """What former restores set aside."""
    return sorted(data.parent.glob(f"{data.name}.before-*"))


def free(data: Path) -> int:
    """Bytes that are free where ``data`` are, or will be."""
    return shutil.disk_usage(next(path for path in data.parents if path.exists())).free


def main() -> int:
    """Entry point."""
    given = parser().parse_args()
    options = tuple(given.option)
    target = Target(
        given.stanza, given.version, given.set, given.time, given.only, given.timeline, options, given.dumps
    )
    os.umask(0o077)
    os.chdir("/")
    found: dict[str, Any]
    try:
        if given.action == "history":
            found = history(target)
        elif given.action == "restore":
            found = restore(target, given.data, given.run)
        elif given.action == "activate":
            found = activate(given.data, given.run)
        elif given.action == "set-aside":
            moved = set_aside(given.data, given.run)
            found = {"aside": moved, "changed": bool(moved)}
        elif given.action == "drill":
            found = drill(target, given.data, given.sealed)
        elif given.action == "rehearse":
            found = rehearse(target, given.data, given.release, given.auth_manager)
        else:
            paths = aside(given.data)
            for path in paths if given.action == "remove-aside" else ():
                shutil.rmtree(path)
            found = {"aside": [str(path) for path in paths], "free": free(given.data)}
    except (RestoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
