"""Credentials with which the proxy signs towards a key service or the store, and who lends them."""
