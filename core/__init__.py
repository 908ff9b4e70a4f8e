"""What `ft` is made of: everything but the command line, usable from Python.

Imports nothing, so that asking for the version, or for one light part such as `ft.core.errors`, costs nothing.
"""

__version__ = "0.1.0"  # the only place; pyproject.toml reads it from here
