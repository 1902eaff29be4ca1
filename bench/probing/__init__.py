"""Somebody's own cell: found, looked at, and measured beside the usual ones."""
