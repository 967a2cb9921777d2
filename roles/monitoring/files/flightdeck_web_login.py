#!/usr/bin/python3
"""Writes the web configuration of Prometheus or Alertmanager, with a hash of the password, before it starts.

The hash has another salt each time, so it stands in no file that is compared. Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import string
import sys
from pathlib import Path

# bcrypt, the only kind that they read, with 2 to the power of 10 rounds.
PREFIX = "$2b$10$"
SALT = "./" + string.ascii_letters + string.digits
SALT_LENGTH = 22


def bcrypt(password: str) -> str:
    """The hash of ``password`` by the C library of Debian. Raises OSError when it has none of this kind."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    salt = PREFIX + "".join(secrets.choice(SALT) for _each in range(SALT_LENGTH))
    hashed = library.crypt(password.encode(), salt.encode())
    if not hashed or not hashed.startswith(PREFIX.encode()):
        raise OSError("libcrypt.so.1 knows no bcrypt")
    return str(hashed.decode("ascii"))


def web_config(login: dict[str, str]) -> dict[str, object]:
    """What they read: certificates where there are some, and who may log in."""
    found: dict[str, object] = {"basic_auth_users": {login["user"]: bcrypt(login["password"])}}
    if directory := login["tls_dir"]:
        found["tls_server_config"] = {
            "cert_file": f"{directory}/server.crt",
            "key_file": f"{directory}/server.key",
            "min_version": "TLS12",
        }
    return found


def main() -> int:
    """Entry point: reads the file of the first argument, writes that of the second."""
    source, target = map(Path, sys.argv[1:])
    os.umask(0o077)
    # JSON is YAML.
    target.write_text(json.dumps(web_config(json.loads(source.read_text(encoding="utf-8")))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
