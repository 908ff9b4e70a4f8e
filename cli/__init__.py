"""The command line: reads arguments, calls one stage, shows what it returns. No training logic lives here."""
