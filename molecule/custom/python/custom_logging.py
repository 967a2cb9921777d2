"""Airflow's logging configuration with one logger more."""

from __future__ import annotations

from copy import deepcopy

# The second one keeps remote task logs.
from airflow.config_templates.airflow_local_settings import DEFAULT_LOGGING_CONFIG, REMOTE_TASK_LOG

__all__ = ["LOGGING_CONFIG", "REMOTE_TASK_LOG"]

LOGGING_CONFIG = deepcopy(DEFAULT_LOGGING_CONFIG)
LOGGING_CONFIG["loggers"]["custom.partner"] = {"level": "ERROR"}
