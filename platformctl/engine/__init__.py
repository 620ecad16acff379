"""Runs pipelines: order, skip, retry, deadlines, gates, leases, and the durable record of a run.

Knows no tool and prints nothing. ``pipeline`` and ``step`` are the contract that pipelines and steps are written to.
"""
