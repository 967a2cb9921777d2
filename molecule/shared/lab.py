"""Prepare this machine for containers that behave like hosts: a Docker engine, and images of Debian with systemd.

    lab.py engine             find a Docker engine, install and start Debian's where there is none
    lab.py image CODENAME...  build the image flightdeck-CODENAME where it is missing
    lab.py apt PACKAGE...     install Debian packages (root)
    lab.py check PORT         can a cluster be started here, with this port for its UI?

Standard library only: it runs before the virtual environment exists. Mirrors, proxies and certificates are those of the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FREE_GB = 8
# What the roles install. Downloaded into the image, not installed: nine hosts share one download.
PACKAGES = (
    "etcd-client",
    "etcd-server",
    "haproxy",
    "keepalived",
    "nftables",
    "patroni",
    "pgbouncer",
    "postgresql",
    "python3-etcd",
    "python3-mysqldb",
    "python3-psycopg2",
    "python3-venv",
    "rabbitmq-server",
    "redis-server",
    "zstd",
)
# The last for faults that set one service's clock wrong.
BASE = "systemd,systemd-sysv,dbus,python3,python3-apt,ca-certificates,iproute2,procps,tzdata,libfaketime"
RELEASES = {"bookworm": "12", "trixie": "13"}
# Units that make no sense in a container, or that run apt behind the tests' back.
MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer getty.target console-getty.service systemd-udevd.service systemd-udev-trigger.service "
    "systemd-timesyncd.service systemd-logind.service dev-hugepages.mount sys-fs-fuse-connections.mount systemd-firstboot.service"
)
# Mounts must be shared, or systemd ignores its sandboxing options without a word. On cgroup v1, systemd 257 starts only with
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


def run(*command: str, stdin: str | None = None) -> str:
    """Output of a command. Raises LabError with the end of what it said."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed: apt-get install it, or run as root so that it can be done for you") from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise LabError(f"{' '.join(command[:4])} ... failed:\n{tail}")
    return done.stdout


def answers() -> bool:
    """Whether a Docker engine answers."""
    return bool(shutil.which("docker")) and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode


def apt_install(*packages: str) -> None:
    """Install Debian packages. Raises LabError without root."""
    if os.geteuid():
        raise LabError(f"{', '.join(packages)} must be installed: run as root, or let an administrator install it")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "--quiet"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"{' '.join(command[:2])} failed; is there a reachable mirror in the apt sources?\n{done.stderr[-800:]}")


def forget_dead(pid_file: Path, name: str) -> None:
    """Remove ``pid_file`` when the process that it names is not a living ``name``: killed, and its number perhaps taken by another."""
    try:
        stat = Path(f"/proc/{int(pid_file.read_text(encoding='ascii'))}/stat").read_text(encoding="ascii", errors="replace")
    except (OSError, ValueError):
        stat = ""
    if f"({name})" not in stat or ") Z " in stat:
        pid_file.unlink(missing_ok=True)


def engine() -> None:
    """Have a Docker engine that answers."""
    if answers():
        return
    if os.geteuid():
        raise LabError("no Docker engine answers: start one, join the group docker, or run as root so that Debian's is installed")
    if not shutil.which("dockerd"):
        say("installing Debian's Docker engine")
        apt_install("docker.io", "iptables")
    say("starting the Docker engine")
    if Path("/run/systemd/system").is_dir():
        run("systemctl", "start", "docker")
    else:
        forget_dead(Path("/var/run/docker.pid"), "dockerd")
        forget_dead(Path("/var/run/docker/containerd/containerd.pid"), "containerd")
        log = Path("/var/log/dockerd.log")
        with log.open("ab") as stream:
            # Its own session and no inherited pipe: a caller that reads our output would wait for it for ever.
            subprocess.Popen(["dockerd"], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, close_fds=True)
    deadline = time.monotonic() + 60
    while not answers():
        if time.monotonic() > deadline:
            raise LabError(
                "the Docker engine was started but does not answer after 60 s; see its log (/var/log/dockerd.log or journalctl -u docker)"
            )
        time.sleep(0.5)


def mirrors(apt: Path = Path("/etc/apt")) -> tuple[str, str]:
    """Debian's archive and security archive (empty when there is none) as this machine's apt knows them."""
    text = ""
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file():
            text += "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")) + "\n"
    urls = re.findall(r"https?://[^\s\]]+", text)
    main = next((url for url in urls if re.search(r"/debian/?$", url)), "")
    security = next((url for url in urls if "debian-security" in url), "")
    if not main:
        raise LabError("no Debian mirror in this machine's apt sources: the images cannot be built without one; add one")
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
        r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", bundle.read_text(encoding="ascii", errors="ignore"), re.DOTALL
    )
    target.mkdir(parents=True, exist_ok=True)
    for number, certificate in enumerate(found):
        (target / f"machine-{number:03d}.crt").write_text(certificate, encoding="ascii")


