"""platformctl: build, change and run Kubernetes platforms from git commits."""

__version__ = "0.1.0"
