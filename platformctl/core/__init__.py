"""Values that every layer shares: errors, events, commands, secrets, time, and the object store's contract.

Nothing here does I/O, and nothing here knows a tool, a pipeline or the command line.
"""