def base_image(codename: str, folder: Path) -> str:
    """A plain Debian image: pulled where a registry answers, else made by debootstrap from the machine's mirror."""
    official = f"debian:{RELEASES[codename]}"
    pull = subprocess.run(["timeout", "300", "docker", "pull", "--quiet", official], capture_output=True, text=True, check=False)
    if not pull.returncode:
        return official
    name = f"flightdeck-raw-{codename}"
    if run("docker", "images", "--quiet", name).strip():
        return name
    if not shutil.which("debootstrap"):
        apt_install("debootstrap")
    if os.geteuid():
        raise LabError("no registry has debian images for this engine, and debootstrap needs root: run as root")
    root = folder / "root"
    say(f"no registry answers: bootstrapping {codename} from the machine's mirror")
    script = "/usr/share/debootstrap/scripts/sid"
    run("debootstrap", "--variant=minbase", f"--include={BASE}", codename, str(root), mirrors()[0], script)
    tar = subprocess.Popen(["tar", "--create", "--directory", str(root), "."], stdout=subprocess.PIPE)
    done = subprocess.run(["docker", "import", "-", name], stdin=tar.stdout, capture_output=True, text=True, check=False)
    if tar.wait() or done.returncode:
        raise LabError(f"docker import failed: {done.stderr}")
    return name


def provision_script(codename: str) -> str:
    """What turns a plain Debian image into a host."""
    main, security = mirrors()
    archives = [(main, codename), (main, f"{codename}-updates"), *([(security, f"{codename}-security")] if security else [])]
    sources = "\n".join(f"deb {url} {suite} main" for url, suite in archives)
    return f"""set -eu
export DEBIAN_FRONTEND=noninteractive
rm -f /etc/apt/apt.conf.d/docker-clean /etc/apt/sources.list.d/*
cat > /etc/apt/sources.list <<'END'
{sources}
END
cat > /etc/apt/apt.conf.d/90machine <<'END'
{apt_settings()}
APT::Keep-Downloaded-Packages "true";
END
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 0755 /usr/sbin/policy-rc.d
apt-get update --quiet
apt-get install --yes --quiet --no-install-recommends {BASE.replace(",", " ")}
update-ca-certificates > /dev/null 2>&1
apt-get dist-upgrade --yes --quiet
rm /usr/sbin/policy-rc.d
apt-get install --yes --quiet --no-install-recommends --download-only {" ".join(PACKAGES)}
systemctl mask {MASKED}
rm -f /etc/machine-id; : > /etc/machine-id
cat > /usr/local/sbin/start-host <<'END'
{ENTRYPOINT}END
chmod 0755 /usr/local/sbin/start-host
"""


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
    container = f"{name}-build-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="flightdeck-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        try:
            base = base_image(codename, folder)
            run("docker", "create", "--interactive", "--name", container, base, "/bin/sh", "-s")
            certificates(folder / "ca")
            run("docker", "cp", f"{folder}/ca/.", f"{container}:/usr/local/share/ca-certificates/")
            run("docker", "start", "--attach", "--interactive", container, stdin=provision_script(codename))
            changes = ["--change", 'CMD ["/usr/local/sbin/start-host"]', "--change", "ENV container=docker"]
            run("docker", "commit", *changes, "--change", "LABEL flightdeck.image=" + codename, container, name)
        finally:
            subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)
    say(f"image {name} built in {time.monotonic() - started:.0f} s")


def check_disk() -> None:
    """Raises LabError when the images and containers would not fit."""
    where = run("docker", "info", "--format", "{{.DockerRootDir}}").strip()
    free = shutil.disk_usage(where if os.path.isdir(where) else "/").free / 1e9
    if free < FREE_GB:
        raise LabError(f"{where} has {free:.1f} GB free, {FREE_GB} are needed: make room, or move Docker's data-root")


def check(port: int) -> None:
    """Raises LabError when the disk is too small or ``port`` is taken by somebody else."""
    check_disk()
    if run("docker", "ps", "--quiet", "--filter", "label=flightdeck.lab=lab").strip():
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LabError(f"port {port} is taken ({error.strerror}): stop what uses it, or choose another: make up PORT=8090") from error


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
            case ["apt", *packages] if packages:
                apt_install(*packages)
            case _:
                print(__doc__)
                return 2
    except LabError as error:
        print(f"lab: ERROR: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
