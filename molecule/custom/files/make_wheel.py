"""Write a wheel with one module: make_wheel.py DIRECTORY."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

INFO = "acme_greeting-1.0.dist-info"
FILES = {
    "acme_greeting.py": 'TEXT = "from a wheel"\n',
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: acme-greeting\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: make_wheel\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def main() -> None:
    """Command line. The same bytes each time, because a wheel is part of what a release is."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    record = "".join(f"{name},,\n" for name in (*FILES, f"{INFO}/RECORD"))
    with zipfile.ZipFile(folder / "acme_greeting-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in {**FILES, f"{INFO}/RECORD": record}.items():
            wheel.writestr(zipfile.ZipInfo(name), text)


if __name__ == "__main__":
    main()
