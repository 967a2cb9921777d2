# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes in MiB that follow from a host's memory."""

from __future__ import annotations


def round_down(size_mb: int) -> int:
    """``size_mb`` with its three leading binary digits, so that a kernel update's few MiB do not change a setting (and
    restart a service).

    >>> round_down(5990), round_down(5700), round_down(7)
    (5120, 5120, 7)
    """
    if size_mb < 1:
        return 0
    step = 1 << max(0, size_mb.bit_length() - 3)
    return size_mb // step * step


def broker_memory(total_mb: int, share: float) -> int:
    """Memory in MiB at which a broker takes no more messages: ``share`` (0 to 1) of the host.

    Raises ValueError for another share.
    """
    if not 0 < share < 1:
        raise ValueError(f"memory share {share} must be between 0 and 1")
    return max(128, round_down(int(total_mb * share)))
