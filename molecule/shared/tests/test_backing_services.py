"""Metastore, broker and load balancer: who may do what, and what they do for others."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest
from cluster_access import rabbitmqctl, wait_until


def get(url, user="", password=""):
    request = urllib.request.Request(url)
    if user:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def management(cluster, member):
    """Address of the management API as another machine reaches it."""
    node = cluster.model["nodes"][member]
    if cluster.model["tls"]["enabled"]:
        return f"https://{node['address']}:{node['rabbitmq']['management_tls_port']}/api"
    return f"http://{node['address']}:{node['rabbitmq']['management_port']}/api"


def api(cluster, member, path):
    url = f"{management(cluster, member)}/{path}"
    status, body = get(url, "admin", cluster.secrets["rabbitmq_admin_password"])
    assert status == 200
    return json.loads(body)


@pytest.mark.group("rabbitmq")
def test_all_brokers_form_one_cluster(member, cluster):
    nodes = api(cluster, member, "nodes")
    assert sorted(node["name"] for node in nodes) == sorted(cluster.model["nodes"][member]["rabbitmq"]["nodes"])
    assert all(node["running"] and not node["partitions"] for node in nodes)
    assert not any(node["mem_alarm"] or node["disk_free_alarm"] for node in nodes)


@pytest.mark.group("rabbitmq")
def test_every_queue_of_airflow_is_a_quorum_queue_on_all_brokers(member, cluster):
    members = sorted(cluster.model["nodes"][member]["rabbitmq"]["nodes"])
    queues = {queue["name"]: queue for queue in api(cluster, member, "queues/airflow")}
    for name, workers in cluster.model["queues"].items():
        assert queues[name]["type"] == "quorum"
        assert sorted(queues[name]["members"]) == members
        assert queues[name]["consumers"] == len(workers)


@pytest.mark.group("rabbitmq")
def test_there_is_no_guest(member, cluster):
    assert sorted(user["name"] for user in api(cluster, member, "users")) == ["admin", "airflow"]
    assert get(f"{management(cluster, member)}/overview", "guest", "guest")[0] == 401


@pytest.mark.group("rabbitmq")
def test_a_task_may_hold_its_message_for_days(member, cluster, host_named):
    wanted = cluster.model["nodes"][member]["rabbitmq"]["consumer_timeout_seconds"] * 1000
    effective = rabbitmqctl(host_named(member), "eval 'application:get_env(rabbit, consumer_timeout).'")
    assert effective == f"{{ok,{wanted}}}"


@pytest.mark.group("rabbitmq")
def test_a_message_lives_as_long_as_the_token_in_it(member, cluster):
    node = cluster.model["nodes"][member]["rabbitmq"]
    # Messages of Airflow 2 have no token.
    token = {"message-ttl": 1000 * node["message_ttl_seconds"]} if cluster.model["version"]["major"] >= 3 else {}
    queues = {queue["name"]: queue["effective_policy_definition"] for queue in api(cluster, member, "queues/airflow")}
    for name in cluster.model["queues"]:
        assert queues[name] == {"delivery-limit": node["delivery_limit"], **token}


@pytest.mark.group("rabbitmq", hosts=1)
def test_workers_have_another_control_queue_in_each_session(member, cluster, host_named):
    def control_queues():
        names = {queue["name"] for queue in api(cluster, member, "queues/airflow")}
        return {name for name in names if name.endswith(".celery.pidbox") and ".reply." not in name}

    workers = [(worker, queue) for queue, names in cluster.model["queues"].items() for worker in names]
    wait_until("what is left of former sessions is gone", lambda: len(control_queues()) == len(workers), 60)
    before = control_queues()
    # It stops in the middle when a session ends by itself meanwhile.
    close = "rabbitmqctl --quiet close_all_user_connections airflow test"
    wait_until("the broker has closed every session", lambda: host_named(member).run(close).rc == 0, 60)
    wait_until("every worker has a new session", lambda: len(control_queues() - before) == len(workers), 60)
    for worker, queue in workers:
        host_named(worker).check_output(f"airflow-health --wait=30 airflow-worker@{queue}")


@pytest.mark.group("rabbitmq")
def test_metrics_are_served(member, cluster):
    node = cluster.model["nodes"][member]
    assert "rabbitmq_identity_info" in get(f"http://{node['address']}:{node['rabbitmq']['prometheus_port']}/metrics")[1]


def psql(host, address, port, user, password, database, query="SELECT current_user"):
    url = f"postgresql://{user}:{quote(password, safe='')}@{address}:{port}/{database}?connect_timeout=5"
    script = (
        "import sys, psycopg2\n"
        "connection = psycopg2.connect(sys.argv[1]); cursor = connection.cursor(); cursor.execute(sys.argv[2]); "
        "print(cursor.fetchone()[0])"
    )
    return host.run("/opt/airflow/current/bin/python -c %s %s %s", script, url, query)


@pytest.mark.group("metastore")
def test_the_metastore_admits_the_load_balancer_only(member, cluster, host_named):
    node = cluster.model["nodes"][member]
    outsider = next(
        (name for name in cluster.model["airflow_hosts"] if "haproxy" not in cluster.model["nodes"][name]), None
    )
    port, password = node["metastore"]["port"], cluster.secrets["metastore_password"]
    balancer = cluster.model["hosts_of"]["haproxy"][0]["name"]
    listeners = {each["name"]: each for each in cluster.model["nodes"][balancer]["haproxy"]["listeners"]}
    client = host_named(outsider or cluster.model["airflow_hosts"][0])
    through = cluster.model["nodes"][balancer]["address"]
    assert (
        psql(client, through, listeners["metastore"]["port"], "airflow", password, "airflow").stdout.strip()
        == "airflow"
    )
    assert psql(client, through, listeners["metastore"]["port"], "airflow", "wrong", "airflow").rc != 0
    assert psql(client, through, listeners["metastore"]["port"], "airflow_results", password, "airflow").rc != 0
    if outsider:
        refused = psql(client, node["address"], port, "airflow", password, "airflow")
        assert refused.rc != 0
        # The firewall is silent; behind it, or without it, the server itself refuses.
        assert ("timeout expired" if cluster.model["firewall"] else "no pg_hba.conf entry") in refused.stderr


@pytest.mark.group("haproxy")
def test_every_server_is_up_and_the_statistics_want_a_login(member, cluster):
    node = cluster.model["nodes"][member]
    scheme = "https" if cluster.model["tls"]["enabled"] else "http"
    url = f"{scheme}://{node['address']}:{node['haproxy']['stats']['port']}/;csv"
    assert get(url)[0] == 401
    status, csv = get(url, "admin", cluster.secrets["haproxy_stats_password"])
    assert status == 200
    rows = [line.split(",") for line in csv.splitlines() if not line.startswith("#")]
    for listener in node["haproxy"]["listeners"]:
        up = {row[1] for row in rows if listener["name"] in row[0] and row[17].startswith("UP")} - {
            "FRONTEND",
            "BACKEND",
        }
        expected = {server["name"] for server in listener["servers"]}
        # Of several metastore servers the one that leads.
        assert up == expected or (listener["name"] == "metastore" and len(up) == 1 and up < expected), listener["name"]
    assert "haproxy_process" in get(f"http://{node['address']}:{node['haproxy']['metrics_port']}/metrics")[1]


def test_users_do_not_reach_the_execution_api(cluster):
    for path in ("/execution/health", "//execution/health", "/%65xecution/health"):
        assert get(cluster.model["url"] + path)[0] in (403, 404)


@pytest.mark.group("haproxy")
def test_a_reload_drops_no_connection(member, cluster, host_named):
    host = host_named(member)
    path = "/api/v2/version" if cluster.model["version"]["major"] >= 3 else "/api/v1/version"
    failed = 0
    for attempt in range(40):
        if attempt % 10 == 5:
            host.check_output("systemctl reload haproxy.service")
        failed += get(f"{cluster.model['url']}{path}")[0] != 200
    assert failed == 0
