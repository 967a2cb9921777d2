"""Every file, process and journal of every host, and all that Ansible can say, is searched for every secret."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import quote

import yaml
from cluster_access import ansible

# Where a secret has to be on a host. Everything else is searched, whatever is in it.
PLACES = (
    "/etc/airflow/secrets/",
    "/etc/haproxy/airflow-tls/",
    "/etc/haproxy/users.cfg",
    "/etc/postgresql/airflow-tls/server.key",
    "/etc/rabbitmq/airflow-tls/server.key",
    "/var/lib/rabbitmq/.erlang.cookie",
)
SEARCHED = "/boot /etc /home /media /mnt /opt /root /run /srv /tmp /usr/local /var"


def secret_values(cluster):
    """Every secret of the cluster by name: as it is, as it stands in a URL, and a line of each private key."""
    values = {name: value for name, value in cluster.secrets.items() if isinstance(value, str)}
    if cluster.model["tls"]["enabled"]:
        kept = yaml.safe_load(Path(cluster.ca_file).with_name(".airflow_certificates.yml").read_text())
        for host, pair in {"ca": kept["ca"], **kept["hosts"]}.items():
            values[f"key of {host}"] = pair["key"].splitlines()[1]
    quoted = {f"{name}, quoted": quote(value, safe="") for name, value in values.items()}
    return {name: value for name, value in {**values, **quoted}.items() if len(value) >= 12}


def found_in(text, values):
    return sorted(name for name, value in values.items() if value in text)


def test_no_secret_is_in_another_file(cluster, host_named):
    values = secret_values(cluster)
    patterns = "\n".join(sorted(set(values.values())))
    for name in cluster.model["nodes"]:
        host = host_named(name)
        # By standard input: what is searched for must not show up in a process list.
        search = (
            "grep --recursive --files-with-matches --fixed-strings --devices=skip --exclude-dir=uv --no-messages "
            f"--file=- {SEARCHED}"
        )
        command = ["docker", "exec", "--interactive", cluster.containers[name], "sh", "-c", search]
        done = subprocess.run(command, input=patterns, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode in (0, 1, 2), done.stderr
        assert [path for path in done.stdout.splitlines() if not path.startswith(PLACES)] == [], name
        for path in (path for path in done.stdout.splitlines() if path.startswith(PLACES)):
            assert int(host.check_output("stat -c %%a %s", path), 8) & 0o007 == 0, f"{name}: everybody reads {path}"


def test_no_secret_is_in_a_process_or_journal(cluster, host_named):
    values = secret_values(cluster)
    for name in cluster.model["nodes"]:
        host = host_named(name)
        seen = host.check_output(
            "for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do tr '\\0' ' ' < $f 2>/dev/null || true; done"
        )
        seen += host.check_output("journalctl --no-pager --output=cat")
        assert found_in(seen, values) == [], name


def test_ansible_says_no_secret(cluster):
    """As much as it can say, with all differences."""
    values = secret_values(cluster)
    site = str(Path(__file__).parents[3] / "site.yml")
    said = ansible(site, "-vvv", "--diff", program="ansible-playbook", timeout=600)
    assert found_in(said, values) == []
