#!/usr/bin/env bash
# The floor: what a hand-written parallel script needs from the bare containers of a lab to the first successful DAG run, with
# the same packages. No idempotence, no error handling, no secrets worth the name: only speed.
# Usage: baseline.sh REPOSITORY [LAB SUBNET]; SETTINGS has more lines of postgresql.conf.
set -euo pipefail
root=$1
lab=${2:-bench}
net=${3:-172.31.85}
on() { local host=$1; shift; docker exec -i "fd-$lab-$host" bash -euo pipefail -c "$*"; }
apt() { on "$1" "printf 'exit 101' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends ${*:2} >/dev/null 2>&1; rm /usr/sbin/policy-rc.d"; }

database() {
  apt db1 postgresql
  on db1 "printf \"listen_addresses='*'\nmax_connections=200\n${SETTINGS:-}\n\" > /etc/postgresql/15/main/conf.d/x.conf
    echo 'host all all $net.0/24 scram-sha-256' >> /etc/postgresql/15/main/pg_hba.conf
    systemctl restart postgresql@15-main
    su postgres -c \"psql -qc \\\"CREATE ROLE airflow LOGIN PASSWORD 'bench'\\\" -c 'CREATE DATABASE airflow OWNER airflow'\""
}

broker() {
  apt "$1" rabbitmq-server
  on "$1" "echo BENCHMARKCOOKIEBENCHMARKCOOKIE > /var/lib/rabbitmq/.erlang.cookie; chown rabbitmq: /var/lib/rabbitmq/.erlang.cookie; chmod 400 /var/lib/rabbitmq/.erlang.cookie
    printf 'cluster_formation.peer_discovery_backend = classic_config\ncluster_formation.classic_config.nodes.1 = rabbit@mq1\ncluster_formation.classic_config.nodes.2 = rabbit@mq2\ncluster_formation.classic_config.nodes.3 = rabbit@mq3\n' > /etc/rabbitmq/rabbitmq.conf
    echo '[rabbitmq_management,rabbitmq_prometheus].' > /etc/rabbitmq/enabled_plugins"
  if [ "$1" != mq1 ]; then until on mq1 "rabbitmqctl -q await_startup >/dev/null 2>&1"; do sleep 0.5; done; fi
  on "$1" "systemctl start rabbitmq-server"
  if [ "$1" = mq1 ]; then on mq1 "rabbitmqctl -q add_vhost airflow; rabbitmqctl -q add_user airflow bench; rabbitmqctl -q set_permissions -p airflow airflow '.*' '.*' '.*'"; fi
}

balancer() {
  apt lb1 haproxy
  on lb1 "cat > /etc/haproxy/haproxy.cfg" <<END
global
defaults
  timeout connect 2s
  timeout client 3h
  timeout server 3h
  default-server inter 1s fall 2 rise 1
listen web
  bind *:8080
  mode http
  option httpchk GET /api/v2/version
  server master1 $net.11:8081 check
  server master2 $net.12:8081 check
listen metastore
  bind *:5000
  mode tcp
  server db1 $net.31:5432 check
listen broker
  bind *:5673
  mode tcp
  server mq1 $net.41:5672 check
  server mq2 $net.42:5672 check
  server mq3 $net.43:5672 check
END
  on lb1 "systemctl restart haproxy"
}

release() {
  apt master1 python3-venv zstd
  docker cp -q "$root/roles/airflow/files/locks/airflow-3.3.2-py3.11.txt" fd-$lab-master1:/root/lock.txt
  docker cp -q "$root/roles/airflow/files/locks/uv.txt" fd-$lab-master1:/root/uv.txt
  on master1 "python3 -m venv /root/tools; /root/tools/bin/pip -q install --disable-pip-version-check --require-hashes -r /root/uv.txt
    export UV_CACHE_DIR=/var/cache/airflow/uv SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
    /root/tools/bin/uv -q venv --python /usr/bin/python3 /opt/airflow
    /root/tools/bin/uv -q pip install --python /opt/airflow/bin/python --require-hashes --compile-bytecode --link-mode copy -r /root/lock.txt
    tar -C /opt -cI 'zstd -T0 -3' -f /root/airflow.tar.zst airflow"
  docker cp -q fd-$lab-master1:/root/airflow.tar.zst /tmp/bench-airflow.tar.zst
  for host in master2 worker1 worker2; do
    (apt $host zstd; docker cp -q /tmp/bench-airflow.tar.zst fd-$lab-$host:/root/a.tar.zst; on $host "tar -C /opt -xI 'zstd -d' -f /root/a.tar.zst; rm /root/a.tar.zst") &
  done
  wait
  rm -f /tmp/bench-airflow.tar.zst
}

