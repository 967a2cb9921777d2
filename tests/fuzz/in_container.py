"""Checks rendered files by the programs that read them. Runs in a container that has these, as root.

Stdin is a list as JSON: of each host its ``name``, ``address``, the ``names`` that it must resolve and its ``files`` by
path. Stdout is a list of what each program says: the number of the host, the program, and its complaint or nothing.
Standard library only.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POSTGRES = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
DATA = "/var/lib/postgresql/fuzz"
# Written before each host, so that nothing of the one before is left.
FOLDERS = (
    "/etc/etcd",
    "/etc/flightdeck-metrics",
    "/etc/haproxy",
    "/etc/keepalived",
    "/etc/patroni/airflow",
    "/etc/pgbouncer",
    "/etc/postgresql/airflow-tls",
    "/etc/prometheus",
    "/etc/rabbitmq",
    "/etc/redis",
)
LINES = 12
# Seconds until a server has started or ended, on a busy machine, too.
START = 300
# A port that is free in the container.
GATE = 9997


def run(command: list[str]) -> tuple[int, str]:
    """Exit status and output of a command."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300
    )
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def start(command: list[str], ready: str | int, environment: dict[str, str] | None = None) -> str:
    """The complaint of a server that ends before it is ready; nothing for one that starts.

    It is ready when its output matches ``ready``, or when it listens on that port of 127.0.0.1.
    """
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        assert process.stdout
        os.set_blocking(process.stdout.fileno(), False)
        text, deadline = "", time.monotonic() + START
        while not is_ready(ready, text) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
            text += (process.stdout.read() or b"").decode("utf-8", "replace")
        text += (process.stdout.read() or b"").decode("utf-8", "replace")
        started = is_ready(ready, text)
        process.kill()
    return "" if started else tail(text) or "no output"


def is_ready(ready: str | int, text: str) -> bool:
    """Whether a server is, which has said ``text``."""
    return listens(ready) if isinstance(ready, int) else bool(re.search(ready, text))


def listens(port: int) -> bool:
    """Whether something listens on ``port`` of 127.0.0.1."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def tail(text: str) -> str:
    """The end of an output."""
    return "\n".join(line[:400] for line in text.splitlines()[-LINES:])


def write(files: dict[str, str]) -> None:
    """Write the files of a host in the place of those of the host before."""
    for folder in FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    for unit in glob.glob("/etc/systemd/system/*/airflow.conf") + glob.glob("/etc/systemd/system/airflow*"):
        os.unlink(unit)
    for path, content in files.items():
        if path in ("/etc/hosts", "/arguments.json"):
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(content, encoding="utf-8", errors="surrogatepass")
        os.chmod(path, 0o755 if "/sbin/" in path or "/bin/" in path else 0o644)
    for key in [*glob.glob("/etc/postgresql/airflow-tls/*"), "/etc/pgbouncer/airflow-tls/server.key"]:
        if os.path.exists(key):
            shutil.chown(key, "postgres")
            os.chmod(key, 0o600)


def haproxy(_host: dict, _files: dict[str, str]) -> str:
    """HAProxy's own check."""
    status, text = run(["haproxy", "-c", "-f", "/etc/haproxy/users.cfg", "-f", "/etc/haproxy/haproxy.cfg"])
    warned = [line for line in text.splitlines() if "[WARNING]" in line or "[ALERT]" in line]
    return tail(text) if status or warned else ""


def keepalived(_host: dict, files: dict[str, str]) -> str:
    """keepalived's own check, with an interface of the name that the file has. Its exit status says nothing: it ends
    itself by a signal."""
    match = re.search(r"^ +interface (\S+)$", files["/etc/keepalived/keepalived.conf"], re.MULTILINE)
    interface = match[1] if match else ""
    made = bool(interface) and not os.path.exists(f"/sys/class/net/{interface}")
    if made:
        run(["ip", "link", "add", "name", interface, "type", "bridge"])
    _status, text = run(["keepalived", "-t", "-f", "/etc/keepalived/keepalived.conf"])
    if made:
        run(["ip", "link", "delete", interface])
    return tail("\n".join(line for line in text.splitlines() if line.strip() not in ("", "Terminated")))


