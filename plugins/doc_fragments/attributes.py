# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules say about check mode and diff mode. A module that differs in one of the two says so itself."""

from __future__ import annotations


class ModuleDocFragment:
    """For ``extends_documentation_fragment: flightdeck.airflow.attributes.<name>``."""

    CHANGES = r"""
attributes:
  check_mode:
    support: full
    description: Reports what it would change, and changes nothing.
  diff_mode:
    support: full
    description: Shows what it would change, or has changed.
"""

    READS = r"""
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Only reads.
"""

    SECRETS = r"""
attributes:
  check_mode:
    support: full
    description: Makes what is missing for this run only, and stores nothing.
  diff_mode:
    support: none
    description: Shows nothing, because all that it handles is secret.
"""