configure() {
  on "$1" "useradd -r -d /var/lib/airflow -s /usr/sbin/nologin airflow; mkdir -p /var/lib/airflow/dags; cat > /var/lib/airflow/airflow.cfg" <<END
[core]
executor = CeleryExecutor
auth_manager = airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager
load_examples = False
fernet_key = YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcmstLS0=
hostname_callable = socket.gethostname
execution_api_server_url = http://$net.10:8080/execution/
[database]
sql_alchemy_conn = postgresql+psycopg2://airflow:bench@$net.10:5000/airflow
[celery]
broker_url = amqp://airflow:bench@$net.10:5673/airflow
result_backend = db+postgresql+psycopg2://airflow:bench@$net.10:5000/airflow
worker_concurrency = 4
extra_celery_config = {"task_default_queue_type":"quorum","task_create_missing_queue_type":"quorum"}
[api]
port = 8081
base_url = http://$net.10:8080
secret_key = benchmark-benchmark-benchmark-benchmark-benchmark-benchmark-benchmark
[api_auth]
jwt_secret = benchmark-benchmark-benchmark-benchmark-benchmark-benchmark-benchmark
END
  on "$1" "cat > /var/lib/airflow/dags/bench.py; chown -R airflow: /var/lib/airflow" <<'END'
from airflow.sdk import dag, task
@dag(schedule=None, dag_id="bench")
def bench():
    @task
    def hello():
        return 1
    hello()
bench()
END
}

run_airflow() { # host unit command
  on "$1" "systemd-run -q --unit=$2 --uid=airflow --setenv=AIRFLOW_HOME=/var/lib/airflow --setenv=PATH=/opt/airflow/bin:/usr/bin:/bin /opt/airflow/bin/airflow $3"
}

database & broker mq1 & broker mq2 & broker mq3 & balancer & release & wait
for host in master1 master2 worker1 worker2; do configure $host & done; wait
as() { on master1 "setpriv --reuid=airflow --regid=airflow --clear-groups env AIRFLOW_HOME=/var/lib/airflow PATH=/opt/airflow/bin:/usr/bin:/bin $*"; }
as airflow db migrate > /dev/null 2>&1
# The api-servers write their permissions at the same moment, and the loser of that race fails: try again.
until as airflow users create -u admin -p bench -f a -l b -e a@example.org -r Admin > /dev/null 2>&1; do :; done &
for host in master1 master2; do
  run_airflow $host api-server "api-server --proxy-headers" & run_airflow $host scheduler scheduler & run_airflow $host dag-processor dag-processor & run_airflow $host triggerer triggerer &
done
for host in worker1 worker2; do run_airflow $host worker "celery worker" & done
wait
python3 - "$net" <<'END'
import json, sys, time, urllib.request
url = f"http://{sys.argv[1]}.10:8080"
def call(method, path, body=None, token=""):
    request = urllib.request.Request(url + path, method=method, data=json.dumps(body).encode() if body is not None else None)
    request.add_header("Content-Type", "application/json"); request.add_header("Authorization", f"Bearer {token}")
    return json.load(urllib.request.urlopen(request, timeout=10))
def until(what):
    end = time.time() + 240
    while True:
        try:
            found = what()
            if found: return found
        except OSError: pass
        if time.time() > end: sys.exit("no successful run within 240 s")
        time.sleep(0.3)
token = until(lambda: call("POST", "/auth/token", {"username": "admin", "password": "bench"}))["access_token"]
until(lambda: call("PATCH", "/api/v2/dags/bench", {"is_paused": False}, token))
run = call("POST", "/api/v2/dags/bench/dagRuns", {"logical_date": None}, token)["dag_run_id"]
until(lambda: call("GET", f"/api/v2/dags/bench/dagRuns/{run}", token=token)["state"] == "success")
END
