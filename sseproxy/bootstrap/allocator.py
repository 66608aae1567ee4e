"""What a process asks of its memory allocator before it serves."""

_BYTES = 8 * 1024 * 1024


def keep_freed_buffers() -> None:
    """Let glibc keep the buffers of bodies that are freed instead of giving each back to the kernel at once.

    Freeing a large block raises glibc's own thresholds to its size (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD):
    without it every buffer of a body is mapped and zeroed anew. Elsewhere this is one allocation that is dropped.
    """
    bytearray(_BYTES)
