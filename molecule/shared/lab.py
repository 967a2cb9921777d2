"""Prepare this machine for containers that behave like hosts: a Docker engine, and images of Debian with systemd.

    lab.py engine             find a Docker engine, install and start Debian's where there is none
    lab.py image CODENAME...  build the image flightdeck-CODENAME where it is missing
    lab.py tools VENV LOCK    install the Python packages of a lock into a virtual environment, made where it is missing
    lab.py apt PACKAGE...     install Debian packages (root)
    lab.py program PACKAGE PATH FOLDER   put one program of a Debian package into a folder
    lab.py check PORT         can a cluster be started here, with this port for its UI?
    lab.py network LAB SUBNET is the subnet of a lab free on this machine?
    lab.py remove LAB         remove the containers and the network of a lab

Standard library only: it runs before the virtual environment exists. Mirrors, proxies and certificates are those of the
machine.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
UV_LOCK = ROOT / "roles/airflow/files/locks/uv.txt"

FREE_GB = 8
# What the roles install. Downloaded into the image, not installed: that is the roles' job. What these packages depend
# on is installed, once for all hosts.
PACKAGES = (
    "collectd-core",
    "etcd-client",
    "etcd-server",
    "haproxy",
    "keepalived",
    "nftables",
    "patroni",
    "pgbackrest",
    "pgbouncer",
    "postgresql",
    "prometheus",
    "prometheus-alertmanager",
    "prometheus-exporter-exporter",
    "prometheus-node-exporter",
    "prometheus-postgres-exporter",
    "python3-etcd",
    "python3-mysqldb",
    "python3-psycopg2",
    "python3-venv",
    "rabbitmq-server",
    "redis-server",
    "systemd-journal-remote",
    "zstd",
)
# Makes a database cluster when it is installed, with settings that the role has to write first.
NOT_BEFORE_ITS_ROLE = "postgresql"
# What an installed Debian has, and libfaketime for faults that set one service's clock wrong.
BASE = (
    "systemd,systemd-sysv,dbus,python3,python3-apt,ca-certificates,iproute2,procps,tzdata,openssh-server,sudo,"
    "libfaketime"
)
PLATFORMS = runpy.run_path(str(Path(__file__).parents[2] / "plugins/plugin_utils/_catalog/platforms.py"))["PLATFORMS"]
RELEASES = {platform.codename: release for release, platform in PLATFORMS.items()}
# Units that make no sense in a container, or that run apt behind the tests' back.
MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer getty.target console-getty.service systemd-udevd.service "
    "systemd-udev-trigger.service "
    "systemd-timesyncd.service systemd-logind.service dev-hugepages.mount sys-fs-fuse-connections.mount "
    "systemd-firstboot.service"
)
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
# Package lists of the machine that are younger need no update. Seconds.
LISTS_AGE = 3600
# Mounts must be shared, or systemd silently ignores its sandboxing options. On cgroup v1, systemd 257 starts only with
# this word on its "kernel" command line, which in a container is its own.
ENTRYPOINT = """#!/bin/sh
mount --make-rshared /
exec /lib/systemd/systemd SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
"""


class LabError(Exception):
    """The machine lacks something; the text says what, and what to do."""


def say(text: str) -> None:
    """Show progress."""
    print(f"lab: {text}", flush=True)


def run(*command: str, stdin: str | None = None, environment: dict[str, str] | None = None) -> str:
    """Output of a command. Raises LabError with the end of what it said."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)
    except FileNotFoundError as error:
        raise LabError(
            f"{command[0]} is not installed: apt-get install it, or run as root so that it can be done for you"
        ) from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise LabError(f"{' '.join(command[:4])} ... failed:\n{tail}")
    return done.stdout


def answers() -> bool:
    """Whether a Docker engine answers."""
    return (
        bool(shutil.which("docker"))
        and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    )


