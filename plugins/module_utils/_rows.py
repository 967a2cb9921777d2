# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of the report of status and verify. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

# What a row says in a form for programs, besides its text.
Value = str | int | float | bool | None
Data = Mapping[str, Value]

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
# What concerns the whole cluster and every host says alike.
CLUSTER = "cluster"


class Finding(TypedDict):
    """A line of the report: ``component`` by its kind and name, such as ``queue default``; ``state`` is ok, degraded,
    failed or unreachable; ``detail`` is for people."""

    component: str
    state: str
    detail: str


class Row(Finding, total=False):
    """A finding of a host, ``-`` for none. ``data`` is for programs. With the ``scope`` cluster, several hosts say the
    same and the report has it once."""

    host: str
    data: Data
    scope: str


def row(component: str, state: str, detail: str, data: Data | None = None, *, scope: str = "") -> Row:
    """A row of the host that is asked; the report adds its name."""
    line: Row = {"component": component, "state": state, "detail": detail}
    if data is not None:
        line["data"] = data
    if scope:
        line["scope"] = scope
    return line
