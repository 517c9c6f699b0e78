"""Tasks of a shop, for the pictures of the dashboard: those that run do so until they are cancelled."""

import time

from pydantic import BaseModel

from scheduler.tasks import TaskContext, task


class ImportOrders(BaseModel):
    """Orders of one day, from a marketplace."""

    marketplace: str
    day: str = "today"


class ResizeImages(BaseModel):
    """Pictures of one product, in every size of the shop."""

    product: int
    widths: list[int] = [320, 800, 1600]


class SyncStock(BaseModel):
    """Stock of one warehouse."""

    warehouse: str


@task("import_orders", kind="thread", timeout_seconds=3600)
def import_orders(data: ImportOrders, context: TaskContext) -> None:
    """Take over the orders of a marketplace."""
    context.log("%s: 10,000 orders of %s", data.marketplace, data.day)
    _stay_at(0.62, "order 6,200 of 10,000", context)


@task("resize_images", kind="thread", timeout_seconds=3600)
def resize_images(data: ResizeImages, context: TaskContext) -> None:
    """Make a product's pictures in every size."""
    _stay_at(0.34, f"{data.widths[0]} px", context)


@task("sync_stock")
async def sync_stock(data: SyncStock, context: TaskContext) -> dict[str, int]:
    """Compare the stock of a warehouse with the shop's."""
    context.log("%s: nothing has changed", data.warehouse)
    return {"changed": 0}


def _stay_at(fraction: float, message: str, context: TaskContext) -> None:
    context.progress(fraction, message)
    while not context.cancelled:
        time.sleep(0.05)
