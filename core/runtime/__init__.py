"""What the machine is and how it is used: device, precision, seeds, processes. Knows nothing of models or data."""
