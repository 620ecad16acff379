"""The only place that starts processes: streaming, timeouts, signals, process groups, redaction.

Nothing here knows which program it runs or why. Whoever needs a process is handed a ``CommandRunner``.
"""
