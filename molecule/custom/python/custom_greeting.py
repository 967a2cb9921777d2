"""A module that a plugin and tasks share."""

GREETING = "welcome"
