"""The receiver of journals: who may send, and which files go; and the search."""

from __future__ import annotations

import asyncio
import datetime
import importlib.util
import os
import re
import socket
import ssl
import struct
import sys
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates

ROOT = Path(__file__).parents[4]
DAY = 86400
# Answers as a process of systemd-journal-remote does, with its file in the place of an address.
SINK = """#!{python}
import socket, sys
options = dict(argument.split("=", 1) for argument in sys.argv[1:])
server = socket.socket(socket.AF_UNIX)
server.bind(options["--listen-http"])
server.listen()
while True:
    client, _ = server.accept()
    while data := client.recv(1000):
        open(options["--output"], "ab").write(data)
        client.sendall(b"OK.")
"""


def program(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"roles/journal_receiver/files/{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


receiver = program("flightdeck_journal_receiver")
search = program("flightdeck_journal")


def journal(path, first_time=1.0, changed=0.0, size=4096):
    """A file with the header of systemd's."""
    header = bytearray(208)
    header[72:88] = bytes(range(16))
    struct.pack_into("<Q", header, 168, 7)
    struct.pack_into("<Q", header, 184, int(first_time * 1e6))
    path.write_bytes(bytes(header).ljust(size, b"x"))
    os.utime(path, (changed, changed))
    return path


def test_a_complete_file_has_the_name_that_systemd_gives_it(tmp_path):
    path = journal(tmp_path / "a.b.journal", first_time=2)
    assert receiver.archived_name(path) == (
        "a.b@000102030405060708090a0b0c0d0e0f-0000000000000007-00000000001e8480.journal"
    )
    assert search.host_of(path.rename(tmp_path / receiver.archived_name(path))) == "a.b"


def test_old_complete_files_go_and_the_oldest_of_too_many(tmp_path):
    now = 100 * DAY
    files = [
        journal(tmp_path / f"a@{number}.journal{'~' * (number == 1)}", changed=now - age * DAY, size=1_000_000)
        for number, age in enumerate((9, 3, 2))
    ]
    written = journal(tmp_path / "a.journal", changed=now - 50 * DAY, size=1_000_000)
    assert receiver.expired(tmp_path, now, 7, 10**9) == files[:1]
    assert receiver.expired(tmp_path, now, 7, receiver.size(files[0]) * 2 + 1) == files[:2]
    # What is written to stays.
    assert written not in receiver.expired(tmp_path, now, 1, 1)


def test_a_file_is_completed_after_a_day_or_when_it_takes_the_room(tmp_path):
    now = 100.0 * DAY
    old = journal(tmp_path / "old.journal", first_time=now - 1.1 * DAY)
    new = journal(tmp_path / "new.journal", first_time=now - 1000, size=9_000_000)
    journal(tmp_path / "old@1.journal", first_time=1)
    assert receiver.to_complete(tmp_path, now, 10**9) == [old]
    old.unlink()
    assert receiver.to_complete(tmp_path, now, 10**9) == []
    assert receiver.to_complete(tmp_path, now, 10**7) == [new]


@pytest.fixture
def tls(tmp_path):
    """A CA, and clients with a certificate by it and by another one."""
    now = datetime.datetime.now(datetime.UTC)
    ca, other = (certificates.make_ca(name, now) for name in ("cluster", "other"))
    for name, signer in (("server", ca), ("a", ca), ("removed", ca), ("other", other)):
        pair = certificates.issue(signer, "a" if name == "other" else name, ["localhost"], now, days=2)
        (tmp_path / f"{name}.crt").write_text(pair["certificate"])
        (tmp_path / f"{name}.key").write_text(pair["key"])
    (tmp_path / "ca.crt").write_text(ca["certificate"])
    return tmp_path


async def send(folder, port, name, text):
    """What the receiver answers to the client ``name``; empty for nothing."""
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    if name:
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    try:
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context, family=2)
        writer.write(text)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(3), 5)
        writer.close()
    except OSError:
        return b""
    return answer


def test_each_host_has_its_file_and_others_have_none(tls, monkeypatch, unused_tcp_port):
    sink = tls / "sink"
    sink.write_text(SINK.format(python=sys.executable))
    sink.chmod(0o755)
    monkeypatch.setattr(receiver, "SINK", str(sink))
    logs = tls / "logs"
    logs.mkdir()
    settings = receiver.Settings("127.0.0.1", unused_tcp_port, str(tls), str(logs), {"a": "a"}, 7, 10**9)
    running = receiver.Receiver(settings, tls)

    async def talk():
        server = await asyncio.start_server(running.serve, "127.0.0.1", unused_tcp_port, ssl=running.context())
        answers = [await send(tls, unused_tcp_port, name, b"hello") for name in ("a", "a", "removed", "other", "")]
        await running.complete(logs / "a.journal")
        answers.append(await send(tls, unused_tcp_port, "a", b"again"))
        server.close()
        await asyncio.gather(*map(running.stop, running.hosts.values()))
        return answers

    assert asyncio.run(talk()) == [b"OK.", b"OK.", b"", b"", b"", b"OK."]
    assert sorted(path.read_bytes() for path in logs.iterdir()) == [b"again", b"hellohello"]


@pytest.fixture
def unused_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(directory, *arguments):
    return search.command(search.options(arguments), directory)


def test_a_search_is_a_call_of_journalctl(tmp_path):
    journal(tmp_path / "w1.journal")
    journal(tmp_path / "w1@1.journal")
    journal(tmp_path / "w1@2.journal~")
    journal(tmp_path / "w10.journal")
    assert search.names(tmp_path) == ["w1", "w10"]
    found = call(tmp_path, "--host", "w1", "-u", "airflow-*", "--since=-1h", "--", "--reverse")
    assert found[3:] == [
        f"--file={tmp_path}/w1.journal",
        f"--file={tmp_path}/w1@1.journal",
        f"--file={tmp_path}/w1@2.journal~",
        "--unit=airflow-*",
        "--since=-1h",
        "--reverse",
    ]
    assert f"--directory={tmp_path}" in call(tmp_path)
    assert "--lines=1000" in call(tmp_path)
    with pytest.raises(search.UnknownHostError, match="there are those of w1, w10"):
        call(tmp_path, "--host", "w2")


@pytest.mark.parametrize(
    ("message", "matches"),
    [
        ("run manual__2026-01-01T00:00:00+00:00 of dag etl.a", True),
        ('{"run_id": "manual__2026-01-01T00:00:00+00:00",\n "dag_id": "etl.a"}', True),
        ("run manual__2026-01-01T00:00:00+00:00 of dag etl.a.b", False),
        ("run manual__2026-01-01T00:00:00+00:001 of dag etl.a", False),
        ("run manual__2026-01-01T00:00:00+00:00", False),
    ],
)
def test_a_run_is_found_by_its_whole_name(message, matches):
    given = search.options(["--dag", "etl.a", "--dag-run", "manual__2026-01-01T00:00:00+00:00"])
    (text,) = (option for option in search.command(given, Path("/x")) if option.startswith("--grep="))
    assert bool(re.search(text.removeprefix("--grep="), message)) == matches
