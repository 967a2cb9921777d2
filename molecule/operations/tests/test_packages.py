"""Packages of Debian are updated host after host, while users and tasks notice nothing.

The mirror has one version of each package, so the tests offer another one: the package that a host has, with the same
files and a higher version, in a directory of the host that apt reads.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
from cluster_access import ansible, changes, inventory, wait_until
from interrupt import kill_after
from load import Load

ROOT = Path(__file__).parents[3]
# Each takes the time of two runs.
KILLS = 5 if os.environ.get("FLIGHTDECK_THOROUGH") else 1
MEMBERS = ("master1", "master2", "worker1")
HOSTS = (*MEMBERS, "worker2")
# What is offered, by the unit that has to run it afterwards.
PACKAGES = {
    "etcd.service": "etcd-server",
    "patroni.service": "postgresql-15",
    "rabbitmq-server.service": "rabbitmq-server",
    "haproxy.service": "haproxy",
}
# Makes the package $1 of the version $2, and lists of all that are there.
OFFER = r"""set -eu
mkdir -p /srv/updates; cd /srv/updates; rm -rf work
dpkg-deb --raw-extract $(ls /var/cache/apt/archives/$1_*.deb | tail -n 1) work
version=$(dpkg-query --show --showformat '${Version}' $1)
new=$(echo "$2" | sed "s/@/$version/")
sed -i "s/^Version: .*/Version: $new/" work/DEBIAN/control
rm -f $1_*.deb
dpkg-deb -Znone --build work $1_${new#*:}.deb > /dev/null
rm -rf work
for file in *.deb; do
  dpkg-deb --field $file
  echo "Filename: ./$file
Size: $(stat --format %s $file)
SHA256: $(sha256sum $file | cut -d ' ' -f 1)
"
done > Packages
echo 'deb [trusted=yes] file:/srv/updates ./' > /etc/apt/sources.list.d/updates.list
"""
REBOOT_REQUIRED = "/run/reboot-required"


def play(*arguments, timeout=1200):
    playbook = str(ROOT / "playbooks/update_packages.yml")
    return ansible(playbook, *arguments, program="ansible-playbook", timeout=timeout)


def offer(host, package, version):
    """Let apt find ``package`` on a host in another version, in which @ is the one that it has."""
    host.check_output(f"cat > /root/offer <<'END'\n{OFFER}END")
    assert host.run("sh /root/offer %s %s", package, version).rc == 0


def offer_all(host_named, suffix):
    for name in HOSTS:
        for unit, package in PACKAGES.items():
            if name in MEMBERS or unit == "haproxy.service":
                offer(host_named(name), package, f"@+{suffix}")


def withdraw(host_named):
    for name in HOSTS:
        host_named(name).check_output("rm -rf /srv/updates /etc/apt/sources.list.d/updates.list")
        host_named(name).check_output("apt-get update --quiet")


def version(host, package):
    return host.check_output("dpkg-query --show --showformat '${Version}' %s", package)


def refused(*arguments):
    with pytest.raises(RuntimeError) as found:
        play(*arguments)
    assert changes(str(found.value)) == {}
    return " ".join(str(found.value).split())


def starts(host_named):
    """What tells one start of each service from another one, by host and unit."""
    return {
        (name, unit): host_named(name).check_output("systemctl show --property=InvocationID --value %s", unit)
        for name in HOSTS
        for unit in PACKAGES
        if name in MEMBERS or unit == "haproxy.service"
    }


def old_files(host):
    """Units of the services whose processes run files that are not there any more. Old processes of HAProxy do until
    their connections end."""
    found = set()
    every = "cat $(find /sys/fs/cgroup -path '*system.slice/%s/cgroup.procs' | head -n 1)"
    main = "systemctl show --property=MainPID --value %s"
    for unit in PACKAGES:
        pids = main if unit == "haproxy.service" else every
        maps = host.run(f"for pid in $({pids}); do cat /proc/$pid/maps; done", unit).stdout
        if re.search(r"^\S+ r-xp .* /usr/.* \(deleted\)$", maps, re.MULTILINE):
            found.add(unit)
    return found


def leader(host_named):
    listed = host_named("master1").check_output("patronictl -c /etc/patroni/airflow list --format json")
    return next(member["Member"] for member in json.loads(listed) if member["Role"] == "Leader")


def harm(load, runs=1):
    """Requests that failed, but for one of each run that writes while another server of PostgreSQL takes over; these
    come every seven seconds."""
    written = [failure for failure in load.failures if "no run: status 500" in failure]
    return [failure for failure in load.failures if failure not in written[:runs]]


def test_nothing_to_update_changes_nothing(host_named):
    withdraw(host_named)
    output = play()
    assert re.search(r"0 of 4 hosts have something to update", output)
    assert changes(output) == {}


def test_check_mode_shows_what_each_host_would_get(host_named):
    offer(host_named("worker1"), "haproxy", "@+lab0")
    host_named("worker1").check_output("apt-get update --quiet")
    before = version(host_named("worker1"), "haproxy")
    output = play("--check", "--diff")
    assert re.search(rf"worker1  haproxy  {re.escape(before)} to {re.escape(before)}\+lab0", output)
    assert "1 of 4 hosts have something to update" in output
    assert version(host_named("worker1"), "haproxy") == before
    withdraw(host_named)


@pytest.mark.parametrize(
    ("package", "offered", "says"),
    [
        ("rabbitmq-server", "4.0.5-6", "FD365 host worker1, RabbitMQ: found 3.10.8"),
        ("etcd-server", "3.6.0-1", "FD365 host worker1, etcd: found 3.4.23"),
    ],
)
def test_a_step_that_upstream_does_not_support_is_refused(host_named, package, offered, says):
    offer(host_named("worker1"), package, offered)
    try:
        before = version(host_named("worker1"), package)
        assert says in refused()
        assert version(host_named("worker1"), package) == before
    finally:
        withdraw(host_named)


def test_a_member_that_is_down_keeps_the_others_from_an_update(host_named):
    offer(host_named("master1"), "haproxy", "@+lab0")
    host_named("worker1").check_output("systemctl stop rabbitmq-watchdog.timer rabbitmq-server.service")
    try:
        assert "FD367 RabbitMQ: found 2 of 3 running, without worker1" in refused()
        assert "FD368 airflow_update_hosts: found db9" in refused("-e", "airflow_update_hosts=db9")
        assert "FD356 --limit" in refused("--limit", "worker1")
    finally:
        host_named("worker1").check_output("systemctl start rabbitmq-server.service rabbitmq-watchdog.timer")
        withdraw(host_named)


def test_everything_is_updated_while_users_and_tasks_notice_nothing(cluster, host_named):
    offer_all(host_named, "lab1")
    before = starts(host_named)
    led = leader(host_named)
    with Load(cluster) as load:
        began = time.monotonic()
        output = play()
        print(f"updated in {time.monotonic() - began:.0f} s, {load.count} requests, {len(load.failures)} failed")
        print(load.failures)
    assert set(load.tasks()) == {"success after 1"}
    assert harm(load) == []
    for name in HOSTS:
        for unit, package in PACKAGES.items():
            if name in MEMBERS or unit == "haproxy.service":
                assert version(host_named(name), package).endswith("+lab1")
        assert old_files(host_named(name)) == set()
    # HAProxy takes the new program by a reload, so that no connection is cut.
    now = starts(host_named)
    assert {key for key in before if before[key] == now[key]} == {(name, "haproxy.service") for name in HOSTS}
    assert leader(host_named) != led
    assert "4 of 4 hosts have something to update" in output
    output = play()
    assert "0 of 4 hosts have something to update" in output
    assert changes(output) == {}


def test_an_update_that_was_killed_anywhere_is_run_again(cluster, host_named):
    command = ["ansible-playbook", "-i", inventory(), str(ROOT / "playbooks/update_packages.yml")]
    with Load(cluster) as load:
        for attempt in range(KILLS):
            offer_all(host_named, f"lab2.{attempt}")
            print(kill_after(random.uniform(40, 240), command))
            # What was under way on the host may still go on there: the next run waits for the lock of apt.
            play()
            for name in HOSTS:
                assert version(host_named(name), "haproxy").endswith(f"+lab2.{attempt}")
                assert old_files(host_named(name)) == set()
    assert set(load.tasks()) == {"success after 1"}
    assert harm(load, runs=2 * KILLS) == []
    assert "0 of 4 hosts" in play()
    ansible(str(ROOT / "playbooks/verify.yml"), program="ansible-playbook", timeout=600)


def test_a_host_gets_all_its_updates_and_starts_again(cluster, host_named):
    host, container = host_named("worker2"), cluster.containers["worker2"]
    offer(host, "haproxy", "@+lab3")
    host.check_output("touch %s", REBOOT_REQUIRED)
    stopped = threading.Event()

    def power():
        """A container that boots has to be started from outside."""
        while not stopped.wait(0.5):
            shown = subprocess.run(
                ["docker", "inspect", "--format", "{{.State.Running}}", container],
                capture_output=True,
                text=True,
                check=True,
            )
            if shown.stdout.strip() == "false":
                subprocess.run(["docker", "start", container], capture_output=True, check=True)

    thread = threading.Thread(target=power, daemon=True)
    thread.start()
    try:
        with Load(cluster) as load:
            output = play("-e", "airflow_update_everything=true", "-e", "airflow_update_hosts=worker2")
    finally:
        stopped.set()
        thread.join()
    assert re.search(rf"worker2 +reboot +{REBOOT_REQUIRED} is there", output)
    assert harm(load) == []
    assert set(load.tasks()) == {"success after 1"}
    assert not host.file(REBOOT_REQUIRED).exists
    assert version(host, "haproxy").endswith("+lab3")
    assert not host.file("/etc/airflow/drained").exists
    assert host.service("airflow-worker@default").is_running
    withdraw(host_named)


def test_a_host_that_was_drained_by_hand_stays_drained(host_named):
    arguments = (str(ROOT / "playbooks/drain.yml"), "-e", "airflow_drain_hosts=worker2")
    ansible(*arguments, program="ansible-playbook", timeout=600)
    offer(host_named("worker2"), "haproxy", "@+lab4")
    try:
        play("-e", "airflow_update_everything=true", "-e", "airflow_update_hosts=worker2")
        assert host_named("worker2").file("/etc/airflow/drained").exists
    finally:
        undrain = str(ROOT / "playbooks/undrain.yml")
        ansible(undrain, "-e", "airflow_drain_hosts=worker2", program="ansible-playbook", timeout=600)
        withdraw(host_named)


def test_after_all_that_every_service_works_and_airflow_is_whole(host_named):
    wait_until("every unit runs", lambda: all(host_named(name).service("haproxy").is_running for name in HOSTS), 30)
    ansible(str(ROOT / "playbooks/verify.yml"), program="ansible-playbook", timeout=600)
