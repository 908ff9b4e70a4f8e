"""`/`: one page with its style and its script inside, so that nothing is loaded from elsewhere; a header forbids it.

The page holds nothing of the model: it asks `/schema`, with the token that is typed into it where one is needed.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

HERE = Path(__file__).parent
STYLE = (HERE / "page.css").read_text(encoding="utf-8")
_SCRIPT = (HERE / "page.js").read_text(encoding="utf-8")
_HTML = (HERE / "page.html").read_text(encoding="utf-8")
_TOKEN = (
    '<label class="card"><span><b>Token</b>this service asks for one</span>'
    '<input id="token" type="password" autocomplete="current-password"></label>'
)
_LINKS = '<a href="/docs">Reference</a><a href="/schema">Schema</a>'  # which a browser opens without a token


def html(*, guarded: bool) -> str:
    """guarded: with a field for the token."""
    page = _HTML.replace("/*STYLE*/", STYLE).replace("<!--TOKEN-->", _TOKEN if guarded else "")
    return page.replace("<!--LINKS-->", "" if guarded else _LINKS).replace("/*SCRIPT*/", _SCRIPT)


def headers() -> dict[str, str]:
    """Nothing but the page's own script may run, and it may talk to nobody but the service."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; "
        "img-src 'self' blob: data:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
