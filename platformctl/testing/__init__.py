"""Public fakes for tests of steps, pipelines and tools: they refuse what was not scripted.

A fake keeps the contract of what it stands for, also where that is unpleasant: codes become errors, secret output
reaches no line handler, and an object's version is as weak as S3's. Nothing here patches anything.
"""

from platformctl.testing.clock import FakeClock, SteppedClock
from platformctl.testing.objects import MemoryObjectStore
from platformctl.testing.pipeline import Bench, CollectingReporter, ScriptedSecrets, run_pipeline
from platformctl.testing.runner import Reply, ScriptedRunner, Unscripted

__all__ = [
    "Bench",
    "CollectingReporter",
    "FakeClock",
    "MemoryObjectStore",
    "Reply",
    "ScriptedRunner",
    "ScriptedSecrets",
    "SteppedClock",
    "Unscripted",
    "run_pipeline",
]
