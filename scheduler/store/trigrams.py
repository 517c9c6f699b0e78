"""What of a search to look up in the index of trigrams: what tells texts apart.

The index has, for each trigram, the list of all jobs whose text has it, and goes through the lists of all trigrams of a
search together. One that most texts have ("use" in user4711, where every job names a user) excludes next to nothing,
but for each match of the others another page of its long list is read. So a word is looked up by the part of it without
those, and what is found is compared with the whole search.
"""

import re
from itertools import groupby
from typing import Final

from scheduler.store.connection import Connection, fetch_all

COMMON: Final = 0.5
"""A trigram in more than this share of all texts does not tell them apart.

Several that a tenth have do together: three digits each, where texts are full of numbers."""

_WORDS: Final = re.compile("([0-9A-Za-z]+)")
_WILDCARDS: Final = re.compile(r"(?<!\\)%+")

_COMMON_OF: Final = """
    WITH known AS MATERIALIZED (
        SELECT lower(most_common_vals::text)::text[] AS common, most_common_freqs AS shares,
               lower(histogram_bounds::text)::text[] AS others
        FROM pg_stats_ext_exprs WHERE schemaname = current_schema() AND statistics_name = 'jobs_text'
    ), texts AS (
        SELECT unnest(common) AS text, unnest(shares) AS share FROM known
        UNION ALL
        SELECT unnest(others), (1 - coalesce((SELECT sum(each) FROM unnest(shares) AS each), 0)) / cardinality(others)
        FROM known
    )
    SELECT trigram FROM unnest(%(trigrams)s::text[]) AS trigram CROSS JOIN texts
    WHERE strpos(text, lower(trigram)) > 0 GROUP BY trigram HAVING sum(share) > %(common)s"""


def telling_pattern(conn: Connection, search: str) -> str:
    """A LIKE pattern that every text with `search` meets, and hardly any other.

    It is `search` itself where that is not ASCII: the lower case of a letter may depend on those beside it.
    """
    pieces = _WORDS.split(search)
    trigrams = {trigram for word in pieces[1::2] for trigram in _trigrams(word)}
    if not search.isascii() or not trigrams:
        return whole_pattern(search)
    return _pattern_of(pieces, _common_of(conn, trigrams))


def whole_pattern(search: str) -> str:
    """A LIKE pattern that finds `search` as it is."""
    return f"%{_literally(search)}%"


def _common_of(conn: Connection, trigrams: set[str]) -> set[str]:
    """Those that most texts have, by the sample that ANALYZE took of them.

    None before it did, where texts are longer than the kilobyte that it looks at, and where the account is not the
    owner of the table.
    """
    parameters = {"trigrams": sorted(trigrams), "common": COMMON}
    return {trigram for (trigram,) in fetch_all(conn, _COMMON_OF, parameters, prepare=True)}


def _pattern_of(pieces: list[str], common: set[str]) -> str:
    """Of separators and words in turn: the telling parts of the words, and whole words between their separators where
    there are none. Beside a telling part a separator is left out, for how words begin and end is common, too."""
    parts = [_telling_part(word, common) for word in pieces[1::2]]
    tells = [True, *map(bool, parts), True]
    separators = ["" if tells[n] and tells[n + 1] else _literally(each) for n, each in enumerate(pieces[::2])]
    words = [f"%{part}%" if part else word for part, word in zip(parts, pieces[1::2], strict=True)]
    following = zip(words, separators[1:], strict=True)
    whole = "".join(["%", separators[0], *(piece for pair in following for piece in pair), "%"])
    return _WILDCARDS.sub("%", whole)


def _telling_part(word: str, common: set[str]) -> str:
    """The longest part of a word without common trigrams; empty when each is common."""
    runs = groupby(enumerate(_trigrams(word)), lambda each: each[1] in common)
    starts = [[n for n, _ in run] for is_common, run in runs if not is_common]
    longest = max(starts, key=len, default=None)
    return word[longest[0] : longest[-1] + 3] if longest else ""


def _trigrams(word: str) -> list[str]:
    return [word[n : n + 3] for n in range(len(word) - 2)]


def _literally(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
