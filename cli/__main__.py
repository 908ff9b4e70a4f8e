"""`python -m ft.cli` is `ft`, for when the console script is not on the PATH."""

from __future__ import annotations

from ft.cli.app import main

if __name__ == "__main__":
    main()
