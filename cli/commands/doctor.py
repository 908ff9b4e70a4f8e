"""`ft doctor`."""

from __future__ import annotations

from ft.cli.arguments import AsJson, Debug
from ft.cli.border import bordered


@bordered
def doctor(
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Say what this machine is and what it lacks.

    Devices and what they are fast at, whether torch and torchvision fit together, extras and how to install them.
    """
    from ft.cli.console import Console
    from ft.core.runtime.machine import extras, facts

    with Console(quiet=False, as_json=as_json) as console:
        console.doctor(facts(), extras())
