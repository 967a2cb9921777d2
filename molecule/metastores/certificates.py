"""Make a CA that the cluster knows nothing of, and certificates of database servers.

    certificates.py DIRECTORY NAME=ADDRESS...

Leaves ca.crt, and NAME.crt and NAME.key for each server.
"""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

_AnsibleCollectionFinder(paths=[str(Path(__file__).parents[2] / ".collections")])._install()


def main() -> int:
    """Command line."""
    from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    ca = certificates.make_ca("of databases", now)
    for server in sys.argv[2:]:
        name, address = server.split("=")
        pair = certificates.issue(ca, name, [address], now, 30)
        (folder / f"{name}.crt").write_text(pair["certificate"], encoding="ascii")
        (folder / f"{name}.key").write_text(pair["key"], encoding="ascii")
    (folder / "ca.crt").write_text(ca["certificate"], encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
