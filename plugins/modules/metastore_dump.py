#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Dump the metadata database before an upgrade, and bring it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metastore_dump
short_description: Dump Airflow's database before an upgrade, and restore it
version_added: 0.3.0
description:
  - Writes a dump of a database of the PostgreSQL server of this host, with a record of what it has, which only the
    account postgres and root can read. A dump without a record is not complete, and is never used.
  - Restores it into a database beside the present one, which it replaces by a change of names when it is complete.
    Until then the present one is as it was. Sessions of the present one are ended.
  - Must run as root on a host whose server takes writes, where root may log in as postgres by the server's socket.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports what would be done, and measures the room for it.
  diff_mode:
    support: full
    description: Shows the actions.
options:
  directory:
    description: Where dumps are.
    type: path
    default: /var/lib/postgresql/airflow-upgrade
  name:
    description: Name of the dump, without suffix.
    type: str
    required: true
  database:
    description: Name of the database.
    type: str
    required: true
  port:
    description: TCP port of the server, which is part of the name of its socket.
    type: int
    required: true
  state:
    description:
      - V(dumped) makes the dump, in the place of an earlier one of this name, see O(schema). V(restored) brings it
        back.
      - V(kept) removes all other dumps. V(described) only reads its record.
    type: str
    choices: [described, dumped, kept, restored]
    default: described
  made_at:
    description: With V(restored), when the dump was made, as its record says it. Another server may have an older dump
      of this name, which is not restored.
    type: str
    default: ''
  schema:
    description: With V(dumped), the schema version by version table from which an interrupted migration began; empty
      when none was interrupted. An earlier dump with it stays, unless DAG runs came since.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Dump the database
  flightdeck.airflow.metastore_dump:
    name: 3.2.2
    database: airflow
    port: 5432
    state: dumped
"""

RETURN = r"""
record:
  description: What the dump has, or empty when there is none. at, the time as text; schema, the schema version by
    version table; last_run, the highest number of a DAG run; size_mb, the size of the database.
  type: dict
  returned: always
path:
  description: Path of the dump.
  type: str
  returned: always
needed_mb:
  description: Room that the state needs at most.
  type: int
  returned: always
free_mb:
  description: Room that there is.
  type: int
  returned: always
seconds:
  description: How long it took.
  type: float
  returned: always