def postgresql(_host: dict, files: dict[str, str]) -> str:
    """PostgreSQL's check of its settings, and the running server's of who may connect."""
    complaints = []
    status, text = run(json.loads(files["/arguments.json"]))
    complaints += [f"-C: {tail(text)}"] if status else []
    for path, content in files.items():
        if path.endswith("/conf.d/airflow.conf"):
            binary = glob.glob("/usr/lib/postgresql/*/bin/postgres")[0]
            status, text = run([binary, "-C", "work_mem", "-D", DATA, "-c", f"config_file={path}"])
            complaints += [f"{path}: {tail(text)}"] if status else []
        elif path == "/etc/postgresql/pg_hba.conf":
            Path(DATA, "pg_hba.conf").write_text(content, encoding="utf-8")
        elif path == "/etc/postgresql/pg_ident.conf":
            Path(DATA, "pg_ident.conf").write_text(content, encoding="utf-8")
    query = (
        "SELECT 'hba', line_number, error FROM pg_hba_file_rules WHERE error NOT LIKE '%SSL is disabled' UNION ALL "
        "SELECT 'ident', line_number, error FROM pg_ident_file_mappings WHERE error IS NOT NULL"
    )
    status, text = run([*POSTGRES, "psql", "-XAtq", "-h", "/tmp", "-p", "5999", "-d", "postgres", "-c", query])
    return "\n".join([*complaints, text] if status or text else complaints)


def patroni(_host: dict, _files: dict[str, str]) -> str:
    """Patroni's own check, without what it finds because there is no cluster."""
    _status, text = run([*POSTGRES, "patroni", "--validate-config", "/etc/patroni/airflow"])
    # It looks for the other hosts, too.
    expected = re.compile(
        r"bootstrap\.pg_hba +is not defined\.|etcd3?\.hosts\.\d+ .* (is not reachable'|Name or service not known.*)"
    )
    return tail("\n".join(line for line in text.splitlines() if not expected.fullmatch(line.strip())))


def etcd(host: dict, files: dict[str, str]) -> str:
    """etcd starts, and looks for the other members."""
    environment = {"PATH": os.environ["PATH"]}
    for path in ("/etc/etcd/airflow.conf", "/etc/etcd/airflow-initial.conf"):
        lines = (line for line in files[path].splitlines() if line and not line.startswith("#"))
        environment |= dict(line.split("=", 1) for line in lines)
    environment["ETCD_DATA_DIR"] = "/tmp/fuzz-etcd"
    shutil.rmtree("/tmp/fuzz-etcd", ignore_errors=True)
    family = ["-6"] if ":" in host["address"] else []
    prefix = "128" if family else "32"
    run(["ip", *family, "address", "add", f"{host['address']}/{prefix}", "dev", "lo", *(["nodad"] if family else [])])
    complaint = start(["etcd"], r"starting a new election|became leader|published \{Name", environment)
    run(["ip", *family, "address", "delete", f"{host['address']}/{prefix}", "dev", "lo"])
    return complaint


def pgbouncer(_host: dict, _files: dict[str, str]) -> str:
    """PgBouncer starts."""
    return start([*POSTGRES, "pgbouncer", "/etc/pgbouncer/airflow.ini"], r"LOG process up")


def redis(_host: dict, _files: dict[str, str]) -> str:
    """Redis starts."""
    shutil.rmtree("/var/lib/redis/appendonlydir", ignore_errors=True)
    return start(["redis-server", "/etc/redis/airflow.conf", "--daemonize", "no"], r"Ready to accept connections")


def rabbitmq(_host: dict, _files: dict[str, str]) -> str:
    """RabbitMQ's own schema, Erlang's reader of terms, and a shell for the environment."""
    [plugins] = glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins")
    terms = [
        path
        for path in ("inter_node_tls.config", "enabled_plugins", "erl_inetrc")
        if os.path.exists(f"/etc/rabbitmq/{path}")
    ]
    script = str(Path(__file__).with_name("rabbitmq_schema.escript"))
    status, text = run(["escript", script, plugins, *(f"/etc/rabbitmq/{path}" for path in terms)])
    complaints = [tail(text)] if status else []
    environment = "/etc/rabbitmq/rabbitmq-env.conf"
    status, text = run(["sh", "-euc", f". {environment}; echo $NODENAME; test -n $USE_LONGNAME"])
    node = text.strip()
    if status or not re.fullmatch(r"rabbit\w*@[A-Za-z0-9.-]+", node):
        complaints.append(f"{environment}: {text}")
    return "\n".join(complaints)


def collectd(_host: dict, _files: dict[str, str]) -> str:
    """collectd's own check, which loads the plugins."""
    status, text = run(["collectd", "-t", "-C", "/etc/flightdeck-metrics/collectd.conf"])
    return tail(text) if status or "error" in text.lower() else ""


