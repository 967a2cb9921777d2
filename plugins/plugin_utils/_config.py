"""Merging of airflow.cfg options and their rendering."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Config = dict[str, dict[str, Any]]


def overlay(*layers: Mapping[str, Mapping[str, Any]]) -> Config:
    """Later layers win, option by option. An option set to None stays, as None."""
    merged: Config = {}
    for layer in layers:
        for section, options in layer.items():
            merged.setdefault(section, {}).update(options)
    return merged


def merge_config(*layers: Mapping[str, Mapping[str, Any]]) -> Config:
    """Later layers win, option by option. An option set to None is left out, so that Airflow's own default applies."""
    merged = overlay(*layers)
    kept = {section: {key: value for key, value in options.items() if value is not None} for section, options in merged.items()}
    return {section: options for section, options in kept.items() if options}


def render_value(value: Any) -> str:
    """One option as it stands in airflow.cfg: ``%`` doubled against interpolation, continuation lines indented, data as JSON."""
    if isinstance(value, bool):
        text = str(value)
    elif isinstance(value, (dict, list)):
        text = json.dumps(value, sort_keys=True)
    else:
        text = str(value)
    return text.replace("%", "%%").replace("\n", "\n    ")


def render_config(config: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of airflow.cfg, sections and options sorted, so that equal settings give equal files."""
    blocks = []
    for section in sorted(config):
        lines = [f"{option} = {render_value(config[section][option])}".rstrip() for option in sorted(config[section])]
        blocks.append("\n".join([f"[{section}]", *lines]))
    return "\n\n".join(blocks) + "\n"
