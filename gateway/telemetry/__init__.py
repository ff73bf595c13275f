"""Logs as JSON lines and Prometheus metrics; neither ever carries an identity or clinical text."""

from gateway.telemetry.log import configure, correlation, logger

__all__ = ["configure", "correlation", "logger"]
