"""The faults that ft promises to survive, and how. Tests name their row with `@pytest.mark.fault(number)`."""

from __future__ import annotations

FAULTS: dict[int, tuple[str, str]] = {
    1: ("killed at random moments, 20 times", "the final weights and metrics have the bits of the unbroken run"),
    2: ("killed in mid-epoch, with augmentation and dropout", "the same"),
    3: ("killed with accumulation, schedule, averaging, patience, freezing", "the same, counters included"),
    4: ("killed inside the saving", "a whole checkpoint is left, and no rubbish after the next start"),
    5: ("last.pt cut short", "named once; the one before it is used"),
    6: ("a byte of a checkpoint flipped", "the checksum finds it; resuming falls back, ft eval refuses with 4"),
    7: ("all checkpoints damaged", "an error, never a silent beginning from zero"),
    8: ("SIGTERM", "saved at the step's end, exit 75; a second one leaves at once"),
    9: ("SIGUSR1", "saved at the step's end, and on"),
    10: ("Ctrl-C", "exit 130 with the command to go on, nothing left behind"),
    11: ("a loss that is no number", "no later update; step, rate and examples are named; exit 5; healthy saves stay"),
    12: ("infinite gradients in fp16", "the scaler skips; too many in a row stop the run"),
    13: ("out of memory", "micro_batch: auto halves and tells it; else advice and exit 6"),
    14: ("disk full while saving", "the old checkpoint survives; bytes needed and free are told; exit 6"),
    15: ("a folder that cannot be written", "told before the data load; exit 6"),
    16: ("a loader that dies", "an error, no hang"),
    17: ("a loader that raises", "file and example are named"),
    18: ("a corrupt or empty picture", "ft data check lists it; skipping is capped and counted"),
    19: ("a decompression bomb", "refused in bounded memory"),
    20: ("a malicious pickle", "no code runs; exit 4"),
    21: ("YAML made to harm", "exit 2 within a second, with the line"),
    22: ("resumed with a changed file", "refused with old and new; more epochs are allowed"),
    23: ("resumed with changed data", "refused, naming what changed"),
    24: ("two processes in one run", "the second leaves at once and names the first; a dead one's lock is taken over"),
    26: ("a checkpoint of a GPU on a CPU", "loads"),
    27: ("other classes, shapes or prefixes at fine-tuning", "each mismatch is listed; wrappers' prefixes are known"),
    28: ("--freeze out of range or matching nothing", "exit 2 and the units there are"),
    29: ("stdout closed", "a clean exit"),
}
