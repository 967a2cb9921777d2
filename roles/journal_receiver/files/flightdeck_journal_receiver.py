#!/usr/bin/python3
"""Receives the journals of the cluster's hosts, each into a file of its own, and removes old ones.

Debian's systemd-journal-remote cannot verify certificates of clients. This program does: a host is who the certificate
says that it is. It passes what the host sends on to a systemd-journal-remote of the host's own, by a socket that only
its account may open. Standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SINK = "/lib/systemd/systemd-journal-remote"
DAY = 86400.0
# Seconds between two times that old files are removed.
RETENTION_SECONDS = 600.0
# Seconds that a process may take to listen, and to end.
TIMEOUT = 10.0
CHUNK = 65536
# Of the header of a journal file (systemd's Journal File Format): its length at least, and where the sequence's name,
# the number of the first entry and its time are.
HEADER, SEQUENCE, FIRST_NUMBER, FIRST_TIME = 208, 72, 168, 184
# Silent connections are probed, so that those of a lost host end. Seconds.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 3))


@dataclass(frozen=True)
class Settings:
    """What the role says. ``hosts`` are names in certificates with the names of the hosts."""

    address: str
    port: int
    tls_dir: str
    directory: str
    hosts: dict[str, str]
    retention_days: int
    max_bytes: int


@dataclass
class Host:
    """A host of the cluster: the process that stores its journal, and its connections."""

    name: str
    process: asyncio.subprocess.Process | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connections: set[asyncio.StreamWriter] = field(default_factory=set)


def log(text: str) -> None:
    """Write a line to the journal of this host."""
    print(text, flush=True)


def archived_name(path: Path) -> str:
    """The name that systemd gives to the journal file ``path`` when it is complete."""
    with path.open("rb") as stream:
        header = stream.read(HEADER).ljust(HEADER, b"\0")
    first, start = (struct.unpack_from("<Q", header, offset)[0] for offset in (FIRST_NUMBER, FIRST_TIME))
    return f"{path.stem}@{header[SEQUENCE : SEQUENCE + 16].hex()}-{first:016x}-{start:016x}.journal"


def size(path: Path) -> int:
    """Bytes that ``path`` takes on its disk."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_blocks * 512
    return 0


def expired(directory: Path, now: float, days: int, max_bytes: int) -> list[Path]:
    """Complete files in ``directory`` that are too old, and the oldest of those that are too many."""
    files = sorted(directory.glob("*.journal*"), key=lambda path: path.stat().st_mtime)
    total = sum(map(size, files))
    found = []
    for path in files:
        if "@" not in path.name:
            continue
        if path.stat().st_mtime < now - days * DAY or total > max_bytes:
            found.append(path)
            total -= size(path)
    return found


def to_complete(directory: Path, now: float, max_bytes: int) -> list[Path]:
    """Files in ``directory`` that are written to and are to be completed: from a day on, or when they alone take more
    than half of the room, the largest one."""
    files = [path for path in directory.glob("*.journal") if "@" not in path.name]
    found = [path for path in files if begun(path) < now - DAY]
    if not found and files and sum(map(size, files)) > max_bytes / 2:
        found = [max(files, key=size)]
    return found


def begun(path: Path) -> float:
    """The time of the first entry in the journal file ``path``; now for one without entries."""
    with path.open("rb") as stream:
        header = stream.read(HEADER)
    start = struct.unpack_from("<Q", header, FIRST_TIME)[0] / 1e6 if len(header) == HEADER else 0.0
    return start or time.time()


