"""What a user asks for, one file each: `run(experiment, ...)` returns a typed result."""
