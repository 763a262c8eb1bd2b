"""The protocol with one piece taken out, and the test that must notice."""

from dataclasses import dataclass

STORE = "tests/integration/test_store.py"
PIPELINE = "tests/unit/tasks/test_pipeline.py"
DURABILITY = "tests/integration/test_durability.py"
PROTOCOL = "tests/integration/test_protocol.py"
LIFE = "tests/integration/test_life.py"
FLAPPING = "tests/integration/test_flapping.py"
EXPIRY = "tests/integration/test_expiry.py"


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
        test=f"{LIFE}::test_an_incident_ends_with_the_last_of_its_alerts[sqlite]",
        says="assert None == datetime",
    ),
    Mutation(
        name="alerts are not looked up",
        edits=(
            Edit(
                file="store/known.py",
                text=").all()\n    strangers",
                becomes=").all()[:0]\n    strangers",
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
    Mutation(
        name="a firing alert that its end has overtaken is back",
        edits=(
            Edit(
                file="store/placing.py",
                text="row.closed_ago < self._settings.late_seconds",
                becomes="row.closed_ago < 0",
            ),
        ),
        test=f"{LIFE}::test_a_firing_alert_that_its_end_has_overtaken_is_late[sqlite]",
        says="assert 0 == 1",
    ),
    Mutation(
        name="a later start is the same episode however late",
        edits=(
            Edit(
                file="store/placing.py",
                text="return row if begins_anew(alert, row.starts_at, self._drift) else None",
                becomes="return None",
            ),
        ),
        test=f"{LIFE}::test_a_later_start_is_an_episode_of_its_own[sqlite]",
        says="assert None == UUID(",
    ),
    Mutation(
        name="an incident that ended long ago by our clock is reopened",
        edits=(
            Edit(
                file="store/targets.py",
                text="return is_near and (self.closed_ago or 0.0) <= reopen_seconds",
                becomes="return is_near",
            ),
        ),
        test=f"{LIFE}::test_an_incident_is_reopened_soon_after_its_end[sqlite-1000-70-False]",
        says="is False",
    ),
    Mutation(
        name="an incident whose alerts expire stays open",
        edits=(
            Edit(
                file="store/expiry.py",
                text="close(connection, mine,",
                becomes="close(connection, mine[:0],",
            ),
        ),
        test=f"{EXPIRY}::test_an_alert_that_is_not_sent_any_more_is_over[sqlite]",
        says="assert None == datetime",
    ),
    Mutation(
        name="an incident that flaps is diagnosed again by itself",
        edits=(
            Edit(
                file="store/claims.py",
                text="    (incidents.c.flapping, None),\n",
                becomes="",
            ),
        ),
        test=f"{FLAPPING}::test_an_incident_that_begins_to_flap_while_it_is_diagnosed_rests_then"
        "[sqlite-False-collect]",
        says="assert 1 == 0",
    ),
)
