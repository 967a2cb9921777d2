"""Write dashboards of Grafana and pages of Prometheus, both in roles/monitoring/files, from the queries below.

`make docs` runs it, a unit test compares.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

TARGET = Path(__file__).parents[1] / "roles/monitoring/files/dashboards"
CONSOLES = TARGET.with_name("consoles")
# What all pages have, besides their panels.
LIBRARY = Path(__file__).with_name("console.lib")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# Half of Grafana's width of 24, and its units of height.
WIDTH, HEIGHT = 12, 8


@dataclass(frozen=True)
class Graph:
    """A panel: its title, its queries with the names of their lines, and the unit of Grafana of its values."""

    title: str
    queries: dict[str, str]
    unit: str = "short"


# Not those by which Celery's processes talk to each other.
QUEUES = '{queue!~"celery_delayed_.*|celeryev.*|.*pidbox"}'


def seconds(metric: str, by: str, statistic: str = "average") -> str:
    """The query of a duration of Airflow's."""
    return f'max by ({by}) (airflow_seconds{{metric="{metric}", statistic="{statistic}"}})'


def gauge(metric: str, by: str) -> str:
    """The query of a number of Airflow's."""
    return f'max by ({by}) (airflow_gauge{{metric="{metric}"}})'


def per_minute(metric: str, by: str) -> str:
    """The query of how often something happens to Airflow."""
    return f'60 * sum by ({by}) (rate(airflow_events_total{{metric="{metric}"}}[5m]))'


