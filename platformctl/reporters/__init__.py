"""What people and machines read of a run: console, events as lines, JUnit XML, one HTML page.

A reporter never decides anything and never changes a run. Everything it shows comes from events and from the files of
the run directory, and all of it is foreign text: names and messages may hold escape sequences, markup or scripts.
"""
