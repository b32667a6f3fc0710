"""Views of single items of a job."""

from __future__ import annotations

from flask import Response

from api.routes import Routes
from api.services import services
from api.thumbnails import ThumbnailQuery, encode_thumbnail, show_thumbnail
from store.record.keys import Scope
from store.work.items import find_read_picture

routes = Routes("items")


@routes.add(
    "GET", "/jobs/<job_id>/items/<id:item>/thumbnail", scope=Scope.CLASSIFY, media_types=("image/jpeg",)
)
def get_item_thumbnail(job_id: str, item: int, query: ThumbnailQuery) -> Response:
    """Show the picture of an item that is done as a newly encoded thumbnail."""
    here = services()
    content = find_read_picture(here.store.database, here.store.blobs, here.settings, job_id, item)
    return show_thumbnail(encode_thumbnail(content, query.side))