DASHBOARDS: dict[str, dict[str, list[Graph]]] = {
    "cluster": {
        "State": [
            Graph("Hosts that answer", {"{{instance}}": 'up{job="node"}'}),
            Graph("Alerts", {"firing": 'count(ALERTS{alertstate="firing"}) or vector(0)'}),
            Graph(
                "Services that do not run",
                {
                    "services": 'count(node_systemd_unit_state{name=~"(airflow-.+|haproxy|rabbitmq-server|etcd|patroni)'
                    '[.]service", state=~"failed|inactive"} == 1) or vector(0)'
                },
            ),
            Graph("Drained hosts", {"{{instance}}": "flightdeck_drained"}),
            Graph(
                "Days until a certificate ends",
                {"{{instance}}": "min by (instance) (flightdeck_certificate_end_timestamp_seconds - time()) / 86400"},
            ),
            Graph(
                "Restarts by the watchdog",
                {"{{instance}} {{unit}}": "increase(flightdeck_watchdog_restarts_total[1h])"},
            ),
        ],
        "Hosts": [
            Graph(
                "Processor",
                {"{{instance}}": '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))'},
                "percentunit",
            ),
            Graph(
                "Memory",
                {"{{instance}}": "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"},
                "percentunit",
            ),
            Graph(
                "Free room on disks",
                {
                    "{{instance}} {{mountpoint}}": 'node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs"}'
                    " / node_filesystem_size_bytes"
                },
                "percentunit",
            ),
            Graph("Load", {"{{instance}}": "node_load5"}),
            Graph(
                "Network",
                {
                    "{{instance}} receives": "sum by (instance) (rate(node_network_receive_bytes_total[5m]))",
                    "{{instance}} sends": "sum by (instance) (rate(node_network_transmit_bytes_total[5m]))",
                },
                "Bps",
            ),
            Graph("Clock", {"{{instance}}": "node_time_seconds - timestamp(node_time_seconds)"}, "s"),
        ],
    },
    "scheduler": {
        "Scheduler": [
            Graph("Heartbeats per minute", {"{{instance}}": per_minute("scheduler_heartbeat", "instance")}),
            Graph(
                "Duration of a loop",
                {
                    "{{instance}}": seconds("scheduler.scheduler_loop_duration", "instance"),
                    "{{instance}} 95 %": seconds("scheduler.scheduler_loop_duration", "instance", "percentile-95"),
                },
                "s",
            ),
            Graph(
                "Slots of the executor",
                {
                    "{{instance}} open": gauge("executor.open_slots", "instance"),
                    "{{instance}} queued": gauge("executor.queued_tasks", "instance"),
                    "{{instance}} running": gauge("executor.running_tasks", "instance"),
                },
            ),
            Graph(
                "Tasks",
                {
                    "{{instance}} executable": gauge("scheduler.tasks.executable", "instance"),
                    "{{instance}} starving": gauge("scheduler.tasks.starving", "instance"),
                },
            ),
        ],
        "DAG processor": [
            Graph("Files that cannot be imported", {"{{instance}}": gauge("dag_processing.import_errors", "instance")}),
            Graph("Duration of a round", {"{{instance}}": gauge("dag_processing.total_parse_time", "instance")}, "s"),
            Graph("Files that wait", {"{{instance}}": gauge("dag_processing.file_path_queue_size", "instance")}),
            Graph("Heartbeats per minute", {"{{instance}}": per_minute("dag_processor_heartbeat", "instance")}),
        ],
        "Triggerer": [
            Graph("Triggers", {"{{instance}}": gauge("triggers.running", "instance")}),
            Graph("Heartbeats per minute", {"{{instance}}": per_minute("triggerer_heartbeat", "instance")}),
        ],
    },
    "workers": {
        "Queues": [
            Graph("Messages that wait", {"{{queue}}": f"max by (queue) (rabbitmq_queue_messages_ready{QUEUES})"}),
            Graph(
                "Messages that workers hold",
                {"{{queue}}": f"max by (queue) (rabbitmq_queue_messages_unacked{QUEUES})"},
            ),
            Graph("Consumers", {"{{queue}}": f"max by (queue) (rabbitmq_queue_consumers{QUEUES})"}),
            Graph(
                "Workers that run",
                {"{{instance}} {{name}}": 'node_systemd_unit_state{name=~"airflow-worker@.+", state="active"}'},
            ),
        ],
        "Tasks": [
            Graph("Begun per minute", {"{{instance}}": per_minute("ti.start", "instance")}),
            Graph("Ended per minute", {"{{instance}} {{state}}": per_minute("ti.finish", "instance, state")}),
            Graph("From scheduled to queued", {"{{instance}}": seconds("task.scheduled_duration", "instance")}, "s"),
            Graph("Failed health checks", {"{{instance}} {{unit}}": "flightdeck_health_failed_checks"}),
        ],
    },
    "metastore": {
        "PostgreSQL": [
            Graph("Servers that answer", {"{{instance}}": "pg_up"}),
            Graph("Connections", {"{{instance}} {{state}}": "sum by (instance, state) (pg_stat_activity_count)"}),
            Graph(
                "Transactions per second",
                {
                    "{{instance}} committed": "sum by (instance) (rate(pg_stat_database_xact_commit[5m]))",
                    "{{instance}} rolled back": "sum by (instance) (rate(pg_stat_database_xact_rollback[5m]))",
                },
            ),
            Graph("Size", {"{{instance}} {{datname}}": 'pg_database_size_bytes{datname=~"airflow.*"}'}, "bytes"),
            Graph(
                "Read from the cache",
                {
                    "{{instance}}": "sum by (instance) (rate(pg_stat_database_blks_hit[5m])) / (sum by (instance) "
                    "(rate(pg_stat_database_blks_hit[5m])) + sum by (instance) (rate(pg_stat_database_blks_read[5m])))"
                },
                "percentunit",
            ),
            Graph("Locks", {"{{instance}} {{mode}}": "sum by (instance, mode) (pg_locks_count)"}),
        ],
        "Patroni and etcd": [
            Graph("Leader", {"{{instance}}": '{__name__=~"patroni_master|patroni_primary"}'}),
            Graph(
                "Behind the leader",
                {"{{instance}}": "scalar(max(patroni_xlog_location)) - patroni_xlog_replayed_location"},
                "bytes",
            ),
            Graph("etcd has a leader", {"{{instance}}": "etcd_server_has_leader"}),
        ],
    },
    "broker": {
        "RabbitMQ": [
            Graph("Nodes that answer", {"{{instance}}": 'up{job="rabbitmq"}'}),
            Graph(
                "Connections and channels",
                {
                    "{{instance}} opened per minute": "60 * rate(rabbitmq_connections_opened_total[5m])",
                    "{{instance}} channels opened per minute": "60 * rate(rabbitmq_channels_opened_total[5m])",
                },
            ),
            Graph("Messages", {"{{instance}}": "sum by (instance) (rabbitmq_queue_messages)"}),
            Graph("Memory", {"{{instance}}": "rabbitmq_process_resident_memory_bytes"}, "bytes"),
            Graph("Free room", {"{{instance}}": "rabbitmq_disk_space_available_bytes"}, "bytes"),
        ],
        "Redis": [
            Graph("Messages that wait", {"{{key}}": "redis_key_size"}),
            Graph("Clients", {"{{instance}}": "redis_connected_clients"}),
            Graph(
                "Memory",
                {"{{instance}} used": "redis_memory_used_bytes", "{{instance}} at most": "redis_memory_max_bytes"},
                "bytes",
            ),
            Graph("Commands per second", {"{{instance}}": "rate(redis_commands_processed_total[5m])"}),
        ],
    },
    "load_balancer": {
        "HAProxy": [
            Graph("Servers in use", {"{{instance}} {{proxy}}": "haproxy_backend_active_servers"}),
            Graph("Sessions", {"{{instance}} {{proxy}}": "haproxy_backend_current_sessions"}),
            Graph("Requests that wait for a server", {"{{instance}} {{proxy}}": "haproxy_backend_current_queue"}),
            Graph(
                "Answers per second",
                {
                    "{{proxy}} {{code}}": "sum by (proxy, code) (rate(haproxy_backend_http_responses_total[5m]))",
                },
            ),
            Graph(
                "Time of an answer",
                {"{{instance}} {{proxy}}": "haproxy_backend_response_time_average_seconds"},
                "s",
            ),
            Graph(
                "Traffic",
                {"{{proxy}}": "sum by (proxy) (rate(haproxy_backend_bytes_out_total[5m]))"},
                "Bps",
            ),
            Graph(
                "Failed connections per minute",
                {"{{proxy}}": "60 * sum by (proxy) (rate(haproxy_backend_connection_errors_total[5m]))"},
            ),
        ],
    },
    "dags": {
        "Runs": [
            Graph("Duration", {"{{dag_id}}": seconds("dagrun.duration.success", "dag_id")}, "s"),
            Graph("Tasks ended per minute", {"{{dag_id}} {{state}}": per_minute("ti.finish", "dag_id, state")}),
            Graph("Duration of tasks", {"{{dag_id}} {{task_id}}": seconds("task.duration", "dag_id, task_id")}, "s"),
            Graph("DAG files", {"{{revision}}": "count by (revision) (flightdeck_dags_info)"}),
        ],
        "Pools": [
            Graph("Open slots", {"{{pool_name}}": gauge("pool.open_slots", "pool_name")}),
            Graph("Running slots", {"{{pool_name}}": gauge("pool.running_slots", "pool_name")}),
            Graph("Queued slots", {"{{pool_name}}": gauge("pool.queued_slots", "pool_name")}),
            Graph(
                "Tasks that wait for a slot",
                {"{{pool_name}}": f"{gauge('pool.starving_tasks', 'pool_name')} or vector(0)"},
            ),
        ],
    },
}


