"""Work on many stored objects at once, past the data port: migrate, rewrap, verify, inventory, repair, sweep.

Knows ports and operations, neither an HTTP server nor files of configuration; `bootstrap.tools` puts it together.
"""
