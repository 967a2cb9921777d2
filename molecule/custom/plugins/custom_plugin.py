"""A page of the API server that answers who asks."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin
from custom_greeting import GREETING
from fastapi import FastAPI

app = FastAPI()


@app.get("/hello")
def hello() -> dict[str, str]:
    """What the test looks for."""
    return {"greeting": GREETING}


class CustomPlugin(AirflowPlugin):
    """The plugin."""

    name = "custom_plugin"
    fastapi_apps: ClassVar = [{"app": app, "url_prefix": "/custom", "name": "custom"}]
