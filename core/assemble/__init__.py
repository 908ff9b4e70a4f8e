"""Experiment -> objects: the only place where settings become devices, networks, optimizers and loops."""
