"""sseproxy: server-side encryption in front of any S3 or Alibaba OSS store."""

__version__ = "0.1.0"
