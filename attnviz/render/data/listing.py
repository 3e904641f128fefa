"""Lines of text as plain values."""

from __future__ import annotations

from typing import Any

from attnviz.render.data.registry import JSON
from attnviz.views.listing import Listing


@JSON.draws(Listing)
def listing_values(view: Listing) -> dict[str, Any]:
    """What the lines say, by the keys of the view."""
    return dict(view.values)
