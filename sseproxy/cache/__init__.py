"""Adapters of the `EntryCache` port: this process's memory, a file on this host, a server that a fleet shares."""
