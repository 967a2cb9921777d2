#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Check whether an external broker can carry Airflow's tasks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: broker_info
short_description: Check whether a broker can carry Airflow's tasks
version_added: 0.1.0
description:
  - Logs in as Celery will, and asks for the queues that are there. A queue that is not there yet is none of its
    business where Celery makes it. Writes nothing.
  - Must run with the Python of the release (C(ansible_python_interpreter)), which has the clients.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  kind:
    description: What the broker is.
    type: str
    choices: [rabbitmq, redis, sqs]
    required: true
  url:
    description: URL of the broker, as Celery takes it.
    type: str
    required: true
  tls:
    description: How the broker is verified, Celery's C(broker_use_ssl). Empty means a connection without TLS.
    type: dict
    default: {}
  ca:
    description: CA certificates in PEM to verify the broker with, in place of the file that O(tls) names. Empty means
      that file.
    type: str
    default: ""
  options:
    description: Options of kombu's transport, Airflow's C([celery_broker_transport_options]).
    type: dict
    default: {}
  queues:
    description: Names of the queues that carry tasks.
    type: list
    elements: str
    required: true
  user:
    description: Account of the services, as which to ask. What it cannot read, such as a file with AWS credentials,
      they cannot either.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check whether the broker can carry tasks
  flightdeck.airflow.broker_info:
    kind: rabbitmq
    url: "{{ airflow_secrets.broker_url }}"
    tls: {ca_certs: /etc/ssl/certs/ca-certificates.crt, cert_reqs: 2}
    queues: [default]
    user: airflow
  vars:
    ansible_python_interpreter: /opt/airflow/current/bin/python
"""

RETURN = r"""
queues:
  description: The queues that are there.
  type: list
  elements: str
  returned: success
"""

import contextlib
import os
import pwd
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _redaction

# Seconds that one attempt to connect may take, as the workers have it.
CONNECT_SECONDS = 4


class RefusedError(Exception):
    """What was found, what was expected, and the remedy."""


def rabbitmq(connection: Any, queues: Iterable[str], _options: Mapping[str, Any]) -> list[str]:
    """The queues that are there, each a durable quorum queue."""
    from amqp.exceptions import NotFound, PreconditionFailed

    found = []
    for name in queues:
        # An answer of this kind closes the channel.
        try:
            connection.channel().queue_declare(name, passive=True)
        except NotFound:
            continue
        try:
            # As Celery does; of one that is like this nothing changes.
            connection.channel().queue_declare(
                name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
            )
        except PreconditionFailed as error:
            remedy = "Stop its users and delete it: Celery creates it again"
            raise RefusedError(
                f"queue {name} is another kind of queue ({error.reply_text}); expected a quorum queue. {remedy}"
            ) from error
        found.append(name)
    return found


def redis(connection: Any, queues: Iterable[str], _options: Mapping[str, Any]) -> list[str]:
    """The queues that have messages."""
    return [name for name in queues if connection.default_channel.client.llen(name)]


def sqs(connection: Any, queues: Iterable[str], options: Mapping[str, Any]) -> list[str]:
    """The queues, each of which holds a message for long enough."""
    wanted = int(options["visibility_timeout"])
    for name in queues:
        address = options["predefined_queues"][name]["url"]
        asked = connection.default_channel.sqs(name).get_queue_attributes(
            QueueUrl=address, AttributeNames=["VisibilityTimeout"]
        )
        held = int(asked["Attributes"]["VisibilityTimeout"])
        if held < wanted:
            found = f"queue {name} gives a message to a second worker after {held} s; expected {wanted} s"
            raise RefusedError(f"{found}. Set its visibility timeout, or airflow_sqs_visibility_timeout_seconds")
    return list(queues)


@contextlib.contextmanager
def tls_options(tls: Mapping[str, Any], ca: str) -> Iterator[dict[str, Any]]:
    """``tls`` with the path of a temporary file that holds ``ca``, unless it is empty."""
    with tempfile.NamedTemporaryFile("w", suffix=".crt") as file:
        file.write(ca)
        file.flush()
        yield {name: file.name if ca and name.endswith("ca_certs") else value for name, value in tls.items()}


@contextlib.contextmanager
def acting_as(user: str) -> Iterator[None]:
    """Root's files are out of reach, and home is that of ``user``."""
    account = pwd.getpwnam(user)
    before = (os.getgroups(), os.getegid(), os.geteuid(), os.environ.get("HOME", ""))
    os.initgroups(user, account.pw_gid)
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    os.environ["HOME"] = account.pw_dir
    try:
        yield
    finally:
        os.seteuid(before[2])
        os.setegid(before[1])
        os.setgroups(before[0])
        os.environ["HOME"] = before[3]


KINDS = {"rabbitmq": rabbitmq, "redis": redis, "sqs": sqs}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "kind": {"type": "str", "choices": list(KINDS), "required": True},
            "url": {"type": "str", "required": True, "no_log": True},
            "tls": {"type": "dict", "default": {}},
            "ca": {"type": "str", "default": ""},
            "options": {"type": "dict", "default": {}},
            "queues": {"type": "list", "elements": "str", "required": True},
            "user": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    kind, url, tls, options, queues = (module.params[name] for name in ("kind", "url", "tls", "options", "queues"))
    variable = "airflow_sqs_queues" if kind == "sqs" else "airflow_broker_url"
    try:
        from kombu import Connection

        # Not as long as a running worker would try.
        transport = {**options, "connect_retries_timeout": 3 * CONNECT_SECONDS, "max_retries": 1}
        with (
            acting_as(module.params["user"]),
            tls_options(tls, module.params["ca"]) as verified,
            Connection(
                url, ssl=verified or False, transport_options=transport, connect_timeout=CONNECT_SECONDS
            ) as connection,
        ):
            if kind != "sqs":
                connection.ensure_connection(max_retries=1, timeout=3 * CONNECT_SECONDS)
            found = KINDS[kind](connection, queues, options)
    except RefusedError as refused:
        module.fail_json(msg=f"FD187 the broker of {variable}: found that {refused}.")
    except Exception as error:
        reason = _redaction.reason(error, url)
        expected = "a broker that accepts the login"
        remedy = "Check the broker, the variable and the network path"
        module.fail_json(
            msg=f"FD187 the broker of {variable}: found none that can be used ({reason}); expected {expected}. "
            f"{remedy}."
        )
    module.exit_json(changed=False, queues=found)


if __name__ == "__main__":
    main()
