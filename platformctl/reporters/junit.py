"""A recorded run as JUnit XML, one test case per step: what Jenkins and every other CI server shows as test results.

The dialect is the one that Jenkins' junit plugin reads: https://github.com/jenkinsci/junit-plugin (``SuiteResult``).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from platformctl.core.errors import Status
from platformctl.engine.disk import write_whole
from platformctl.engine.state import StageState, StepState
from platformctl.reporters import view
from platformctl.reporters.view import Failure, RunView
from platformctl.reporters.wording import clean

FILE_NAME = "junit.xml"


def render(run_directory: Path, out: Path | None = None) -> Path:
    """Writes the XML and returns its path; ``out`` None: ``junit.xml`` in the run directory.

    Raises PreconditionError when the directory holds no run, or the file cannot be written.
    """
    path = out or run_directory / FILE_NAME
    root = document(view.read(run_directory))
    ET.indent(root)
    write_whole(path, ET.tostring(root, encoding="utf-8", xml_declaration=True))
    return path


def document(run: RunView) -> ET.Element:
    """``testsuites`` with one ``testsuite`` per stage that has steps."""
    suites = [_suite(run, stage) for stage in run.stages if stage.steps]
    root = ET.Element("testsuites", name=clean(f"{run.state.pipeline} {run.state.environment}".strip()))
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in suites)))
    root.extend(suites)
    return root


def _suite(run: RunView, stage: StageState) -> ET.Element:
    steps = list(stage.steps.values())
    suite = ET.Element(
        "testsuite",
        name=clean(stage.name),
        id=clean(f"{run.state.id}/{stage.name}"),
        tests=str(len(steps)),
        failures=str(sum(step.status is Status.FAILED for step in steps)),
        errors=str(sum(step.status in {Status.ERRORED, Status.ABORTED} for step in steps)),
        skipped=str(sum(_not_run(step) for step in steps)),
        time=f"{(stage.finished - stage.started).total_seconds() if stage.started and stage.finished else 0:.3f}",
    )
    if stage.started:
        suite.set("timestamp", stage.started.strftime("%Y-%m-%dT%H:%M:%S"))
    suite.extend(_case(run, stage, step) for step in steps)
    return suite


def _case(run: RunView, stage: StageState, step: StepState) -> ET.Element:
    # Jenkins groups by class name and cuts it at dots into packages: pipeline.stage is the grouping wanted.
    group = f"{run.state.pipeline or 'run'}.{stage.name}"
    seconds = run.activity(step).seconds or 0
    case = ET.Element("testcase", classname=clean(group), name=clean(step.name), time=f"{seconds:.3f}")
    if step.status in {Status.FAILED, Status.ERRORED, Status.ABORTED}:
        error = Failure.from_json(step.error)
        element = ET.SubElement(case, "failure" if step.status is Status.FAILED else "error")
        element.set("type", clean(error.type if error and error.type else step.status))
        element.set("message", clean(error.message if error else f"the step was {step.status.lower()}"))
        if error:
            element.text = clean("\n".join([*error.details, *([f"hint: {error.hint}"] if error.hint else [])]))
    elif _not_run(step):
        ET.SubElement(case, "skipped", message=clean(step.summary or step.status.lower()))
    if step.summary:
        ET.SubElement(case, "system-out").text = clean(step.summary)
    return case


def _not_run(step: StepState) -> bool:
    return step.status in {Status.SKIPPED, Status.PENDING, Status.WAITING, Status.RUNNING}
