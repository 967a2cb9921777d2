"""Build the archive of the collection, the same to the byte for the same commit, what is in it as CycloneDX documents,
and the checksums of all.

    python .config/build.py DIRECTORY

Run by ``make build``. Only committed files get in. The time of every file is that of the commit, or SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
LOCKS = "roles/airflow/files/locks"
SBOM = runpy.run_path(str(ROOT / "roles/airflow/files/build_release.py"))


def git(*arguments: str) -> bytes:
    """What git says in the repository. Raises CalledProcessError."""
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True).stdout


def epoch() -> int:
    """Seconds since 1970 that every file of the archive carries."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct"))


def normalised(archive: Path, when: int) -> bytes:
    """``archive`` with everything left out that depends on the machine: order, times, owners, modes."""
    with tarfile.open(archive) as source:
        content = {member.name: (member, source.extractfile(member)) for member in source}
        files = {name: stream.read() for name, (_member, stream) in content.items() if stream is not None}
    # ansible-galaxy lists files in the order of the directory, and the manifest has the sum of that list.
    listing = json.loads(files["FILES.json"])
    listing["files"].sort(key=lambda entry: entry["name"])
    files["FILES.json"] = (json.dumps(listing, indent=1) + "\n").encode()
    manifest = json.loads(files["MANIFEST.json"])
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(files["FILES.json"]).hexdigest()
    files["MANIFEST.json"] = (json.dumps(manifest, indent=1) + "\n").encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target:
        for name, (member, _stream) in sorted(content.items()):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime = member.type, member.linkname, when
            info.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            info.size = len(files.get(name, b""))
            target.addfile(info, io.BytesIO(files[name]) if name in files else None)
    return gzip.compress(packed.getvalue(), mtime=when)


def locked(text: str) -> list[dict[str, Any]]:
    """The packages of a lock as components."""
    blocks = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==(\S+)((?:.*\\\n)*.*)", text, re.MULTILINE)
    return [
        SBOM["component"](name, version, "", re.findall(r"sha256:([0-9a-f]{64})", rest))
        for name, version, rest in blocks
    ]


def main() -> None:
    """Build into the directory of the command line."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        subprocess.run(
            ["tar", "--extract", "--directory", source], input=git("archive", "--format=tar", "HEAD"), check=True
        )
        command = [
            Path(sys.executable).parent / "ansible-galaxy",
            "collection",
            "build",
            source,
            "--output-path",
            folder,
        ]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
        built = next(Path(folder).glob("*.tar.gz"))
        (target / built.name).write_bytes(normalised(built, epoch()))
        print(target / built.name)
        galaxy = yaml.safe_load((source / "galaxy.yml").read_text(encoding="utf-8"))
        needed = [
            {"type": "library", "bom-ref": name, "name": name, "version": wanted}
            for name, wanted in galaxy["dependencies"].items()
        ]
        documents = {"collection": SBOM["bom"](f"{galaxy['namespace']}.{galaxy['name']}", galaxy["version"], needed)}
        for lock in sorted((source / LOCKS).glob("airflow-*.txt")):
            version = lock.stem.split("-")[1]
            documents[lock.stem] = SBOM["bom"]("apache-airflow", version, locked(lock.read_text(encoding="utf-8")))
    prefix = built.name.removesuffix(".tar.gz")
    for name, document in documents.items():
        path = target / f"{prefix}.{name}.cdx.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(path)
    sums = target / f"{prefix}.sha256"
    # As sha256sum writes and checks them.
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(target.glob(f"{prefix}.*"))
        if path.suffix in (".gz", ".json")
    ]
    sums.write_text("".join(lines), encoding="utf-8")
    print(sums)


if __name__ == "__main__":
    main()
