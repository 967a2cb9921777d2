# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the broker's variables and options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BROKER_GROUPS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.broker import (
    QUORUM,
    RABBITMQ_ONLY,
    Broker,
    broker_of,
    hold_seconds,
    tls_options,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import ClusterBroker
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import data
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.airflow_options import OWNED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.values import is_certificate, url_problem

_SCHEMES = {"rabbitmq": ("amqp", "amqps"), "redis": ("redis", "rediss")}
# Celery's names of what the collection computes, or what Airflow has an option for, with what to set instead. Among the
# extra options they would replace it, unseen by all other checks.
_ELSEWHERE = {
    **{name: OWNED[f"celery.{name}"] for name in ("broker_url", "result_backend", "worker_concurrency")},
    **dict.fromkeys(("broker_read_url", "broker_write_url"), OWNED["celery.broker_url"]),
    "worker_enable_remote_control": OWNED["celery.worker_enable_remote_control"],
    "broker_transport_options": "Set each option in airflow_config.celery_broker_transport_options.",
    "database_engine_options": "Set airflow_config.celery.result_backend_sqlalchemy_engine_options.",
    "task_acks_late": "Set airflow_config.celery.task_acks_late.",
    **dict.fromkeys(
        ("task_default_exchange", "task_default_queue"), "Set airflow_config.operators.default_queue: it is both."
    ),
    "worker_pool": "Set airflow_config.celery.pool.",
    "worker_prefetch_multiplier": "Set airflow_config.celery.worker_prefetch_multiplier.",
}
# Celery turns every other character of a queue's name into another one.
_SQS_QUEUE = re.compile(r"[A-Za-z0-9_-]+")


def check(members: Mapping[str, Iterable[str]], settings: Settings, queues: Iterable[str]) -> list[Problem]:
    """Problems of the broker. ``members`` maps GROUPS to their hosts; ``queues`` are those of the workers."""
    broker = broker_of(settings)
    problems = []
    for group in BROKER_GROUPS:
        names = list(members[group])
        if names and group != broker.group:
            why = "airflow_broker_url is set" if group == broker.kind else f"airflow_broker is {broker.kind}"
            problems.append(
                _contradiction(
                    f"group airflow_{group}",
                    f"{_hosts(names)}, and {why}",
                    "no host",
                    "A cluster has one broker: empty the group.",
                )
            )
    if broker.group == "redis" and len(list(members["redis"])) > 1:
        remedy = "Redis runs on one host, without a second that could take its place: for that use RabbitMQ."
        problems.append(Problem(Code.FD102, "group airflow_redis", _hosts(members["redis"]), "1", remedy))
    problems += _check_url(settings, broker) + _check_ca(settings, broker)
    return problems + (_check_sqs(settings, queues) if broker.kind == "sqs" else _check_no_sqs(settings))


def _hosts(names: Iterable[str]) -> str:
    count = len(list(names))
    return f"{count} host{'s' if count > 1 else ''}"


