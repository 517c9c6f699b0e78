"""Where in its list a page is, as every list says it."""

from typing import Annotated, Final, Self

from pydantic import Field

from scheduler.api.fields import Output
from scheduler.domain.listing import Item, Page


class Pagination(Output):
    """Where in its list a page is."""

    page: int
    limit: int
    total: Annotated[int, Field(description="Of all pages: exact up to 10,000.")]
    total_is_estimate: Annotated[bool, Field(description="True when there are more than 10,000.")]
    pages: int
    next_cursor: Annotated[str | None, Field(description="Send it as `cursor` for the next page; null on the last.")]

    @classmethod
    def of(cls, page: Page[Item]) -> Self:
        return cls(
            page=page.number,
            limit=page.limit,
            total=page.total,
            total_is_estimate=page.total_is_estimate,
            pages=-(-page.total // page.limit),
            next_cursor=page.next.encode() if page.next else None,
        )


PAGINATION_EXAMPLE: Final = {
    "page": 1,
    "limit": 20,
    "total": 1,
    "total_is_estimate": False,
    "pages": 1,
    "next_cursor": None,
}
