"""What a gate asks, whose answer opens it, and what it never lets through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from platformctl.core.clock import Duration
from platformctl.core.errors import GateRejected, GateWaiting, Status, exit_code
from platformctl.core.events import EventKind
from platformctl.engine.gates import Verdict
from platformctl.engine.pipeline import Gate, Parameter
from platformctl.engine.request import Actor, Question, RunResult
from platformctl.engine.runs import RunHistory
from platformctl.testing.pipeline import TESTER, Bench
from tests.pipelines.engine.environments import an_environment
from tests.pipelines.engine.worlds import World

STACKS = {"network": (), "cluster": ("network",)}
ENVIRONMENT = an_environment(STACKS)
LEADS = an_environment(STACKS, approvers={"groups": ["leads"], "quorum": 2, "expires": "24h"})
ANNA, BEN = Actor("anna", frozenset({"leads"})), Actor("ben", frozenset({"leads", "others"}))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(root=tmp_path)


@pytest.fixture
def world() -> World:
    return World(wanted={"network": "v1", "cluster": "v1"})


def history(bench: Bench) -> RunHistory:
    engine = bench.engine()
    return RunHistory(runs=engine.runs, clock=bench.clock, redactor=engine.redactor, records=bench.records)


def answer(bench: Bench, parked: RunResult, actor: Actor, verdict: Verdict = Verdict.APPROVED) -> None:
    book = history(bench)
    book.answer(book.read(parked.run_id), digest=digest(parked), verdict=verdict, actor=actor)


def digest(result: RunResult) -> str:
    assert result.state.question is not None
    return result.state.question[1].digest


def park(bench: Bench, world: World, environment: Any = ENVIRONMENT, **request: Any) -> RunResult:
    result = bench.run(world.pipeline(), environment, **request)
    assert isinstance(result.error, GateWaiting), result.error
    return result


def test_without_a_terminal_the_run_waits_with_its_question(bench: Bench, world: World) -> None:
    parked = park(bench, world)
    assert (parked.status, exit_code(parked.error)) == (Status.WAITING, 7)  # type: ignore[arg-type]
    assert world.real == {}
    assert parked.state.question is not None
    stage, gate = parked.state.question
    assert (stage, gate.question) == ("apply", "Apply these changes?")
    assert gate.proposals == ("plan/network: nothing becomes v1", "plan/cluster: nothing becomes v1")
    assert isinstance(parked.error, GateWaiting)
    assert f"platformctl runs approve {parked.run_id} {gate.digest}" in parked.error.hint


def test_an_approved_run_goes_on_where_it_waited(bench: Bench, world: World) -> None:
    parked = park(bench, world)
    answer(bench, parked, TESTER)
    result = bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id)
    assert (result.error, result.status) == (None, Status.SUCCEEDED)
    assert world.done == [f"{stage}/{item}" for stage in ("plan", "apply", "verify") for item in STACKS]
    assert world.real == {"network": "v1", "cluster": "v1"}


def test_no_lease_is_held_while_a_gate_waits(bench: Bench, world: World) -> None:
    park(bench, world)
    assert bench.log.of(EventKind.LEASE_ACQUIRED) == []


def test_approve_takes_the_digest_that_was_shown(bench: Bench, world: World) -> None:
    parked = park(bench, world)
    result = bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id, approve=digest(parked))
    assert result.status is Status.SUCCEEDED


def test_an_approval_for_another_digest_is_refused(bench: Bench, world: World) -> None:
    parked = park(bench, world)
    result = bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id, approve="sha256:" + "0" * 64)
    assert isinstance(result.error, GateRejected)
    assert (result.status, exit_code(result.error), world.real) == (Status.ABORTED, 5, {})


def test_a_refused_approval_does_not_end_the_question(bench: Bench, world: World) -> None:
    parked = park(bench, world)
    bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id, approve="sha256:" + "0" * 64)
    again = bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id)
    assert isinstance(again.error, GateWaiting)
    answer(bench, again, TESTER)
    assert bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id).status is Status.SUCCEEDED


def test_an_answer_from_outside_for_another_digest_is_refused(bench: Bench, world: World) -> None:
    parked = park(bench, world)
    book = history(bench)
    with pytest.raises(GateRejected, match="the answer is for sha256:beef"):
        book.answer(book.read(parked.run_id), digest="sha256:beef", verdict=Verdict.APPROVED, actor=ANNA)


def test_other_files_make_another_digest_and_void_the_answer(bench: Bench, world: World) -> None:
    parked = park(bench, world, tree="sha256:1")
    answer(bench, parked, TESTER)
    result = bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id, tree="sha256:2")
    assert isinstance(result.error, GateWaiting)
    assert world.done.count("plan/network") == 2, "what was planned from other files is planned again"
    answers = [event.detail["answer"] for event in bench.log.of(EventKind.GATE_ANSWERED)]
    assert answers == ["superseded"]
    assert digest(result) != digest(parked)


def test_another_plan_makes_another_digest(bench: Bench, world: World) -> None:
    first = park(bench, world)
    world.wanted["cluster"] = "v2"
    second = park(bench, world)
    assert digest(first) != digest(second)


def test_other_parameters_make_another_digest(bench: Bench, world: World) -> None:
    pipeline = world.pipeline(parameters=(Parameter("note", "Anything."),))
    digests = {digest(bench.run(pipeline, ENVIRONMENT, parameters={"note": note})) for note in "ab"}
    assert len(digests) == 2


def test_the_same_proposals_make_the_same_digest(bench: Bench, world: World) -> None:
    assert digest(park(bench, world)) == digest(park(bench, world))


def test_with_nothing_proposed_the_gate_opens_by_itself(bench: Bench) -> None:
    world = World()
    result = bench.run(world.pipeline(), ENVIRONMENT)
    assert (result.status, result.changed) == (Status.SUCCEEDED, False)
    assert bench.log.of(EventKind.GATE_ASKED) == []


def test_a_gate_may_ask_although_nothing_is_proposed(bench: Bench) -> None:
    result = bench.run(World().pipeline(Gate("Sure?", unless_empty=False)), ENVIRONMENT)
    assert isinstance(result.error, GateWaiting)


def test_auto_approve_opens_and_says_so_in_the_record(bench: Bench, world: World) -> None:
    result = bench.run(world.pipeline(), ENVIRONMENT, auto_approve=True)
    assert result.status is Status.SUCCEEDED
    [answered] = bench.log.of(EventKind.GATE_ANSWERED)
    assert (answered.detail["by"], answered.detail["comment"]) == (TESTER.name, "auto-approve")


def test_auto_approve_never_counts_when_protected(bench: Bench, world: World) -> None:
    result = bench.run(world.pipeline(), an_environment(STACKS, protected=True), auto_approve=True)
    assert isinstance(result.error, GateWaiting)
    assert any("--auto-approve does not count" in warning["message"] for warning in result.state.warnings)


def test_a_quorum_wants_that_many_different_people(bench: Bench, world: World) -> None:
    parked = park(bench, world, LEADS)
    answer(bench, parked, ANNA)
    answer(bench, parked, ANNA)
    again = bench.run(world.pipeline(), LEADS, resume=parked.run_id)
    assert isinstance(again.error, GateWaiting)
    answer(bench, parked, BEN)
    result = bench.run(world.pipeline(), LEADS, resume=parked.run_id)
    assert result.status is Status.SUCCEEDED
    by = [event.detail["by"] for event in bench.log.of(EventKind.GATE_ANSWERED)]
    assert by == ["anna", "ben"]


def test_who_may_not_answer_is_refused_and_told_who_may(bench: Bench, world: World) -> None:
    parked = park(bench, world, LEADS)
    with pytest.raises(GateRejected, match="mallory may not answer") as caught:
        answer(bench, parked, Actor("mallory"))
    assert "group:leads" in caught.value.hint


def test_an_answer_is_written_once(bench: Bench, world: World) -> None:
    parked = park(bench, world, LEADS)
    answer(bench, parked, ANNA)
    with pytest.raises(GateRejected, match="anna has already answered: approved"):
        answer(bench, parked, ANNA, Verdict.REJECTED)


def test_one_refusal_is_enough(bench: Bench, world: World) -> None:
    parked = park(bench, world, LEADS)
    answer(bench, parked, ANNA)
    answer(bench, parked, BEN, Verdict.REJECTED)
    result = bench.run(world.pipeline(), LEADS, resume=parked.run_id)
    assert isinstance(result.error, GateRejected)
    assert (result.status, world.real) == (Status.ABORTED, {})


def test_a_question_that_nobody_answered_in_time_has_expired(bench: Bench, world: World) -> None:
    parked = park(bench, world, LEADS)
    answer(bench, parked, ANNA)
    bench.clock.advance(25 * 3600.0)
    with pytest.raises(GateRejected, match="has expired"):
        answer(bench, parked, BEN)
    result = bench.run(world.pipeline(), LEADS, resume=parked.run_id)
    assert isinstance(result.error, GateRejected)
    assert "nobody answered stage apply within 1d" in result.error.message


def test_an_answer_in_time_stays_good_for_the_rest_of_an_interrupted_stage(bench: Bench, world: World) -> None:
    environment = an_environment(STACKS, approvers={"expires": "1h"})
    parked = park(bench, world, environment)
    answer(bench, parked, TESTER)

    def fail(context: Any) -> None:
        if context.step_name == "apply/cluster":
            raise ConnectionError("the network is down")

    world.hook = fail
    bench.run(world.pipeline(), environment, resume=parked.run_id)
    bench.clock.advance(5 * 3600.0)
    world.hook = lambda _context: None
    assert bench.run(world.pipeline(), environment, resume=parked.run_id).status is Status.SUCCEEDED


def test_a_terminal_is_asked_and_its_answer_recorded(bench: Bench, world: World) -> None:
    asked: list[Question] = []

    def ask(question: Question) -> bool | None:
        asked.append(question)
        return True

    bench.ask = ask
    assert bench.run(world.pipeline(), ENVIRONMENT).status is Status.SUCCEEDED
    [question] = asked
    assert (question.text, question.environment, len(question.proposals)) == ("Apply these changes?", "dev", 2)


def test_a_no_at_the_terminal_ends_the_run(bench: Bench, world: World) -> None:
    bench.ask = lambda _question: False
    result = bench.run(world.pipeline(), ENVIRONMENT)
    assert isinstance(result.error, GateRejected)


def test_a_later_at_the_terminal_parks_the_run(bench: Bench, world: World) -> None:
    bench.ask = lambda _question: None
    park(bench, world)


def test_wait_polls_the_record_and_says_for_what_and_how_long(bench: Bench, world: World) -> None:
    result = bench.run(world.pipeline(), ENVIRONMENT, wait=Duration(7200.0))
    assert isinstance(result.error, GateWaiting)
    assert result.error.message == "stage apply waits for an answer within 2h: Apply these changes?"
    assert bench.clock.monotonic() >= 7200.0
    assert max(bench.clock.waits) <= 15.0


def test_a_confirmation_must_repeat_the_environments_name(bench: Bench, world: World) -> None:
    pipeline = world.pipeline(Gate("Destroy?", confirm="confirm"), (Parameter("confirm", "The name."),))
    refused = bench.run(pipeline, ENVIRONMENT, auto_approve=True)
    assert isinstance(refused.error, GateRejected)
    assert refused.error.hint == "--param confirm=dev"
    agreed = bench.run(pipeline, ENVIRONMENT, auto_approve=True, parameters={"confirm": "dev"})
    assert agreed.status is Status.SUCCEEDED


def test_a_proposal_altered_after_it_was_made_is_made_again_and_asked_again(bench: Bench, world: World) -> None:
    parked = park(bench, world)
    answer(bench, parked, TESTER)
    (parked.directory / "artifacts" / "stacks" / "network.json").write_text('{"to": "evil"}')
    result = bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id)
    assert world.done.count("plan/network") == 2
    assert world.real == {"network": "v1", "cluster": "v1"}
    assert result.status is Status.SUCCEEDED
