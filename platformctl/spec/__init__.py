"""What the user writes: environment files and ``platform.yaml``, read into immutable, validated values.

The only package that parses YAML. It reads files and reports every fault with its place; it reaches no network and
starts no process.
"""
