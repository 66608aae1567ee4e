"""What a process asks of the kernel and of its memory allocator before it serves."""

import resource

_BYTES = 8 * 1024 * 1024


def prepare_process() -> None:
    """Let the process hold as many connections as it may, and keep the memory of bodies that it has freed."""
    _raise_file_limit()
    _keep_freed_buffers()


def _raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one: a request takes two, and the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _keep_freed_buffers() -> None:
    """Let glibc keep the buffers of bodies that are freed instead of giving each back to the kernel at once.

    Freeing a large block raises glibc's own thresholds to its size (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD):
    without it every buffer of a body is mapped and zeroed anew. Elsewhere this is one allocation that is dropped.
    """
    bytearray(_BYTES)
