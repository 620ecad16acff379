"""Terraform (or OpenTofu in its place): what its command lines are, what its JSON says, and how it is run.

``commands`` builds argv and nothing else, ``adapter`` runs it, ``messages`` and ``failures`` read what it streams,
``normalise`` and ``refine`` are promise 1 as pure functions, ``workspace`` writes the directory it runs in, ``state``
reads the state without starting it. Nothing here knows an environment file, AWS or the engine.
"""