class Receiver:
    """Everything that runs: connections, and a process per host."""

    def __init__(self, settings: Settings, sockets: Path) -> None:
        self.settings = settings
        self.sockets = sockets
        self.directory = Path(settings.directory)
        self.hosts = {subject: Host(name) for subject, name in settings.hosts.items()}

    def context(self) -> ssl.SSLContext:
        """TLS that wants a certificate by the cluster's CA."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(f"{self.settings.tls_dir}/server.crt", f"{self.settings.tls_dir}/server.key")
        context.load_verify_locations(f"{self.settings.tls_dir}/ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    async def sink(self, host: Host) -> Path:
        """The socket of the process that stores the journal of ``host``, which is started where it does not run."""
        path = self.sockets / f"{host.name}.sock"
        async with host.lock:
            if host.process and host.process.returncode is None:
                return path
            path.unlink(missing_ok=True)
            output = self.directory / f"{host.name}.journal"
            host.process = await asyncio.create_subprocess_exec(
                *(SINK, f"--listen-http={path}", "--split-mode=none", f"--output={output}"),
                stdin=asyncio.subprocess.DEVNULL,
                # "OK." for each time that a host sends something.
                stdout=asyncio.subprocess.DEVNULL,
            )
            deadline = time.monotonic() + TIMEOUT
            while not path.exists() and host.process.returncode is None and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        return path

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        peer = writer.get_extra_info("peername")[0]
        host = self.hosts.get(subject(writer.get_extra_info("peercert")))
        back = None
        try:
            if host is None:
                log(f"{peer} is refused: its certificate is of no host of the cluster")
                return
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                raw.setsockopt(socket.IPPROTO_TCP, option, value)
            host.connections.add(writer)
            answers, back = await asyncio.open_unix_connection(str(await self.sink(host)))
            tasks = {asyncio.create_task(copy(reader, back)), asyncio.create_task(copy(answers, writer))}
            _done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError as error:
            log(f"{host.name if host else peer}: {error}")
        finally:
            if host:
                host.connections.discard(writer)
            for each in (writer, back):
                if each:
                    each.close()

    async def stop(self, host: Host) -> None:
        """End the process of ``host``, which closes its file."""
        for writer in list(host.connections):
            writer.transport.abort()
        if host.process and host.process.returncode is None:
            host.process.terminate()
            try:
                await asyncio.wait_for(host.process.wait(), TIMEOUT)
            except TimeoutError:
                host.process.kill()
                await host.process.wait()

    async def complete(self, path: Path) -> None:
        """Have what comes from now on written to another file than ``path``."""
        host = next((each for each in self.hosts.values() if each.name == path.stem), None)
        # Of a host that left the cluster there is the file alone.
        async with host.lock if host else contextlib.nullcontext():
            if host:
                await self.stop(host)
            path.rename(path.with_name(archived_name(path)))

    async def retain(self) -> None:
        """Complete files that are large or a day old, and remove old ones."""
        for path in to_complete(self.directory, time.time(), self.settings.max_bytes):
            await self.complete(path)
        for path in expired(self.directory, time.time(), self.settings.retention_days, self.settings.max_bytes):
            path.unlink(missing_ok=True)
            log(f"removed {path.name}")

    async def run(self) -> None:
        """Serve until the end."""
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        server = await asyncio.start_server(
            self.serve, self.settings.address, self.settings.port, ssl=self.context(), limit=CHUNK
        )
        log(f"receives the journals of {len(self.hosts)} hosts at port {self.settings.port}")
        while not stopped.is_set():
            try:
                await self.retain()
            except OSError as error:
                log(f"old files stay: {error}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), RETENTION_SECONDS)
        server.close()
        await asyncio.gather(*map(self.stop, self.hosts.values()))


def subject(certificate: dict[str, Any]) -> str:
    """The common name in a ``certificate`` of a client."""
    names: Iterable[tuple[str, str]] = (pair for part in certificate.get("subject", ()) for pair in part)
    return next((value for key, value in names if key == "commonName"), "")


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what is read, until its end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


def main(path: str) -> None:
    """Receive with the settings in the file ``path``."""
    settings = Settings(**json.loads(Path(path).read_text(encoding="utf-8")))
    asyncio.run(Receiver(settings, Path(os.environ["RUNTIME_DIRECTORY"])).run())


if __name__ == "__main__":
    main(sys.argv[1])
