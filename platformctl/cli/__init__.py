"""The command line: parses, wires everything together, prints, and decides the exit code. One file per noun.

The only package that prints, reads ``sys.argv`` or exits.
"""
