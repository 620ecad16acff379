"""The embedded cloud: parts, each one detached process on loopback, and the one starter that brings them up and down.

No policy lives here: what a part means to a pipeline is said by the environment ``sandbox`` like for any other.
"""
