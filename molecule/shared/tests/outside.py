"""Services outside of the cluster under test: commands where they run, certificates that prove them, and runs of the
playbooks with another inventory of the same hosts.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest.mock import patch

from cluster_access import Access, access, ansible

ROOT = Path(__file__).parents[3]


def run_in(container: str, *command: str, stdin: str = "") -> str:
    """Output of a command in a container, as root; raises with what it said when it fails."""
    done = subprocess.run(
        ["docker", "exec", "--interactive", container, *command],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} in {container} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
    return done.stdout


def openssl(*arguments: str) -> None:
    """Run openssl; raises with what it said."""
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True)


def make_ca(folder: Path) -> Path:
    """The certificate of a new CA; its key lies beside it."""
    path = folder / "ca.crt"
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=external CA"]
    openssl(*new, "-keyout", str(path.with_suffix(".key")), "-out", str(path))
    return path


def make_server(ca_file: Path, addresses: Iterable[str]) -> tuple[str, str]:
    """Certificate and key of a server with these IP addresses, in PEM."""
    key, request, certificate, names = (ca_file.with_name(f"server.{kind}") for kind in ("key", "csr", "crt", "names"))
    names.write_text(f"subjectAltName={','.join(f'IP:{address}' for address in addresses)}\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", str(key), "-out", str(request))
    sign = [
        "x509",
        "-req",
        "-days",
        "2",
        "-CAcreateserial",
        "-CA",
        str(ca_file),
        "-CAkey",
        str(ca_file.with_suffix(".key")),
    ]
    openssl(*sign, "-in", str(request), "-extfile", str(names), "-out", str(certificate))
    return certificate.read_text(), key.read_text()


def play(playbook: str, *arguments: str) -> str:
    """Run a playbook of the collection against the inventory in use; what it said."""
    return ansible(str(ROOT / playbook), *arguments, program="ansible-playbook", timeout=900)


@contextlib.contextmanager
def using(inventory: Path, **environment: str) -> Iterator[Access]:
    """The cluster as another ``inventory`` describes it, with variables of the ``environment`` that it looks up."""
    access.cache_clear()
    try:
        with patch.dict(os.environ, {"FLIGHTDECK_INVENTORY": str(inventory), **environment}):
            yield access()
    finally:
        access.cache_clear()
