"""Sphinx's settings for the documentation site. `.config/build_site.py` copies it beside the pages."""

from __future__ import annotations

from typing import Any

from docutils import nodes

project = "flightdeck.airflow"
author = "Flightdeck contributors"
html_title = project
html_theme = "furo"
html_show_copyright = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
# The pages are Markdown as the repository shows it, the reference of modules and roles is made by antsibull-docs.
extensions = ["myst_parser", "sphinxcontrib.mermaid", "sphinx_antsibull_ext"]
myst_fence_as_directive = ["mermaid"]
mermaid_use_local = "mermaid/mermaid.esm.min.mjs"
# Anchors of headings as in the repository, so that links are the same in both. Those that lead nowhere are warnings,
# which end the build.
myst_heading_anchors = 4

# A block with a command of psql among SQL, for example, is shown without colours.
suppress_warnings = ["misc.highlighting_failure"]

ANSIBLE = "https://docs.ansible.com/ansible/latest"
# What antsibull-docs refers to in Ansible's own pages. Named here, because a build has no network.
LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
BUILTIN = "ansible_collections.ansible.builtin."


def link_to_ansible(_app: Any, _env: Any, node: Any, content: Any) -> nodes.reference | None:
    """A link for a reference to a page of Ansible; None for one that leads nowhere."""
    label = node.get("reftarget", "")
    page = LABELS.get(label)
    if label.startswith(BUILTIN):
        page = f"collections/ansible/builtin/{label.removeprefix(BUILTIN)}.html"
    if node.get("reftype") != "ref" or page is None:
        return None
    return nodes.reference("", "", content, internal=False, refuri=f"{ANSIBLE}/{page}")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", link_to_ansible)
