# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What apt would install on this host, and which processes run files that an update has replaced."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _host

Run = Callable[[list[str]], tuple[int, str, str]]

# Debian's mark that a package wants the host to boot.
REBOOT_REQUIRED = "/run/reboot-required"
# Units whose main process executes its new program in a reload.
RELOADED = frozenset({"haproxy.service"})
_APT_GET = ["apt-get", "--simulate", "--option", "Debug::NoLocking=true"]
_INSTALL = re.compile(r"^Inst (\S+) (?:\[(\S+)\] )?\((\S+)")
_REMOVE = re.compile(r"^(?:Remv|Purg) (\S+)")
_KEPT = "The following packages have been kept back:"
# Of /proc/<pid>/maps: what is executable, and its file.
_MAPPED = re.compile(r"^\S+ ..x. \S+ \S+ \d+ +(/(?:usr|lib|lib64|bin|sbin|opt)/.*) \(deleted\)$", re.MULTILINE)


def parse_simulation(text: str) -> dict[str, Any]:
    """What ``apt-get --simulate`` would do: upgrades, new packages, those that go, and those that it keeps back."""
    found: dict[str, Any] = {"upgrades": [], "installs": [], "removes": [], "kept": []}
    kept = False
    for line in text.splitlines():
        if match := _INSTALL.match(line):
            name, before, after = match.groups()
            if before:
                found["upgrades"].append({"name": name, "before": before, "after": after})
            else:
                found["installs"].append(name)
        elif match := _REMOVE.match(line):
            found["removes"].append(match[1])
        if kept and line.startswith("  "):
            found["kept"] += line.split()
        else:
            kept = line.strip() == _KEPT
    return found


def simulate(run: Run, packages: Iterable[str] | None, *, interrupted: bool) -> dict[str, Any]:
    """What apt would install to update ``packages``, or with None all.

    Raises OSError with what apt says. After an ``interrupted`` run it may refuse until packages are configured: then it
    is not known.
    """
    command = [*_APT_GET, "upgrade", "--with-new-pkgs"]
    if packages is not None:
        names = list(packages)
        if not names:
            return parse_simulation("")
        command = [*_APT_GET, "--no-install-recommends", "install", "--only-upgrade", *names]
    code, out, err = run(command)
    if code and not interrupted:
        raise OSError(f"apt-get --simulate failed: {(err or out).strip()}")
    return parse_simulation("" if code else out)


def installed_versions(text: str) -> dict[str, str]:
    """Versions of the installed packages, from /var/lib/dpkg/status."""
    found = {}
    for block in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", block, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields.get("Version", "")
    return found


def interrupted(run: Run) -> bool:
    """Whether dpkg has packages that are unpacked or half configured."""
    return bool(run(["dpkg", "--audit"])[1].strip())


def replaced(maps: str) -> list[str]:
    """Names of the programs and libraries of a process that are not on the disk any more, from its /proc/<pid>/maps."""
    return sorted({os.path.basename(path) for path in _MAPPED.findall(maps)})


def _is_old_worker(unit: str, directory: str) -> bool:
    """Whether the process of a ``unit`` in ``directory`` of /proc is one that a reload left until its connections
    end."""
    return unit in RELOADED and not re.search(r"^PPid:\s*1$", _host.read(f"{directory}/status"), re.MULTILINE)


def outdated(patterns: Iterable[str], proc: str = "/proc") -> dict[str, list[str]]:
    """Units that match ``patterns``, with the replaced files that their processes run."""
    wanted = list(patterns)
    found: dict[str, set[str]] = {}
    for path in glob.glob(f"{proc}/[0-9]*/maps"):
        # A process that has ended meanwhile has neither.
        unit = _host.parse_unit(_host.read(os.path.join(os.path.dirname(path), "cgroup")))
        if _is_old_worker(unit, os.path.dirname(path)):
            continue
        if any(fnmatch.fnmatchcase(unit, pattern) for pattern in wanted) and (files := replaced(_host.read(path))):
            found.setdefault(unit, set()).update(files)
    return {unit: sorted(files) for unit, files in sorted(found.items())}


def version_key(release: str) -> list[tuple[int, int | str]]:
    """A key that sorts releases of the kernel, such as 6.1.0-9-amd64 before 6.1.0-10-amd64."""
    return [(1, int(part)) if part.isdigit() else (0, part) for part in re.findall(r"\d+|[a-z]+", release)]


def reboot_reason(running: str, kernels: Iterable[str], container: bool, mark: str = REBOOT_REQUIRED) -> str:
    """Why the host has to boot; empty when it has not. ``kernels`` are the releases that are installed."""
    newest = max(kernels, key=version_key, default=running)
    if not container and version_key(newest) > version_key(running):
        return f"the kernel {running} runs, {newest} is installed"
    return f"{mark} is there" if os.path.exists(mark) else ""


def kernels(directory: str = "/boot") -> list[str]:
    """Releases of the kernels that are installed."""
    return [os.path.basename(path).partition("-")[2] for path in glob.glob(f"{directory}/vmlinuz-*")]


def starts(run: Run, units: Iterable[str]) -> Mapping[str, str]:
    """What tells one start of each of the running ``units`` from another one."""
    names = list(units)
    if not names:
        return {}
    code, out, err = run(
        ["systemctl", "list-units", "--plain", "--no-legend", "--type=service", "--state=active", *names]
    )
    if code:
        raise OSError(f"systemctl list-units failed: {err.strip()}")
    running = [line.split()[0] for line in out.splitlines() if line.strip()]
    if not running:
        return {}
    code, out, err = run(["systemctl", "show", "--property=Id,InvocationID", *running])
    if code:
        raise OSError(f"systemctl show failed: {err.strip()}")
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in out.split("\n\n")]
    return {block["Id"]: block.get("InvocationID", "") for block in blocks if "Id" in block}