def exporter_exporter(_host: dict, _files: dict[str, str]) -> str:
    """The gate of the exporters starts with its modules. It has no check of its own."""
    program = ["prometheus-exporter-exporter", f"-web.listen-address=127.0.0.1:{GATE}"]
    return start([*program, "-config.file=/etc/flightdeck-metrics/exporters.yml"], GATE)


def prometheus(_host: dict, _files: dict[str, str]) -> str:
    """Prometheus' own check, of the rules, too."""
    status, text = run(["promtool", "check", "config", "/etc/prometheus/airflow.yml"])
    return tail(text) if status else ""


def alertmanager(_host: dict, _files: dict[str, str]) -> str:
    """Alertmanager's own check."""
    status, text = run(["amtool", "check-config", "/etc/prometheus/airflow-alertmanager.yml"])
    return tail(text) if status else ""


def systemd(_host: dict, files: dict[str, str]) -> str:
    """systemd's check of drop-ins and units, without what it says about programs that are not there."""
    units = sorted(
        {match[1] for path in files if (match := re.fullmatch(r"/etc/systemd/system/([^/]+?)(\.d/.*)?", path))}
    )
    names = [re.sub(r"@\.", "@x.", unit) for unit in units]
    _status, text = run(["systemd-analyze", "verify", "--man=no", *names])
    expected = ("is not executable", "Unit configuration has fatal error", "cannot be started", "Failed to create ")
    lines = [line for line in text.splitlines() if not any(words in line for words in expected)]
    lines = [line for line in lines if "/lib/systemd/system/" not in line.partition(" ")[0]]
    return tail("\n".join(lines))


CHECKS: dict[str, tuple[str, Callable[[dict, dict[str, str]], str]]] = {
    "haproxy -c": ("/etc/haproxy/haproxy.cfg", haproxy),
    "keepalived -t": ("/etc/keepalived/keepalived.conf", keepalived),
    "postgres -C, pg_hba": ("/arguments.json", postgresql),
    "patroni --validate-config": ("/etc/patroni/airflow/patroni.yml", patroni),
    "etcd": ("/etc/etcd/airflow.conf", etcd),
    "pgbouncer": ("/etc/pgbouncer/airflow.ini", pgbouncer),
    "redis-server": ("/etc/redis/airflow.conf", redis),
    "RabbitMQ's schema": ("/etc/rabbitmq/rabbitmq.conf", rabbitmq),
    "collectd -t": ("/etc/flightdeck-metrics/collectd.conf", collectd),
    "exporter_exporter": ("/etc/flightdeck-metrics/exporters.yml", exporter_exporter),
    "promtool check config": ("/etc/prometheus/airflow.yml", prometheus),
    "amtool check-config": ("/etc/prometheus/airflow-alertmanager.yml", alertmanager),
    "systemd-analyze verify": ("", systemd),
}


def check(host: dict) -> Iterator[tuple[str, str]]:
    """Each program that reads a file of the host, with its complaint."""
    files: dict[str, str] = host["files"]
    write(files)
    # Docker mounts it, so it is written and not replaced. All names that the host must resolve have an address.
    lines = ["127.0.0.1 localhost", "::1 localhost", *(f"192.0.2.77 {name}" for name in host["names"])]
    Path("/etc/hosts").write_text("\n".join(lines) + "\n", encoding="ascii")
    for program, (path, function) in CHECKS.items():
        if not path or path in files:
            try:
                yield program, function(host, files)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                yield program, f"{type(error).__name__} {error}"


def server() -> None:
    """Have a PostgreSQL that reads its pg_hba.conf for us."""
    binaries = os.path.dirname(glob.glob("/usr/lib/postgresql/*/bin/postgres")[0])
    if not os.path.exists(DATA):
        os.makedirs(DATA)
        shutil.chown(DATA, "postgres", "postgres")
        run([*POSTGRES, f"{binaries}/initdb", "--auth=trust", "--locale=C.UTF-8", "-D", DATA])
    if not os.path.exists(f"{DATA}/postmaster.pid"):
        options = "-p 5999 -k /tmp -c listen_addresses= -c fsync=off"
        run([*POSTGRES, f"{binaries}/pg_ctl", "-w", "-D", DATA, "-o", options, "-l", "/tmp/postgres.log", "start"])


def main() -> None:
    """Command line."""
    server()
    found = [
        (number, program, complaint)
        for number, host in enumerate(json.load(sys.stdin))
        for program, complaint in check(host)
    ]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
