"""State machines of Hypothesis on an app."""

from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def play(machine: type[RuleBasedStateMachine], app: Flask) -> None:
    """Play random steps on this app, the same ones each time."""
    run_state_machine_as_test(
        type(machine.__name__, (machine,), {"app": app}),
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
