"""Examples: where they come from, how a value becomes a tensor, which split and which batch they are in.

`prepare.py` is the way in: settings -> `Data`; `loader.py` the way out: `Data` -> batches on the device.
"""
