"""What an Airflow service may do and see on its host."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import paths
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENT
from test_secrets import ca_files, modes_of
from test_services import properties, units_of

ROLES = Path(__file__).parents[3] / "roles"
SECRETS = Path(paths.SECRETS_DIR)

# By sandbox, systemd's own measure of what a service could do, at most, in tenths; 100 is a service without any
# protection.
EXPOSURE = {"strict": 14, "core": 16, "worker": 48}


def sandbox(component):
    """The sandbox of a component's service, which its role has."""
    return yaml.safe_load((ROLES / component / "vars/main.yml").read_text())[f"__{component}_component"]["sandbox"]


def test_services_are_shut_in(cluster, host_named):
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        for component in cluster.model["nodes"][name]["components"]:
            exposure = EXPOSURE[sandbox(component)]
            for unit in units_of(cluster, name, component):
                measured = host.run(
                    "systemd-analyze security --no-pager --threshold=%s %s.service", str(exposure), unit
                )
                assert measured.rc == 0, measured.stdout[-200:]


def test_the_walls_are_real(cluster, host_named):
    """In the mounts that the processes see: systemd leaves out silently what it cannot do in a container."""
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        for component in cluster.model["nodes"][name]["components"]:
            for unit in units_of(cluster, name, component):
                pid = properties(host, unit, "MainPID")["MainPID"]
                status = host.check_output("cat /proc/%s/status", pid)
                for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
                    assert line in status, unit
                seen = host.check_output("cat /proc/%s/mountinfo", pid)
                # Source and options of what is mounted on top at each place.
                mounts = {fields[4]: (fields[3], fields[5].split(",")) for fields in map(str.split, seen.splitlines())}
                assert "systemd-private" in mounts["/tmp"][0], unit
                if component == "worker":
                    assert "ro" in mounts["/usr"][1], unit
                else:
                    assert "ro" in mounts["/"][1], unit
                    assert "rw" in mounts["/var/lib/airflow"][1], unit
                    assert "inaccessible" in mounts["/root"][0], unit


def test_a_service_sees_its_own_secrets_only(cluster, host_named):
    modern, tls = cluster.model["version"]["major"] >= 3, cluster.model["tls"]["enabled"]
    for name in cluster.model["airflow_hosts"] if modern else []:
        for component in cluster.model["nodes"][name]["components"]:
            needed = set(COMPONENT[component].secrets[3]) | ca_files(cluster)
            # A certificate is no secret.
            servers = [each for each in cluster.model["nodes"][name]["components"] if COMPONENT[each].certificate]
            needed |= {"server.crt"} if tls and servers else set()
            needed |= {"server.key"} if tls and component in servers else set()
            for mode in modes_of(cluster, name):
                if mode.component == component:
                    # Files of the mode are mounted in the place of the common ones.
                    needed = (needed - mode.replaced_files.keys()) | set(mode.secret_files)
            for unit in units_of(cluster, name, component):
                pid = properties(host_named(name), unit, "MainPID")["MainPID"]
                mounts = map(str.split, host_named(name).check_output("cat /proc/%s/mountinfo", pid).splitlines())
                # What is mounted there as itself; the others are an empty file.
                seen = {fields[4] for fields in mounts if fields[4] == fields[3]}
                assert {path.name for path in map(Path, seen) if path.parent == SECRETS} == needed
                # Nor by way of another process of the same account.
                looking = host_named(name).run(
                    "setpriv --reuid=airflow --regid=airflow --clear-groups ls /proc/%s/root/", pid
                )
                assert ("Permission denied" in looking.stderr) == (component != "worker"), unit
