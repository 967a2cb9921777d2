"""What an external broker needs. The scenario brokers shows that the clients behave like this."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules import broker_info


class NotFoundError(Exception):
    """No such queue."""


class PreconditionError(Exception):
    """Another kind of queue."""

    reply_text = "inequivalent arg 'x-queue-type'"


@pytest.fixture
def amqp(monkeypatch):
    module = ModuleType("amqp.exceptions")
    module.NotFound, module.PreconditionFailed = NotFoundError, PreconditionError
    monkeypatch.setitem(sys.modules, "amqp", ModuleType("amqp"))
    monkeypatch.setitem(sys.modules, "amqp.exceptions", module)


def rabbitmq(**queues):
    """A connection to a broker with queues of a type each; what was declared as what it is not."""

    class Channel:
        open = True

        def queue_declare(self, name, passive=False, arguments=None, **_others):
            assert self.open, "a channel is closed by an error"
            if name not in queues:
                assert passive, "nothing is made"
                self.open = False
                raise NotFoundError(name)
            if not passive and arguments["x-queue-type"] != queues[name]:
                self.open = False
                raise PreconditionError(name)

    return SimpleNamespace(channel=Channel)


@pytest.mark.usefixtures("amqp")
def test_a_queue_is_missing_or_a_quorum_queue():
    assert broker_info.rabbitmq(rabbitmq(gpu="quorum"), ["default", "gpu"], {}) == ["gpu"]
    with pytest.raises(broker_info.RefusedError, match="queue default is another kind of queue"):
        broker_info.rabbitmq(rabbitmq(default="classic"), ["default"], {})


def sqs(seconds):
    client = SimpleNamespace(get_queue_attributes=lambda **_asked: {"Attributes": {"VisibilityTimeout": str(seconds)}})
    return SimpleNamespace(default_channel=SimpleNamespace(sqs=lambda _queue: client))


def test_a_queue_of_sqs_holds_messages_for_long_enough():
    options = {"visibility_timeout": 120, "predefined_queues": {"default": {"url": "https://sqs.example.org/default"}}}
    assert broker_info.sqs(sqs(120), ["default"], options) == ["default"]
    with pytest.raises(broker_info.RefusedError, match="to a second worker after 30 s; expected 120 s"):
        broker_info.sqs(sqs(30), ["default"], options)
