"""An error of the collection itself has one line with its place, and nothing of what it was about."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail, AnsibleActionSkip
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import settings


def failing(error):
    @guarded
    def run(_action):
        raise error

    with pytest.raises(AnsibleActionFail) as caught:
        run(None)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    "error", [KeyError("hunter2"), ValueError("hunter2"), TypeError("hunter2"), OSError("hunter2")]
)
def test_an_unexpected_exception_is_one_problem_without_its_text(error):
    message = failing(error)
    assert message.startswith("FD199 ")
    assert type(error).__name__ in message
    assert "report it" in message
    assert "hunter2" not in message


def test_the_innermost_line_of_the_collection_is_named():
    @guarded
    def run(_action):
        return settings.Settings.from_variables({})

    with pytest.raises(AnsibleActionFail, match=r"FD199 plugins/plugin_utils/_model/settings\.py:\d+: found KeyError"):
        run(None)


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    @guarded
    def run(_action):
        return {"text": (tmp_path / "none").read_text()}

    with pytest.raises(AnsibleActionFail, match=f"FD199 file {tmp_path}/none on the controller: found No such file"):
        run(None)


def test_errors_of_ansible_and_results_pass():
    @guarded
    def skip(_action):
        raise AnsibleActionSkip("x")

    with pytest.raises(AnsibleActionSkip):
        skip(None)
    assert guarded(lambda _action: {"changed": False})(None) == {"changed": False}
