"""The protocol with one piece taken out, and the test that must notice."""

from dataclasses import dataclass

STORE = "tests/integration/test_store.py"
PIPELINE = "tests/unit/tasks/test_pipeline.py"
DURABILITY = "tests/integration/test_durability.py"
PROTOCOL = "tests/integration/test_protocol.py"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A piece of source text that occurs once, and what takes its place."""

    file: str
    text: str
    becomes: str


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """What is taken out, and by which test it is missed."""

    name: str
    edits: tuple[Edit, ...]
    test: str
    says: str  #: part of what the test fails with, so that it fails for this and no other reason


MUTATIONS = (
    Mutation(
        name="a commit does not ask for its epoch",
        edits=(
            Edit(
                file="store/claims.py",
                text="""incidents.c.epoch == bindparam("claimed_epoch"),
            incidents.c.status == stage.expects.value,""",
                becomes="""incidents.c.epoch >= bindparam("claimed_epoch"),
            incidents.c.status == stage.expects.value,""",
            ),
        ),
        test=f"{STORE}::test_a_late_result_is_discarded[sqlite]",
        says="DID NOT RAISE",
    ),
    Mutation(
        name="a lost message is not sent again",
        edits=(
            Edit(
                file="store/dispatching.py",
                text="incidents.c.enqueued_at < database_now(-_PATIENCE)",
                becomes="incidents.c.enqueued_at < database_now(-_PATIENCE - 10**9)",
            ),
        ),
        test=f"{STORE}::test_an_unclaimed_message_is_sent_again[sqlite]",
        says="not enough values to unpack",
    ),
    Mutation(
        name="a lease that has run out is not found",
        edits=(
            Edit(
                file="store/dispatching.py",
                text="_NO_LEASE = or_(incidents.c.lease_until.is_(None), "
                "incidents.c.lease_until < database_now())",
                becomes="_NO_LEASE = incidents.c.lease_until.is_(None)",
            ),
        ),
        test=f"{DURABILITY}::test_a_lost_worker_is_replaced_as_soon_as_its_lease_ends[sqlite]",
        says="assert [] == [UUID(",
    ),
    Mutation(
        name="a claim leaves the stamp of its message",
        edits=(
            Edit(
                file="store/claims.py",
                text="enqueued_at=None,\n        enqueue_count=0,\n    )",
                becomes=")",
            ),
        ),
        test=f"{DURABILITY}::test_a_lost_worker_is_replaced_as_soon_as_its_lease_ends[sqlite]",
        says="assert [] == [UUID(",
    ),
    Mutation(
        name="alerts have no unique key",
        edits=(
            Edit(
                file="store/migrations/versions/0001_first_schema.py",
                text="""sa.PrimaryKeyConstraint("fingerprint", "starts_at", "sender", """
                """name=op.f("pk_alerts")),""",
                becomes="",
            ),
            Edit(
                file="store/filing.py",
                text="return statement.on_conflict_do_update(",
                becomes="""if statement is not None:
        return statement.returning(alerts.c.fingerprint)
    return statement.on_conflict_do_update(""",
            ),
        ),
        test=f"{STORE}::test_an_incident_resolves_with_its_last_alert[sqlite]",
        says="assert None == (datetime",
    ),
    Mutation(
        name="alerts are not looked up",
        edits=(
            Edit(
                file="store/known.py",
                text="rows = connection.execute(_KNOWN_ALERTS, delivered).all()",
                becomes="rows: list[AlertRow] = []",
            ),
        ),
        test=f"{STORE}::test_a_repeat_changes_nothing_a_reader_sees[sqlite]",
        says="assert (1, 0) == (0, 1)",
    ),
    Mutation(
        name="an attempt is not counted before the work",
        edits=(
            Edit(
                file="store/claims.py",
                text="attempts=incidents.c.attempts + 1,",
                becomes="attempts=incidents.c.attempts,",
            ),
        ),
        test=f"{STORE}::test_what_kills_its_workers_is_given_up[sqlite]",
        says="assert [0, 0] == [0, 1]",
    ),
    Mutation(
        name="a heartbeat does not extend the lease",
        edits=(
            Edit(
                file="store/claims.py",
                text="return connection.execute(_EXTEND, told).rowcount == 1",
                becomes="return bool(told)",
            ),
        ),
        test=f"{DURABILITY}::test_a_heartbeat_holds_the_lease[sqlite]",
        says="is None",
    ),
    Mutation(
        name="a redelivered message waits for its own lease",
        edits=(
            Edit(
                file="store/claims.py",
                text="task_id if redelivered else None",
                becomes="None",
            ),
        ),
        test=f"{DURABILITY}::test_a_redelivered_message_takes_its_own_lease_over[sqlite]",
        says="'NoneType' object has no attribute 'epoch'",
    ),
    Mutation(
        name="an emptied broker is not refilled",
        edits=(
            Edit(
                file="store/dispatching.py",
                text=".values(enqueued_at=None, enqueue_count=0)",
                becomes=".values(enqueue_count=0)",
            ),
        ),
        test=f"{DURABILITY}::test_an_emptied_broker_has_everything_published_again[sqlite]",
        says="assert [] == [UUID(",
    ),
    Mutation(
        name="attempts that are used up without a lease are not the end",
        edits=(
            Edit(
                file="store/endings.py",
                text="or_(incidents.c.lease_until.is_(None), "
                "incidents.c.lease_until < database_now()),",
                becomes="incidents.c.lease_until < database_now(),",
            ),
        ),
        test=f"{PROTOCOL}::test_fewer_attempts_than_an_incident_has_had_end_it[sqlite]",
        says="assert 0 == 1",
    ),
    Mutation(
        name="a claim that was given back still counts",
        edits=(
            Edit(
                file="store/claims.py",
                text="""incidents.c.status == stage.expects.value,
            incidents.c.lease_until.is_not(None),""",
                becomes="incidents.c.status == stage.expects.value,",
            ),
        ),
        test=f"{PROTOCOL}::test_a_claim_that_was_given_back_writes_nothing[sqlite]",
        says="DID NOT RAISE",
    ),
    Mutation(
        name="what was not published keeps the stamp when its lease has run out",
        edits=(
            Edit(
                file="store/dispatching.py",
                text="incidents.c.incident_id.in_(incident_ids), _NO_LEASE",
                becomes="incidents.c.incident_id.in_(incident_ids), "
                "incidents.c.lease_until.is_(None)",
            ),
        ),
        test=f"{PROTOCOL}::test_a_lost_worker_and_a_lost_broker_are_got_over_together[sqlite]",
        says="assert [] == [UUID(",
    ),
    Mutation(
        name="a message that finds no work goes on to the next stage",
        edits=(
            Edit(
                file="tasks/pipeline.py",
                text="task.request.chain = None",
                becomes="pass",
            ),
        ),
        test=f"{PIPELINE}::test_a_second_message_is_dropped_with_its_chain",
        says="assert ['next'] is None",
    ),
    Mutation(
        name="notifications have no unique key",
        edits=(
            Edit(
                file="store/migrations/versions/0002_effects_archive_beats.py",
                text='"target",\n            name=',
                becomes='"target",\n            "effect_id",\n            name=',
            ),
        ),
        test=f"{PROTOCOL}::test_an_incident_that_fails_twice_is_told_of_once[sqlite]",
        says="Left contains one more item",
    ),
    Mutation(
        name="an ending is committed without its notification",
        edits=(
            Edit(
                file="store/endings.py",
                text="announce(connection, [incident_id], Status.FAILED.value, rules.notify)",
                becomes="pass",
            ),
        ),
        test=f"{PROTOCOL}::test_an_incident_that_fails_twice_is_told_of_once[sqlite]",
        says="assert [] == ['failed']",
    ),
)
