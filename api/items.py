"""Views of single items of a job."""

from __future__ import annotations

from flask import Response

from api.routes import Routes
from api.services import services
from store.record.keys import Scope
from store.work.items import find_read_picture

routes = Routes("items")

DRAFT_SIDE = 320  # twice the thumbnail's, so that a JPEG can be decoded at a reduced size


@routes.add(
    "GET",
    "/jobs/<job_id>/items/<id:item>/thumbnail",
    scope=Scope.CLASSIFY,
    media_types=("image/jpeg",),
)
def get_item_thumbnail(job_id: str, item: int) -> Response:
    """Show the picture of an item that is done as a newly encoded thumbnail."""
    from core.pictures import decode_picture, make_thumbnail  # noqa: PLC0415 - Pillow, which few calls need

    here = services()
    content = find_read_picture(here.store.database, here.store.blobs, job_id, item)
    picture = decode_picture(
        content,
        max_pixels=here.settings.max_pixels,
        draft_side=DRAFT_SIDE,
        formats_off=here.settings.formats_off,
    )
    response = Response(make_thumbnail(picture), content_type="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response
