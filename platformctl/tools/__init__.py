"""One adapter per binary or API: builds commands (pure) and reads what comes back.

A tool knows neither the engine, nor steps, nor another tool; it is given paths, a ``CommandRunner`` and plain values.
"""