"""

import glob
import json
import os
import pwd
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

ACCOUNT = "postgres"
SOCKET = "/var/run/postgresql"
# Where other files of the server need room, too. MiB.
SPARE_MB = 256
# The database that the dump is restored into, and the one that it replaces. A run that was killed leaves the first
# incomplete, or the second one superfluous.
RESTORED = "{}_restored"
REPLACED = "{}_replaced"
ATTEMPTS = 20


class Dump:
    """A dump, its record, and the server."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.p = module.params
        base = os.path.join(self.p["directory"], self.p["name"])
        self.path, self.record_path = f"{base}.dump", f"{base}.json"
        self.server = ["--host", SOCKET, "--port", str(self.p["port"]), "--username", ACCOUNT]

    def query(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run each of the ``statements`` for itself; the rows of the last one. Raises psycopg2.Error."""
        import psycopg2

        connection = psycopg2.connect(host=SOCKET, port=self.p["port"], user=ACCOUNT, dbname=database)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def record(self) -> dict[str, Any]:
        """The record of a complete dump, or nothing."""
        text = _files.read_text(self.record_path)
        return dict(json.loads(text)) if text and os.path.exists(self.path) else {}

    def present(self) -> dict[str, Any]:
        """What the record of a dump made now would say. Raises psycopg2.Error."""
        name = self.p["database"]
        ((size, now),) = self.query(name, "SELECT pg_database_size(current_database()), now()::text")
        tables = [
            row[0]
            for row in self.query(name, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'alembic_version%'")
        ]
        schema = {
            table: str((self.query(name, f"SELECT version_num FROM {table}") or [("",)])[0][0]) for table in tables
        }
        ((last_run,),) = self.query(name, "SELECT COALESCE(max(id), 0) FROM dag_run") if schema else [(0,)]
        return {"at": now, "schema": schema, "last_run": last_run, "size_mb": size >> 20}

    def stays(self) -> bool:
        """Whether there is a dump from before an interrupted migration, which a new one would be worth less than.
        Raises psycopg2.Error."""
        wanted, had = self.p["schema"].items(), self.record()
        if not wanted or not had or not wanted <= had["schema"].items():
            return False
        return bool(self.present()["last_run"] == had["last_run"])

    def command(self, *argv: str) -> None:
        """Run a client of PostgreSQL; fail with what it says."""
        # Its files are closed to others from the beginning.
        code, out, err = self.module.run_command(["/bin/sh", "-c", 'umask 0077; exec "$@"', "sh", *argv])
        if code:
            self.module.fail_json(msg=f"{argv[0]} failed: {(err or out).strip()[-2000:]}")

    def dump(self) -> None:
        """Make the dump. Raises psycopg2.Error and OSError."""
        account = pwd.getpwnam(ACCOUNT)
        os.makedirs(self.p["directory"], mode=0o700, exist_ok=True)
        os.chown(self.p["directory"], account.pw_uid, account.pw_gid)
        for path in (self.record_path, f"{self.path}.part"):
            if os.path.exists(path):
                os.unlink(path)
        # Before the dump, so that it never has less than its record says.
        record = self.present()
        # Services wait for it: little compression.
        self.command(
            "pg_dump", *self.server, "--format=custom", "--compress=1", f"--file={self.path}.part", self.p["database"]
        )
        os.chown(f"{self.path}.part", account.pw_uid, account.pw_gid)
        os.rename(f"{self.path}.part", self.path)
        _files.write_text(self.record_path, json.dumps(record), account.pw_uid, account.pw_gid, 0o600)

    def restore(self) -> None:
        """Restore the dump, and have it take the place of the database. Raises psycopg2.Error."""
        name = self.p["database"]
        restored, replaced = RESTORED.format(name), REPLACED.format(name)
        ((owner,),) = self.query(
            "postgres", f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'"
        )
        drop = 'DROP DATABASE IF EXISTS "{}" WITH (FORCE)'
        self.query(
            "postgres",
            drop.format(restored),
            drop.format(replaced),
            f'CREATE DATABASE "{restored}" OWNER "{owner}" ENCODING UTF8 TEMPLATE template0',
        )
        self.command("pg_restore", *self.server, "--exit-on-error", "--jobs=2", f"--dbname={restored}", self.path)
        self.swap(name, restored, replaced)
        self.query("postgres", drop.format(replaced))

    def swap(self, name: str, restored: str, replaced: str) -> None:
        """Give ``restored`` the name of the database, which is called ``replaced`` then: both or none. Raises
        psycopg2.Error."""
        import psycopg2

        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        # One string is one transaction. A session that comes in between makes it fail.
        rename = f'ALTER DATABASE "{name}" RENAME TO "{replaced}"; ALTER DATABASE "{restored}" RENAME TO "{name}"'
        for attempt in range(ATTEMPTS):
            try:
                self.query("postgres", end, f"BEGIN; {rename}; COMMIT")
            except psycopg2.OperationalError:
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.5)
            else:
                return

    def room(self) -> tuple[int, int]:
        """MiB that the state needs at most where the dump, or PostgreSQL's data, is, and that there are. Raises
        psycopg2.Error and OSError."""
        if self.p["state"] == "restored":
            (place,), needed = self.query("postgres", "SHOW data_directory")[0], self.record().get("size_mb", 0)
        else:
            place, needed = self.p["directory"], self.present()["size_mb"]
            while not os.path.isdir(place):
                place = os.path.dirname(place)
        found = os.statvfs(place)
        return needed + SPARE_MB, found.f_bavail * found.f_frsize >> 20

    def others(self) -> list[str]:
        """Files of other dumps."""
        own = {self.path, self.record_path}
        found = glob.glob(os.path.join(glob.escape(self.p["directory"]), "*"))
        return sorted(path for path in found if path not in own)

    def run(self) -> None:
        """Do what the state asks for, and end. Raises psycopg2.Error and OSError."""
        state, began = self.p["state"], time.monotonic()
        needed = free = 0
        actions: list[str] = []
        if state == "restored" or (state == "dumped" and not self.stays()):
            needed, free = self.room()
            actions = [f"{'dump' if state == 'dumped' else 'restore'} {self.path}"]
            made_at = self.p["made_at"]
            if state == "restored" and (not self.record() or made_at not in ("", self.record()["at"])):
                found = f"one of {self.record()['at']}" if self.record() else "no complete dump"
                expected = f"that of {made_at}, which the server has that led then" if made_at else "one"
                self.module.fail_json(msg=f"{self.path}: found {found}; expected {expected}")
            if not self.module.check_mode:
                self.dump() if state == "dumped" else self.restore()
        elif state == "kept" and self.record():
            # Records last: until then a killed run leaves complete dumps.
            for path in self.others():
                actions.append(f"remove {path}")
                if not self.module.check_mode:
                    os.unlink(path)
        self.module.exit_json(
            changed=bool(actions),
            record=self.record(),
            path=self.path,
            needed_mb=needed,
            free_mb=free,
            seconds=round(time.monotonic() - began, 1),
            diff={"before": "", "after": "".join(f"{action}\n" for action in actions)},
        )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/var/lib/postgresql/airflow-upgrade"},
            "name": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "state": {"type": "str", "choices": ["described", "dumped", "kept", "restored"], "default": "described"},
            "made_at": {"type": "str", "default": ""},
            "schema": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    dump = Dump(module)
    try:
        import psycopg2

        dump.run()
    except ImportError as error:
        module.fail_json(msg=f"python3-psycopg2 is not there: {error}")
    except (OSError, psycopg2.Error) as error:
        module.fail_json(msg=f"{dump.path}: {str(error).strip()}")


if __name__ == "__main__":
    main()