def panel(graph: Graph) -> Timeseries:
    """The panel of a ``graph``."""
    built = Timeseries().title(graph.title).unit(graph.unit).datasource(SOURCE).span(WIDTH).height(HEIGHT)
    for number, (legend, query) in enumerate(graph.queries.items()):
        target = Dataquery().expr(query).legend_format(legend).ref_id("ABCDEF"[number]).datasource(SOURCE)
        built = built.with_target(target)
    return built


def render(name: str) -> str:
    """The JSON of the dashboard ``name``."""
    title = f"Airflow: {name.replace('_', ' ')}"
    built = Dashboard(title).uid(f"flightdeck-{name.replace('_', '-')}").tags(["airflow", "flightdeck"])
    built = built.refresh("30s").time("now-3h", "now").timezone("browser")
    built = built.with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for row, graphs in DASHBOARDS[name].items():
        built = built.with_row(Row(row))
        for graph in graphs:
            built = built.with_panel(panel(graph))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def page_name(name: str) -> str:
    """The file of the page ``name``: Prometheus's own pages have a link to index.html."""
    return f"{'index' if name == 'cluster' else name}.html"


def console(name: str) -> str:
    """The page ``name`` of Prometheus, which a browser draws."""
    links = "\n".join(
        f'<a href="{page_name(each)}"{" class=here" if each == name else ""}>{each.replace("_", " ")}</a>'
        for each in DASHBOARDS
    )
    panels: list[dict[str, object]] = []
    body = ""
    for row, graphs in DASHBOARDS[name].items():
        body += f'<h2>{html.escape(row)}</h2>\n<div class="panels">\n'
        for graph in graphs:
            body += f'<figure id="panel{len(panels)}"><figcaption>{html.escape(graph.title)}</figcaption></figure>\n'
            # Braces would be Prometheus's own templates.
            queries = {re.sub(r"{{(\w+)}}", r"[\1]", legend): query for legend, query in graph.queries.items()}
            panels.append({"unit": graph.unit, "queries": queries})
        body += "</div>\n"
    data = json.dumps(panels, indent=1).replace("<", "\\u003c")
    alerts = '<p id="alerts"></p>\n' if name == "cluster" else ""
    return (
        '{{ template "airflow_head" . }}\n'
        f'<nav id="pages">\n{links}\n</nav>\n<nav id="times"></nav>\n{alerts}{body}'
        f'<script type="application/json" id="panels">\n{data}\n</script>\n'
        '{{ template "airflow_tail" . }}\n'
    )


def consoles() -> dict[str, str]:
    """All files of the pages of Prometheus, by their names."""
    found = {page_name(name): console(name) for name in DASHBOARDS}
    return {**found, "airflow.lib": LIBRARY.read_text(encoding="utf-8")}


if __name__ == "__main__":
    CONSOLES.mkdir(exist_ok=True)
    for file, content in consoles().items():
        (CONSOLES / file).write_text(content, encoding="utf-8")
    TARGET.mkdir(exist_ok=True)
    for each in DASHBOARDS:
        (TARGET / f"{each}.json").write_text(render(each), encoding="utf-8")