def _contradiction(where: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem(Code.FD159, where, found, expected, remedy)


def _check_url(settings: Settings, broker: Broker) -> list[Problem]:
    url = settings.broker_url
    if not url:
        return []
    if broker.kind == "sqs":
        remedy = "Leave it out: airflow_sqs_queues says where the queues are, airflow_sqs_access_key_id who uses them."
        return [_contradiction("airflow_broker_url", "a URL, and airflow_broker is sqs", "nothing", remedy)]
    schemes = _SCHEMES[broker.kind]
    fault = url_problem(url, schemes)
    if not fault and re.search("[?#;]", url):
        # kombu reads what follows as options that replace those of TLS, or as another URL.
        fault = "'?', '#' or ';' in it"
    if not fault and broker.kind == "redis" and not re.fullmatch(r"/?|/\d+", urlsplit(url).path):
        fault = "a database that is no number"
    if not fault and broker.kind == "rabbitmq" and urlsplit(url).username in (None, "", "guest"):
        # Without a login, Celery takes this account, too.
        fault = "the account guest or none: RabbitMQ lets it log in from its own host only"
    expected = f"{' or '.join(f'{scheme}://' for scheme in schemes)} with a login, a host and a port where needed"
    remedy = (
        "Correct the URL (in a password such characters are percent-encoded), or airflow_broker, which is "
        f"{broker.kind}."
    )
    return [Problem(Code.FD168, "airflow_broker_url", f"a URL with {fault}", expected, remedy)] if fault else []


def _check_ca(settings: Settings, broker: Broker) -> list[Problem]:
    text = settings.broker_ca
    if not text:
        return []
    if not (broker.external and broker.tls):
        remedy = "Leave it out: it is for an external broker with a URL of amqps:// or rediss://."
        return [
            _contradiction("airflow_broker_ca", "a certificate, and no broker to verify with it", "nothing", remedy)
        ]
    if not is_certificate(text):
        remedy = "Give the text of the CA's certificate, not a path: \"{{ lookup('ansible.builtin.file', ...) }}\"."
        return [Problem(Code.FD168, "airflow_broker_ca", "no certificate", "one or more certificates in PEM", remedy)]
    return []


def _check_no_sqs(settings: Settings) -> list[Problem]:
    given = {
        "airflow_sqs_queues": settings.sqs_queues,
        "airflow_sqs_region": settings.sqs_region,
        "airflow_sqs_endpoint_url": settings.sqs_endpoint_url,
        "airflow_sqs_access_key_id": settings.sqs_access_key_id,
        "airflow_sqs_secret_access_key": settings.sqs_secret_access_key,
    }
    remedy = "Remove it, or set airflow_broker: sqs."
    return [
        _contradiction(name, f"a value, and airflow_broker is {settings.broker}", "nothing", remedy)
        for name, value in given.items()
        if value
    ]


def _check_sqs(settings: Settings, queues: Iterable[str]) -> list[Problem]:
    problems = []
    given = settings.sqs_queues
    if not settings.sqs_region:
        remedy = "Name the region of the queues, such as eu-central-1: requests are signed for it."
        problems.append(Problem(Code.FD168, "airflow_sqs_region", "nothing", "a region", remedy))
    for name, url in given.items():
        where = f"airflow_sqs_queues.{name}"
        fault = url_problem(str(url), ("https", "http"), plain=True)
        if not _SQS_QUEUE.fullmatch(str(name)):
            remedy = (
                "It is Airflow's name of the queue, any that a worker serves; the queue's name in SQS is in its URL."
            )
            problems.append(Problem(Code.FD168, where, repr(name), "letters, digits, '_' or '-'", remedy))
        if fault:
            problems.append(
                Problem(
                    Code.FD168,
                    where,
                    f"a URL with {fault}",
                    "the queue's URL, https://...",
                    "Copy it from the queue's details.",
                )
            )
        elif str(url).endswith(".fifo"):
            remedy = "Tasks of a FIFO queue run one at a time: use a standard queue."
            problems.append(Problem(Code.FD168, where, "a FIFO queue", "a standard queue", remedy))
    for name in sorted(set(queues) - {str(name) for name in given}):
        remedy = "Make the queue in SQS and add its URL: the collection makes none."
        problems.append(
            Problem(
                Code.FD168,
                "airflow_sqs_queues",
                f"no {name!r}, which workers serve",
                f"{name}: the URL of a queue",
                remedy,
            )
        )
    if bool(settings.sqs_access_key_id) != bool(settings.sqs_secret_access_key):
        remedy = "Give both, or neither: then the hosts' role or the profile in their environment counts."
        problems.append(
            _contradiction("airflow_sqs_access_key_id", "one half of a key pair", "both halves or none", remedy)
        )
    return problems


def check_options(config: Mapping[str, object], settings: Settings, drain_seconds: int) -> list[Problem]:
    """Options that the broker does not support, and times that do not fit it.

    ``config`` is what is effective: this module's options, the user's in airflow.cfg, and those of the environment.
    ``drain_seconds`` is the longest time that a stopped worker waits for its tasks.
    """
    broker = broker_of(settings)
    celery, transport = _section(config, "celery"), _section(config, "celery_broker_transport_options")
    extra = data(celery.get("extra_celery_config"))
    problems = _check_extra(extra if isinstance(extra, Mapping) else {}, broker)
    confirms = "confirm_publish" in transport
    where = "airflow_config.celery_broker_transport_options.confirm_publish"
    if confirms and broker.kind != "rabbitmq":
        problems.append(_rabbitmq_only(where, broker))
    elif confirms and str(transport["confirm_publish"]).lower() not in ("true", "t", "1"):
        remedy = "Leave it out: without confirms, tasks vanish when the broker is short of memory or disk."
        problems.append(Problem(Code.FD138, where, repr(transport["confirm_publish"]), "true", remedy))
    # A host's environment alone can make them differ.
    queued, known = (str(_section(part, "scheduler").get("task_queued_timeout")) for part in (config, settings.config))
    if queued != known and broker.group == "rabbitmq":
        where, remedy = (
            "airflow_environment.AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT",
            "Set it there: it is RabbitMQ's message-ttl, too.",
        )
        problems.append(Problem(Code.FD138, where, queued, "what airflow_config has", remedy))
    late = str(celery.get("task_acks_late", True)).lower() in ("true", "t", "1")
    needed = hold_seconds(settings, drain_seconds)
    if broker.kind == "sqs" and late and settings.sqs_visibility_timeout_seconds < needed:
        problems.append(
            Problem(
                Code.FD170,
                "airflow_sqs_visibility_timeout_seconds",
                f"{settings.sqs_visibility_timeout_seconds} s",
                f"at least {needed} s, airflow_max_task_seconds and airflow_worker_drain_timeout_seconds",
                "Lower airflow_max_task_seconds: SQS gives a longer task to a second worker, and holds no message "
                "for over 43200 s.",
            )
        )
    return problems


def _section(config: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Options of a section; none when it is no dictionary, which another check says."""
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _rabbitmq_only(where: str, broker: Broker) -> Problem:
    return Problem(
        Code.FD171, where, f"an option of RabbitMQ, and airflow_broker is {broker.kind}", "no such option", "Remove it."
    )


def _check_extra(extra: Mapping[str, object], broker: Broker) -> list[Problem]:
    """Celery's own effective options."""
    where = "airflow_config.celery.extra_celery_config"
    problems = []
    needed = {"worker_consumer": "a worker fails tasks whose messages come again, and may hear no commands any more"}
    if broker.kind == "rabbitmq":
        needed |= dict.fromkeys(QUORUM, "Celery asks quorum queues for a QoS that they refuse")
    else:
        problems = [_rabbitmq_only(f"{where}.{name}", broker) for name in RABBITMQ_ONLY if name in extra]
    problems += [
        Problem(Code.FD134, f"{where}.{name}", "a setting that Airflow gives Celery", "its option or variable", remedy)
        for name, remedy in _ELSEWHERE.items()
        if name in extra
    ]
    problems += [
        Problem(
            Code.FD135,
            f"{where}.{name}",
            "a name in capitals",
            "Celery's present name, in lower case",
            "Write it as Celery's documentation does: Celery does not start with names of both kinds.",
        )
        for name in extra
        if name.isupper()
    ]
    for name, reason in needed.items():
        value = extra.get(name)
        if not value or (name in QUORUM and value != "quorum"):
            expected = "'quorum'" if name in QUORUM else "the default, or a value of your own"
            problems.append(_taken_away(f"{where}.{name}", repr(value), expected, reason))
    tls = extra.get("broker_use_ssl")
    if broker.tls and not (isinstance(tls, Mapping) and _verifies(tls, tls_options(broker))):
        expected = "the default, to which you may add"
        problems.append(
            _taken_away(f"{where}.broker_use_ssl", "another dictionary", expected, "Celery does not verify the broker")
        )
    return problems


def _taken_away(where: str, found: str, expected: str, reason: str) -> Problem:
    remedy = f"Remove it, or {reason}. AIRFLOW__CELERY__EXTRA_CELERY_CONFIG would replace all defaults."
    return Problem(Code.FD138, where, found, expected, remedy)


def _verifies(given: Mapping[str, object], needed: Mapping[str, object]) -> bool:
    """Whether ``given`` has all ``needed`` options of TLS; the file of CA certificates may be another one."""
    return all(name in given and (name.endswith("ca_certs") or given[name] == value) for name, value in needed.items())


def check_rotation(names: Iterable[str], broker: ClusterBroker) -> list[Problem]:
    """Problems of new values for the secrets ``names`` with the ``broker``."""
    if broker.kind != "redis" or broker.external or "broker_password" not in names:
        return []
    remedy = (
        "Run flightdeck.airflow.stop, remove airflow_broker_password from the file of the secrets, then run "
        "flightdeck.airflow.site: Redis has "
        "one user at a time."
    )
    return [
        Problem(
            Code.FD172,
            "airflow_rotate",
            "broker_password, and the broker is Redis",
            "a secret that changes under work",
            remedy,
        )
    ]
