"""The documents that both dialects have, each in its manner."""

from collections.abc import Callable
from functools import partial

from sseproxy.dialect import xml_listings, xml_shapes
from sseproxy.dialect.base import SseRequest, XmlShapes
from sseproxy.dialect.xml_shapes import Manner


def common_shapes(
    manner: Manner,
    *,
    parse_bucket_encryption: Callable[[bytes], SseRequest],
    render_bucket_encryption: Callable[[SseRequest], bytes],
) -> XmlShapes:
    """Return what differs in nothing but `manner`, beside a dialect's own rules for a bucket's encryption."""
    return XmlShapes(
        render_error=partial(xml_shapes.render_error, manner),
        parse_error=xml_shapes.parse_error,
        parse_complete=xml_shapes.parse_complete,
        render_complete_request=partial(xml_shapes.render_complete_request, manner),
        render_completed=partial(xml_shapes.render_completed, manner),
        parse_completed=xml_shapes.parse_completed,
        render_created_upload=partial(xml_shapes.render_created_upload, manner),
        parse_created_upload=xml_shapes.parse_created_upload,
        render_copied=partial(xml_shapes.render_copied, manner),
        render_copied_part=partial(xml_shapes.render_copied_part, manner),
        parse_copied=xml_shapes.parse_copied,
        parse_copied_part=xml_shapes.parse_copied_part,
        render_parts=partial(xml_shapes.render_parts, manner),
        parse_parts=xml_shapes.parse_parts,
        parse_upload_facts=xml_shapes.parse_upload_facts,
        parse_listing=xml_listings.parse_listing,
        render_listing=partial(xml_listings.render_listing, manner),
        parse_keys=xml_listings.parse_keys,
        hide_bucket=xml_listings.hide_bucket,
        parse_bucket_encryption=parse_bucket_encryption,
        render_bucket_encryption=render_bucket_encryption,
        render_delete=partial(xml_shapes.render_delete, manner),
    )
