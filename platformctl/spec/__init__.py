"""What the user writes: environment files and ``platform.yaml``, read into immutable, validated values.

The only package that parses YAML. It reads files and reports every fault with its place; it reaches no network and
starts no process.
"""

import os

# pydantic would read every installed distribution's metadata for plugins, which we have none of: 15 ms of each start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
