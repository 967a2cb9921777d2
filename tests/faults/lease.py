"""Faults of schedulers in singleton mode, and a record of every commit of theirs in the order of commits."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cluster import Cluster, wait
from faults import (
    LOSS,
    SILENCE,
    Fault,
    Undo,
    cut_off,
    freeze_process,
    kill_host,
    kill_process,
    leader,
    pause_host,
    together,
)

# A deferred constraint trigger fires at the end of its transaction. It waits there until all transactions that were
# recorded before have committed, so that the numbers are in the order of commits.
RECORD = """
CREATE SCHEMA flightdeck_lease;
CREATE TABLE flightdeck_lease.record (
  n bigserial, kind text, transaction xid8 PRIMARY KEY DEFAULT pg_current_xact_id(), login text, epoch bigint,
  began timestamptz,
  at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION flightdeck_lease.commits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF starts_with(session_user, 'airflow_sched_') THEN
    PERFORM pg_advisory_xact_lock(280028);
    INSERT INTO flightdeck_lease.record (kind, login, began)
      SELECT 'commit', session_user, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
      ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END$$;
CREATE FUNCTION flightdeck_lease.begins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(280028);
  INSERT INTO flightdeck_lease.record (kind, login, epoch)
    SELECT 'epoch', login, NEW.epoch FROM scheduler_lease.node WHERE host = NEW.leader ON CONFLICT DO NOTHING;
  RETURN NULL;
END$$;
INSERT INTO flightdeck_lease.record (kind, login, epoch, at)
  SELECT 'epoch', login, epoch, acquired_at FROM scheduler_lease.lease JOIN scheduler_lease.node ON host = leader;
"""
# A transaction for each table: one for all would lock them in an order of its own.
TABLES = ("public.task_instance", "public.dag_run", "public.job")
INSTALL = (
    RECORD,
    """CREATE TRIGGER flightdeck_lease AFTER UPDATE OF epoch ON scheduler_lease.lease
      FOR EACH ROW EXECUTE FUNCTION flightdeck_lease.begins()""",
    *(
        f"""CREATE CONSTRAINT TRIGGER flightdeck_lease AFTER INSERT OR UPDATE OR DELETE ON {table}
            DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION flightdeck_lease.commits()"""
        for table in TABLES
    ),
)
REMOVE = (
    *(f"DROP TRIGGER IF EXISTS flightdeck_lease ON {table}" for table in (*TABLES, "scheduler_lease.lease")),
    "DROP SCHEMA IF EXISTS flightdeck_lease CASCADE",
)
READ = """SELECT coalesce(json_agg(json_build_object('kind', kind, 'login', login, 'epoch', epoch,
  'began', extract(epoch FROM began), 'at', extract(epoch FROM at)) ORDER BY n), '[]') FROM flightdeck_lease.record"""


def enabled(cluster: Cluster) -> bool:
    """Whether the cluster's schedulers are in singleton mode."""
    return bool(cluster.model["modes"]["scheduler_lease"]["enabled"])


def psql(cluster: Cluster, *statements: str) -> str:
    """Output of statements, each a transaction, on the metastore's leader."""
    commands = [word for statement in statements for word in ("--command", statement)]
    options = ("--username=postgres", "--dbname=airflow", "--quiet", "-At", "--set=ON_ERROR_STOP=1")
    return cluster.run(cluster.leader(), "psql", *options, *commands).strip()


@contextlib.contextmanager
def recorded(cluster: Cluster) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Record all commits; the function that is yielded reads the record."""
    psql(cluster, *REMOVE, *INSTALL)
    try:
        yield lambda: json.loads(psql(cluster, READ))
    finally:
        psql(cluster, *REMOVE)


def status(cluster: Cluster) -> dict[str, Any]:
    """What the metastore stores about the lease."""
    return dict(json.loads(psql(cluster, "SELECT scheduler_lease.status()")))


def active(cluster: Cluster) -> str:
    """The host that holds the lease."""
    return str(status(cluster)["leader"])


def standby(cluster: Cluster) -> str:
    """A scheduler host that does not hold the lease."""
    return next(host for host in cluster.hosts("scheduler") if host != active(cluster))


@dataclass
class LeaseFault(Fault):
    """A fault, the longest time between two commits of schedulers that is allowed, and the least number of new
    epochs."""

    gap: float = 60
    changes: int = 1
    # One worker for all, which has to catch up before the next one in a row.
    every: float = 10
    body_seconds: float = 3
    bodies: int = 1

    def problem(self, cluster: Cluster) -> str:
        """As for every fault; and one scheduler is active while all others are standby."""
        if problem := cluster.problem():
            return problem
        found = status(cluster)
        states = sorted(node["state"] if node["live"] else "not live" for node in found["nodes"])
        expected = ["active", *["standby"] * (len(states) - 1)]
        return "" if found["valid"] and states == expected else f"lease: {states}"


def expire(cluster: Cluster, _undo: Undo) -> None:
    """The lease expires while the leader lives, as when the metastore's clock jumps forward by an hour.

    Containers share one clock, so the row is put back, and again when the leader renewed it before a standby asked.
    """
    epoch = status(cluster)["epoch"]

    def problem() -> str:
        psql(
            cluster,
            f"UPDATE scheduler_lease.lease SET renewed_at = renewed_at - interval '1 hour' WHERE epoch = {epoch}",
        )
        return "" if status(cluster)["epoch"] > epoch else "the epoch is the same"

    wait("the lease expires", problem, 30)


def kill_child(cluster: Cluster, _undo: Undo) -> None:
    """Airflow's scheduler dies, its agent lives."""
    state = "/run/airflow-scheduler/state.json"
    cluster.run(active(cluster), "python3", "-c", f"import json, os; os.kill(json.load(open('{state}'))['pid'], 9)")


def switch_over(cluster: Cluster, _undo: Undo) -> None:
    """As an operator does."""
    cluster.run(active(cluster), "flightdeck-scheduler-lease", "switchover", "--wait", "90", standby(cluster))


def schedulers(cluster: Cluster) -> list[str]:
    """Hosts where probes would be lost with the scheduler."""
    return cluster.hosts("scheduler")


# What else runs on the host of the scheduler is lost with it; the load balancers and brokers are on the hosts of the
# metastore.
_HOST: dict[str, Any] = {"probe_not_on": schedulers, "http": 8, "heal": 240}
# The metastore needs a leader before a host can acquire the lease. It is elected while the lease expires.
_STORE: dict[str, Any] = {**_HOST, "http": LOSS, "metastore": LOSS, "broker": SILENCE}
FAULTS = [
    LeaseFault(
        "F28a",
        "the active scheduler is killed",
        kill_process(active, "airflow-scheduler", "all"),
        0,
        probe_not_on=schedulers,
        guards=True,
    ),
    LeaseFault(
        "F28b",
        "the agent of the active scheduler is killed",
        kill_process(active, "airflow-scheduler"),
        0,
        probe_not_on=schedulers,
    ),
    LeaseFault("F28c", "the active scheduler's host is lost", kill_host(active), 90, guards=True, **_HOST),
    LeaseFault("F28d", "the active scheduler's host is frozen", pause_host(active), 90, guards=True, **_HOST),
    LeaseFault("F28e", "the active scheduler's host is cut off", cut_off(active), 90, **_HOST),
    LeaseFault(
        "F28f",
        "it is lost together with the metastore's leader",
        together(kill_host(active), kill_host(leader)),
        90,
        **_STORE,
    ),
    LeaseFault(
        "F28g",
        "it is cut off while the metastore's leader is lost",
        together(cut_off(active), kill_host(leader)),
        90,
        **_STORE,
    ),
    # The active host may be faster than the standby when the metastore is back, and keep the lease.
    LeaseFault("F28h", "the metastore's leader is lost", kill_host(leader), 60, changes=0, **_STORE),
    LeaseFault("F28i", "the lease expires while its holder lives", expire, 0, probe_not_on=schedulers),
    LeaseFault("F28j", "a switchover to the standby", switch_over, 0, probe_not_on=schedulers, guards=True),
    # Only the metastore and systemd's watchdog are left to end its scheduler.
    LeaseFault(
        "F28k",
        "the lease of a scheduler expires whose agent is frozen",
        together(freeze_process(active, "airflow-scheduler", "main"), expire),
        30,
        probe_not_on=schedulers,
    ),
    # Its agent starts it again, and after three times in a row another host does.
    LeaseFault(
        "F28l", "the active scheduler dies and its agent lives", kill_child, 0, probe_not_on=schedulers, changes=0
    ),
]