def apt(*arguments: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run apt-get with ``arguments``, with lists of packages that are not old. Raises LabError."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}

    def call(*more: str) -> subprocess.CompletedProcess[str]:
        command = ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=300", *more]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=cwd)

    # Two of us may run at once, and for its lists apt does not wait.
    with Path(tempfile.gettempdir(), "flightdeck-apt.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lists = Path("/var/cache/apt/pkgcache.bin")
        fresh = lists.exists() and time.time() - lists.stat().st_mtime < LISTS_AGE
        if fresh and not (done := call(*arguments)).returncode:
            return done
        for done in (call("update"), call(*arguments)):
            if done.returncode:
                raise LabError(
                    f"{' '.join(done.args[:2])} failed; is there a reachable mirror in the apt "
                    f"sources?\n{done.stderr[-800:]}"
                )
        return done


def apt_install(*packages: str) -> None:
    """Install Debian packages. Raises LabError without root."""
    if os.geteuid():
        raise LabError(f"{', '.join(packages)} must be installed: run as root, or let an administrator install it")
    apt("install", "--yes", "--no-install-recommends", *packages)


def program(package: str, path: str, folder: Path) -> None:
    """Put the program at ``path`` of a Debian package into ``folder``: the package itself would start a service."""
    with tempfile.TemporaryDirectory() as place:
        apt("download", package, cwd=place)
        (archive,) = Path(place).glob("*.deb")
        run("dpkg-deb", "--extract", str(archive), f"{place}/files")
        shutil.copy2(f"{place}/files/{path}", folder)


def forget_dead(pid_file: Path, name: str) -> None:
    """Remove ``pid_file`` when the process that it names is not a living ``name``: killed, and its number perhaps
    taken by another."""
    try:
        stat = Path(f"/proc/{int(pid_file.read_text(encoding='ascii'))}/stat").read_text(
            encoding="ascii", errors="replace"
        )
    except (OSError, ValueError):
        stat = ""
    if f"({name})" not in stat or ") Z " in stat:
        pid_file.unlink(missing_ok=True)


def stale_rules(table: str, bridges: set[str]) -> list[tuple[str, list[str]]]:
    """Bridge and rule of each masquerading rule of Docker's in ``table``, output of ``iptables-save``, for a bridge
    not in ``bridges``."""
    rule = re.compile(r"^-A (POSTROUTING -s \S+ ! -o (br-[0-9a-f]{12}) -j MASQUERADE)$", re.MULTILINE)
    return [(bridge, text.split()) for text, bridge in rule.findall(table) if bridge not in bridges]


def forget_bridges() -> None:
    """Delete the bridges and rules that a killed engine left: they hide the hosts of a new network from each other."""
    if not shutil.which("iptables-save"):
        return
    bridges = {f"br-{network}" for network in run("docker", "network", "ls", "--quiet").split()}
    for bridge, rule in stale_rules(run("iptables-save", "--table", "nat"), bridges):
        run("iptables", "--table", "nat", "--delete", *rule)
        if Path("/sys/class/net", bridge).exists():
            run("ip", "link", "delete", bridge)


def engine() -> None:
    """Have a Docker engine that answers."""
    if answers():
        return
    if os.geteuid():
        raise LabError(
            "no Docker engine answers: start one, join the group docker, or run as root so that Debian's is installed"
        )
    if not shutil.which("dockerd"):
        say("installing Debian's Docker engine")
        # With what the images will need, because each call of apt costs seconds.
        apt_install("docker.io", "iptables", "mmdebstrap")
    say("starting the Docker engine")
    if Path("/run/systemd/system").is_dir():
        run("systemctl", "start", "docker")
    else:
        forget_dead(Path("/var/run/docker.pid"), "dockerd")
        forget_dead(Path("/var/run/docker/containerd/containerd.pid"), "containerd")
        log = Path("/var/log/dockerd.log")
        with log.open("ab") as stream:
            # Its own session and no inherited pipe: a caller that reads our output would wait for it for ever.
            subprocess.Popen(
                ["dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                close_fds=True,
            )
    deadline = time.monotonic() + 60
    while not answers():
        if time.monotonic() > deadline:
            raise LabError(
                "the Docker engine was started but does not answer after 60 s; see its log (/var/log/dockerd.log "
                "or journalctl -u docker)"
            )
        time.sleep(0.5)
    forget_bridges()


def mirrors(apt: Path = Path("/etc/apt")) -> tuple[str, str]:
    """Debian's archive and security archive (empty when there is none) as this machine's apt knows them."""
    text = ""
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file():
            text += (
                "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
                + "\n"
            )
    urls = re.findall(r"https?://[^\s\]]+", text)
    main = next((url for url in urls if re.search(r"/debian/?$", url)), "")
    security = next((url for url in urls if "debian-security" in url), "")
    if not main:
        raise LabError(
            "no Debian mirror in this machine's apt sources: the images cannot be built without one; add one"
        )
    return main.rstrip("/"), security.rstrip("/")


def apt_settings() -> str:
    """Proxies and validity settings of this machine's apt."""
    wanted = re.compile(r"^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date|https::Ca\w+)\b.*")
    lines = run("apt-config", "dump").splitlines() if shutil.which("apt-config") else []
    return "\n".join(line for line in lines if wanted.match(line)) + "\n"


def certificates(target: Path) -> None:
    """Put the machine's trusted certificates where Debian's update-ca-certificates picks them up."""
    bundle = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    if not bundle.is_file():
        return
    found = re.findall(
        r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?",
        bundle.read_text(encoding="ascii", errors="ignore"),
        re.DOTALL,
    )
    target.mkdir(parents=True, exist_ok=True)
    for number, certificate in enumerate(found):
        (target / f"machine-{number:03d}.crt").write_text(certificate, encoding="ascii")


def pulled(codename: str) -> str:
    """Debian's image from the registry; empty where none answers."""
    official = f"debian:{RELEASES[codename]}"
    pull = subprocess.run(
        ["timeout", "300", "docker", "pull", "--quiet", official], capture_output=True, text=True, check=False
    )
    return "" if pull.returncode else official


def sources(codename: str, apt: Path = Path("/etc/apt")) -> list[str]:
    """Lines of sources.list that name the machine's mirrors."""
    main, security = mirrors(apt)
    archives = [
        (main, codename),
        (main, f"{codename}-updates"),
        *([(security, f"{codename}-security")] if security else []),
    ]
    return [f"deb {url} {suite} main" for url, suite in archives]


def provision_script(codename: str) -> str:
    """What turns a plain Debian into a host."""
    lines = "\n".join(sources(codename))
    return f"""set -eu
export DEBIAN_FRONTEND=noninteractive
rm -f /etc/apt/apt.conf.d/docker-clean /etc/apt/sources.list.d/*
cat > /etc/apt/sources.list <<'END'
{lines}
END
cat > /etc/apt/apt.conf.d/90machine <<'END'
{apt_settings()}
APT::Keep-Downloaded-Packages "true";
END
# A container is thrown away: what a power failure would do to its packages is no matter.
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/lab
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 0755 /usr/sbin/policy-rc.d
apt-get update --quiet
apt-get install --yes --quiet --no-install-recommends {BASE.replace(",", " ")}
update-ca-certificates > /dev/null 2>&1
apt-get dist-upgrade --yes --quiet
apt-get clean
packages="{" ".join(PACKAGES)}"
apt-get install --yes --quiet --no-install-recommends --download-only $packages
apt-get install --simulate --no-install-recommends $packages | sed -n 's/^Inst \\([^ ]*\\).*/\\1/p' | sort > /tmp/needed
printf '%s\\n' $packages | sort > /tmp/named
dependencies=$(comm -23 /tmp/needed /tmp/named | grep -v '^{NOT_BEFORE_ITS_ROLE}')
apt-get install --yes --quiet --no-install-recommends --no-remove $dependencies
apt-mark auto $dependencies > /dev/null
rm /usr/sbin/policy-rc.d /tmp/needed /tmp/named
systemctl mask {MASKED}
systemctl disable ssh.service
apt-cache gencaches --quiet
rm -f /etc/machine-id; : > /etc/machine-id
cat > /usr/local/sbin/start-host <<'END'
{ENTRYPOINT}END
chmod 0755 /usr/local/sbin/start-host
"""


def from_registry(codename: str, base: str, folder: Path, script: str) -> None:
    """Make the image from the registry's ``base`` by running ``script`` in it."""
    container = f"flightdeck-{codename}-build-{os.getpid()}"
    try:
        run("docker", "create", "--interactive", "--name", container, base, "/bin/sh", "-s")
        run("docker", "cp", f"{folder}/ca/.", f"{container}:/usr/local/share/ca-certificates/")
        run("docker", "start", "--attach", "--interactive", container, stdin=script)
        run("docker", "commit", *changes(codename), container, f"flightdeck-{codename}")
    finally:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)


def from_mirror(codename: str, folder: Path, script: str) -> None:
    """Make the image from the machine's Debian mirror."""
    if os.geteuid():
        raise LabError("no registry has debian images for this engine, and mmdebstrap needs root: run as root")
    if not shutil.which("mmdebstrap"):
        apt_install("mmdebstrap")
    say(f"no registry answers: bootstrapping {codename} from the machine's mirror")
    (folder / "provision.sh").write_text(script, encoding="utf-8")
    (folder / "apt.conf").write_text(apt_settings(), encoding="utf-8")
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar", "--quiet", f"--include={BASE}"]
    command += ["--skip=cleanup/apt,cleanup/reproducible", "--dpkgopt=force-unsafe-io", f"--aptopt={folder}/apt.conf"]
    command += [f"--customize-hook=copy-in {folder}/ca/. /usr/local/share/ca-certificates"]
    command += [f'--customize-hook=chroot "$1" /bin/sh -s < {folder}/provision.sh', codename, "-", *sources(codename)]
    with (
        (folder / "log").open("w+", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as bootstrap,
    ):
        load = ["docker", "import", *changes(codename), "-", f"flightdeck-{codename}"]
        done = subprocess.run(load, stdin=bootstrap.stdout, capture_output=True, text=True, check=False)
        if bootstrap.wait() or done.returncode:
            subprocess.run(["docker", "rmi", f"flightdeck-{codename}"], capture_output=True, check=False)
            log.seek(0)
            raise LabError(f"mmdebstrap {codename} | docker import failed:\n{log.read()[-1500:]}{done.stderr}")


def changes(codename: str) -> list[str]:
    """Options that say what a container of the image runs."""
    lines = ('CMD ["/usr/local/sbin/start-host"]', "ENV container=docker", f"LABEL flightdeck.image={codename}")
    return [word for line in lines for word in ("--change", line)]


def image(codename: str) -> None:
    """Have the image of a Debian release."""
    if codename not in RELEASES:
        raise LabError(f"no such release: {codename}; known are {', '.join(RELEASES)}")
    name = f"flightdeck-{codename}"
    if run("docker", "images", "--quiet", name).strip():
        return
    check_disk()
    started = time.monotonic()
    say(f"building the image {name}")
    script = provision_script(codename)
    with tempfile.TemporaryDirectory(prefix="flightdeck-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        # mmdebstrap's apt is not root everywhere.
        folder.chmod(0o755)
        # Empty on a machine without certificates.
        (folder / "ca").mkdir()
        certificates(folder / "ca")
        if base := pulled(codename):
            from_registry(codename, base, folder, script)
        else:
            from_mirror(codename, folder, script)
    say(f"image {name} built in {time.monotonic() - started:.0f} s")


def index_environment() -> dict[str, str]:
    """This process's environment with what pip's configuration says of the index, in uv's variables, which does not
    read it."""
    found = dict(os.environ)
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    settings = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed, re.MULTILINE))
    for name, setting in {"UV_DEFAULT_INDEX": "index-url", "SSL_CERT_FILE": "cert"}.items():
        if settings.get(setting):
            found.setdefault(name, settings[setting])
    if settings.get("timeout") or settings.get("default-timeout"):
        found.setdefault("UV_HTTP_TIMEOUT", settings.get("timeout") or settings["default-timeout"])
    return found


def tools(folder: Path, lock: Path) -> None:
    """Have the packages of ``lock``, by their hashes, in the virtual environment ``folder``."""
    python = folder / "bin/python"
    if not (folder / "bin/uv").exists():
        say(f"making {folder}")
        make = [sys.executable, "-m", "venv", "--clear", str(folder)]
        if subprocess.run(make, capture_output=True, check=False).returncode:
            apt_install("python3-venv")
            run(*make)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run(*pip, "install", "--require-hashes", "--requirement", str(UV_LOCK))
    install = [
        str(folder / "bin/uv"),
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python),
        "--require-hashes",
        "--requirement",
        str(lock),
    ]
    run(*install, environment=index_environment())
    # All but the collections, of which few are used.
    run(
        str(python),
        "-m",
        "compileall",
        "-q",
        "-j",
        "0",
        "-x",
        "ansible_collections",
        str(next(folder.glob("lib/python*/site-packages"))),
    )


def remove(lab: str) -> None:
    """Remove the containers of a lab, all at once, and its network. Images and the package cache stay."""
    if not answers() and not shutil.which("dockerd"):
        return
    engine()
    containers = run("docker", "ps", "--all", "--quiet", "--filter", f"label=flightdeck.lab={lab}").split()
    with ThreadPoolExecutor(max(len(containers), 1)) as pool:
        list(pool.map(lambda container: run("docker", "rm", "--force", "--volumes", container), containers))
    if containers:
        forget_freed_inodes()
    for network in run("docker", "network", "ls", "--quiet", "--filter", f"label=flightdeck.lab={lab}").split():
        run("docker", "network", "rm", network)


def forget_freed_inodes() -> None:
    """Write what the machine has to write, and let it drop from memory what it can read again.

    For some minutes, ext4 does not use an inode again whose block is still in memory, and it checks each of them for
    each new file (recently_deleted in fs/ext4/ialloc.c). After the files of a lab were removed, 24,000 for each host
    with a release, unpacking one took ten times as long. Without the right to do it, labs are only slower.
    """
    if os.access(DROP_CACHES, os.W_OK):
        os.sync()
        # 1: only the page cache, of which what programs have mapped stays.
        DROP_CACHES.write_text("1\n", encoding="ascii")


def check_disk() -> None:
    """Raises LabError when the images and containers would not fit."""
    where = run("docker", "info", "--format", "{{.DockerRootDir}}").strip() if answers() else "/var/lib/docker"
    free = shutil.disk_usage(where if os.path.isdir(where) else "/").free / 1e9
    if free < FREE_GB:
        raise LabError(f"{where} has {free:.1f} GB free, {FREE_GB} are needed: make room, or move Docker's data-root")


def overlap(routes: list[dict[str, Any]], subnet: str) -> str:
    """The network among the machine's ``routes``, as ``ip -json route`` tells them, that has addresses of ``subnet``,
    with its device; empty for none. A bridge of Docker's with this very subnet is that of the lab."""
    wanted = ipaddress.ip_network(subnet)
    for route in routes:
        device = str(route.get("dev", ""))
        if route["dst"] == "default" or (route["dst"] == subnet and device.startswith("br-")):
            continue
        if wanted.overlaps(ipaddress.ip_network(route["dst"])):
            return f"{route['dst']} ({device})"
    return ""


def network(lab: str, subnet: str) -> None:
    """Raises LabError when the machine reaches others by addresses of ``subnet``, which the hosts of ``lab`` need."""
    if shutil.which("ip") and (taken := overlap(json.loads(run("ip", "-4", "-json", "route")), subnet)):
        remedy = "choose another: make up NETWORK=10.213.80" if lab == "lab" else f"set lab_subnet of the lab {lab}"
        raise LabError(f"the network {subnet} of the lab overlaps {taken} of this machine: {remedy}")


def check(port: int) -> None:
    """Raises LabError when the disk is too small or ``port`` is taken. A machine without an engine is no fault."""
    check_disk()
    if answers() and run("docker", "ps", "--quiet", "--filter", "label=flightdeck.lab=lab").strip():
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LabError(
                f"port {port} is taken ({error.strerror}): stop what uses it, or choose another: make up PORT=8090"
            ) from error


def main() -> int:
    """Command line."""
    try:
        match sys.argv[1:]:
            case ["engine"]:
                engine()
            case ["image", *codenames] if codenames:
                engine()
                for codename in codenames:
                    image(codename)
            case ["check", port]:
                check(int(port))
            case ["network", lab, subnet]:
                network(lab, subnet)
            case ["tools", folder, lock]:
                tools(Path(folder), Path(lock))
            case ["remove", lab]:
                remove(lab)
            case ["apt", *packages] if packages:
                apt_install(*packages)
            case ["program", package, path, folder]:
                program(package, path, Path(folder))
            case _:
                print(__doc__)
                return 2
    except LabError as error:
        print(f"lab: ERROR: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
