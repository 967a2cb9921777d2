# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional modes of components: everything that the rest of the collection has to know of each. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Wrapper:
    """A program that a component's unit runs in the place of Airflow, and that runs Airflow's process as its child.

    ``program`` is its path on the hosts, ``source`` its file in the collection, ``command`` the argument that the unit
    gives it. It notifies systemd of its start, and at least every ``watchdog_seconds`` that it lives. For
    airflow-health it keeps ``/run/<unit>/state.json``, an object with ``pid``, the process of Airflow to check, 0
    without one; ``unhealthy`` and ``unknown``, a reason or nothing; and ``summary``.
    """

    program: str
    source: str
    command: str
    watchdog_seconds: int


@dataclass(frozen=True)
class Mode:
    """A mode of ``component``, whose systemd unit is ``unit``. ``value`` of the variable ``setting``
    enables it, ``default`` disables it.

    ``name`` is also the role's. Its entry points: ``main`` installs the wrapper; in the metastore, which must be one
    that the collection manages, ``functions`` installs what the mode needs, ``register_hosts`` registers the
    component's hosts, and ``drop_old_hosts`` removes former ones; ``stop_unwrapped`` stops a component that runs
    without the wrapper. What it adds to the model: ``_model/modes.py``.

    A process of the component reads ``secret_files`` besides its own, and in the place of each common file in
    ``replaced_files`` the one that stands there. ``passwords`` are generated secrets with their accounts in the
    metastore, ``given_secrets`` those that only the user can know. ``sessions_per_host`` are sessions in the metastore
    besides Airflow's.
    """

    name: str
    component: str
    unit: str
    setting: str
    value: str
    default: str
    wrapper: Wrapper
    secret_files: tuple[str, ...]
    replaced_files: Mapping[str, str]
    passwords: Mapping[str, str]
    given_secrets: tuple[str, ...]
    sessions_per_host: int


# One scheduler is active at a time: docs/scheduler-failover.md. Each host's scheduler logs in to the metastore as a
# user of its own, LOGIN_PREFIX with the host; LEASE_ACCOUNT may only call the functions of the lease.
LOGIN_PREFIX = "airflow_sched_"
LEASE_ACCOUNT = "airflow_lease"
SCHEDULER_LEASE = Mode(
    name="scheduler_lease",
    component="scheduler",
    unit="airflow-scheduler.service",
    setting="airflow_scheduler_mode",
    value="singleton",
    default="active_active",
    wrapper=Wrapper(
        program="/usr/local/sbin/flightdeck-scheduler-lease",
        source="roles/scheduler_lease/files/flightdeck_scheduler_lease.py",
        command="start",
        watchdog_seconds=20,
    ),
    # The URL by which the agent logs in, and its settings.
    secret_files=("scheduler_lease_conn", "scheduler_lease_settings"),
    replaced_files={"sql_alchemy_conn": "scheduler_conn", "sql_alchemy_conn_async": "scheduler_conn_async"},
    # The password of each host's user is derived from the first.
    passwords={"scheduler_password": LOGIN_PREFIX.rstrip("_"), "scheduler_lease_password": LEASE_ACCOUNT},
    given_secrets=("failover_email_password", "failover_webhook_url"),
    # Of the agent, and of an operator's command beside it.
    sessions_per_host=2,
)

MODES = (SCHEDULER_LEASE,)
PROGRAMS = tuple(mode.wrapper.program for mode in MODES)
