# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of verify and status: collects rows, sorts them as the tiers depend on each other, renders them, and
says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils._rows import CLUSTER, Row
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.canary import row
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import HEARTBEATS, ORDER

# Of the report for programs. A new key, or a new kind of row, is no other format.
FORMAT = 1
BAD = frozenset({"failed", "unreachable"})
_HEADINGS = ("COMPONENT", "HOST", "STATE", "DETAIL")
_COLUMNS = ("component", "host", "state", "detail")
_SHOWN = 8
# From the worst: which of several hosts' words about the cluster counts.
_WORST = ("unreachable", "failed", "degraded", "ok")


def host_rows(host: str, found: Mapping[str, Any] | None) -> list[Row]:
    """Rows of one host from what its ``node_info`` task registered; None when it was not asked (``--limit``)."""
    if found is None:
        return []
    if found.get("unreachable"):
        return [row("host", host, "unreachable", one_line(found.get("msg")))]
    if "rows" not in found:
        # A connection that breaks before the module answers says so there.
        reason = found.get("module_stderr") or found.get("msg")
        return [row("host", host, "failed", f"its services could not be checked: {one_line(reason)}")]
    lines: list[Row] = found["rows"]
    return [{**line, "host": host} for line in lines]


def health_rows(url: str, answer: Mapping[str, Any] | str, groups: Iterable[str]) -> list[Row]:
    """Rows of Airflow's own health page, which knows one live instance of each kind at best; a text says why there
    is none."""
    if isinstance(answer, str):
        return [row("health", "-", "failed", f"{url}: {answer}")]
    rows = []
    groups = set(groups)
    wanted = {"metadatabase": True, **{component: component in groups for component in HEARTBEATS}}
    for name, needed in wanted.items():
        state = (answer.get(name) or {}).get("status")
        # Airflow 2.11 says null of a component that never ran.
        if not needed and state is None:
            continue
        rows.append(
            row(
                f"health {name}",
                "-",
                "ok" if state == "healthy" else "failed",
                f"{state or 'unknown'} according to {url}",
            )
        )
    return rows


def once(rows: Iterable[Row]) -> list[Row]:
    """``rows`` without repetitions of what several hosts say about the whole cluster: the worst of it stays."""
    found: dict[str, Row] = {}
    others: list[Row] = []
    for line in rows:
        if line.get("scope") != CLUSTER:
            others.append(line)
            continue
        held = found.setdefault(line["component"], {**line, "host": "-"})
        if _WORST.index(line["state"]) < _WORST.index(held["state"]):
            found[line["component"]] = {**line, "host": "-"}
    return [*others, *found.values()]


def revision_rows(rows: Iterable[Row]) -> list[Row]:
    """A row about the DAGs when hosts have different revisions: tasks of one run would read different files."""
    hosts: dict[str, list[str]] = {}
    for line in rows:
        revision = line.get("data", {}).get("revision") if line["component"] == "dags" else None
        if revision:
            hosts.setdefault(str(revision), []).append(line["host"])
    if len(hosts) < 2:
        return []
    text = "; ".join(f"{revision} on {', '.join(sorted(names))}" for revision, names in sorted(hosts.items()))
    return [row("dags", "-", "failed", f"hosts have different revisions: {text}; run flightdeck.airflow.deploy_dags")]


def document(
    name: str, url: str, version: str, rows: Sequence[Row], not_asked: Sequence[str], *, now: str
) -> dict[str, Any]:
    """The report for programs: ``now`` is the time as text."""
    good, text = verdict(name, rows, not_asked)
    findings = [{key: value for key, value in line.items() if key != "scope"} for line in rows]
    return {
        "format": FORMAT,
        "cluster": name,
        "url": url,
        "airflow_version": version,
        "time": now,
        "good": good,
        "summary": text,
        "hosts_not_asked": list(not_asked),
        "rows": findings,
    }


def one_line(text: Any, limit: int = 300) -> str:
    """``text`` without line breaks, shortened."""
    return " ".join(str(text or "no reason given").split())[:limit]


def arranged(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of ORDER, then by component and host."""

    def key(line: Row) -> tuple[int, str, str]:
        kind = line["component"].split(" ", maxsplit=1)[0]
        return (ORDER.index(kind) if kind in ORDER else len(ORDER), line["component"], line["host"])

    return sorted(rows, key=key)


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of text, columns aligned; a component is named once."""
    widths = [
        max([len(heading), *(len(_cell(line, column)) for line in rows)])
        for heading, column in zip(_HEADINGS, _COLUMNS, strict=True)
    ]
    lines = [_line(_HEADINGS, widths)]
    above = ""
    for line in rows:
        cells = [_cell(line, column) for column in _COLUMNS]
        if cells[0] == above:
            cells[0] = ""
        else:
            above = cells[0]
        lines.append(_line(cells, widths))
    return lines


def _cell(line: Row, column: str) -> str:
    return str(line.get(column, ""))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def verdict(name: str, rows: Sequence[Row], not_asked: Sequence[str]) -> tuple[bool, str]:
    """Whether all is well, and a sentence that names what is not."""
    bad = [line for line in rows if line["state"] in BAD]
    left_out = f" ({len(not_asked)} hosts not asked: {', '.join(not_asked)})" if not_asked else ""
    if not rows:
        return False, f"cluster {name}: nothing was checked{left_out}"
    if not bad:
        return True, f"cluster {name}: all {len(rows)} findings are good{left_out}"
    texts = [
        f"{line['component']}{'' if line['host'] == '-' else ' on ' + line['host']}: {line['detail']}"
        for line in bad[:_SHOWN]
    ]
    more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return False, f"cluster {name}: {len(bad)} of {len(rows)} findings are bad{left_out}: {'; '.join(texts)}{more}"
