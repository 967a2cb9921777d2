# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates rendered as ansible.builtin.template does it, for actions that send many at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase
from ansible.template import generate_ansible_template_vars, trust_as_template

SUFFIX = ".j2"


def template_of(path: str) -> str:
    """Name of the template whose target is the absolute ``path``."""
    return path.lstrip("/") + SUFFIX


def source(
    action: ActionBase, name: str, target: str, variables: Mapping[str, Any], is_template: bool | None = None
) -> str:
    """Text of ``name``: a template that is rendered with the ``variables`` of the task, or a file as it is.

    Bytes of a file that are no text are surrogates. Without ``is_template`` the suffix of the name says which it is.

    Raises AnsibleActionFail for a name that is in no role of the task, and AnsibleError for a template that cannot be
    rendered.
    """
    is_template = name.endswith(SUFFIX) if is_template is None else is_template
    try:
        path = action._find_needle("templates" if is_template else "files", name)
    except AnsibleError as error:
        raise AnsibleActionFail(f"{target}: {to_text(error)}") from error
    if not is_template:
        with open(action._loader.get_real_file(path), "rb") as stream:
            return stream.read().decode(errors="surrogateescape")
    return _rendered(action, action._loader.get_text_file_contents(path), name, path, target, variables)


def _rendered(action: ActionBase, text: str, name: str, path: str, target: str, variables: Mapping[str, Any]) -> str:
    """``text`` rendered, with the search path that ansible.builtin.template has for templates that are included."""
    places = [*variables.get("ansible_search_path", ()), action._loader.get_basedir(), os.path.dirname(path)]
    search_path = [folder for place in places for folder in (os.path.join(place, "templates"), place)]
    # A variable ansible_managed of the user's takes precedence.
    known = {**generate_ansible_template_vars(name, path, target), **variables}
    templar = action._templar.copy_with_new_env(searchpath=search_path, available_variables=known)
    return to_text(templar.template(trust_as_template(text), escape_backslashes=False), nonstring="simplerepr")
