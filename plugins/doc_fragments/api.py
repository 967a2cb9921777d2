# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules for objects reach an Airflow."""

from __future__ import annotations


class ModuleDocFragment:
    """For ``extends_documentation_fragment: flightdeck.airflow.api`` and ``flightdeck.airflow.api.state``."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - URL that users open, such as V(https://airflow.example.org), with the path if Airflow has one.
      - The module asks the server whether it is Airflow 3 or 2.11.
    type: str
    required: true
  api_username:
    description: Account of Airflow that may change these objects.
    type: str
  api_password:
    description: Its password. Airflow 3 gives a token for it; Airflow 2.11 needs its C(basic_auth) backend.
    type: str
  api_token:
    description: A token in place of O(api_username) and O(api_password).
    type: str
  ca_path:
    description: File with certificates of CAs, besides those of the machine, that may have signed the server's.
    type: path
  validate_certs:
    description: Whether the server needs a certificate that is valid.
    type: bool
    default: true
  timeout:
    description: Seconds for all requests together. Those that fail with a status of 500 and more, or get no answer, are
      repeated until then, because webservers restart.
    type: int
    default: 60
  metastore_url:
    description:
      - SQLAlchemy URL of Airflow's database, from which the module reads what the API masks, to compare it. It writes
        nothing there.
      - Needs O(fernet_key), and a Python with SQLAlchemy, the driver, cryptography and Werkzeug, such as that of the
        release (C(ansible_python_interpreter)).
    type: str
  fernet_key:
    description: Airflow's Fernet keys, with commas between them.
    type: str
  update_secrets:
    description:
      - What happens to an object that differs from its declaration in nothing but what Airflow shows masked, which
        cannot be compared. It does not count with O(metastore_url), which shows everything.
      - With V(always), it is written, and each run says that it changed it. With V(on_create), it is left alone; the
        secret is written when the object is created, and whenever something else of it changes.
      - Passwords of users are compared in any case, by a login.
    type: str
    choices: [always, on_create]
    default: always
attributes:
  check_mode:
    support: full
    description: Reports what it would change, and changes nothing.
  diff_mode:
    support: full
    description: Shows what it would change, or has changed. What Airflow encrypts is hidden, and so are passwords.
"""

    # Of the modules for one object.
    STATE = r"""
options:
  state:
    description: Whether the object is to be there.
    type: str
    choices: [present, absent]
    default: present
"""
