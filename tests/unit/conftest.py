"""What all unit tests share."""

from __future__ import annotations

import functools

import jinja2
from hypothesis import HealthCheck, settings

# A machine that is slow or loaded fails no test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Ansible compiles a template each time that it renders it, and hundreds of tests render the same ones.
_compile = jinja2.Environment.compile


@functools.cache
def _compiled(kind, source, *options):
    """Code of a template, which is the same for all environments of a ``kind``."""
    return _compile(_ENVIRONMENTS[kind], source, *options)


_ENVIRONMENTS: dict[type, jinja2.Environment] = {}


def _compile_once(self, source, *options, **more):
    # What a backslash means is up to who renders.
    if not isinstance(source, str) or "\\" in source or more:
        return _compile(self, source, *options, **more)
    _ENVIRONMENTS.setdefault(type(self), self)
    return _compiled(type(self), str(source), *options)


jinja2.Environment.compile = _compile_once
