"""The pictures of the dashboard in docs/ can be taken again."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from tests.browser.demo import open_shop
from tests.browser.pictures import IMAGES, take
from tests.servers import Servers

LARGEST: Final = 150_000


def test_all_pictures_of_the_docs_are_taken_and_none_is_large(
    browser: Browser, servers: Servers, redis_url: str, tmp_path: Path
) -> None:
    with open_shop(servers, redis_url) as shop:
        take(browser, shop, tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {each.name for each in IMAGES.iterdir()}
    assert all(each.stat().st_size < LARGEST for each in tmp_path.iterdir())
