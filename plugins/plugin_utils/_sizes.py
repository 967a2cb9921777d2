"""Memory settings of the backing services, computed from the memory of the host."""

from __future__ import annotations


def round_down(size_mb: int) -> int:
    """``size_mb`` with its three leading binary digits, so that a kernel update's few MiB do not change a setting (and restart a service).

    >>> round_down(5990), round_down(5700), round_down(7)
    (5120, 5120, 7)
    """
    if size_mb < 1:
        return 0
    step = 1 << max(0, size_mb.bit_length() - 3)
    return size_mb // step * step


def postgresql_memory(total_mb: int, max_connections: int) -> dict[str, int]:
    """PostgreSQL's memory settings in MiB for a host of ``total_mb`` MiB.

    A quarter for the shared buffers, up to 8 GiB; a quarter for sorts, shared by the connections; the rest is the kernel's cache.
    Raises ValueError when a number is not positive.
    """
    if total_mb < 1 or max_connections < 1:
        raise ValueError(f"memory {total_mb} MiB and {max_connections} connections must both be positive")
    return {
        "shared_buffers": max(32, min(8192, round_down(total_mb // 4))),
        "effective_cache_size": max(64, round_down(total_mb // 2)),
        "work_mem": max(4, min(64, total_mb // 4 // max_connections)),
        "maintenance_work_mem": max(32, min(1024, round_down(total_mb // 16))),
    }


def broker_memory(total_mb: int, share: float) -> int:
    """Memory in MiB at which a broker takes no more messages: ``share`` (0 to 1) of the host. Raises ValueError for another share."""
    if not 0 < share < 1:
        raise ValueError(f"memory share {share} must be between 0 and 1")
    return max(128, round_down(int(total_mb * share)))
