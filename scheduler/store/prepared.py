"""Short statements that many threads ask again and again: prepared once a connection, answered in one call to libpq.

A cursor lets go of the interpreter six times in a statement, and has to win it back from other threads; one call does
so once. It cannot be interrupted: it is for the threads of a server, not for one that waits for signals
(docs/adr/0021).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, LiteralString

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")


class Prepared:
    """What one connection, in autocommit, has prepared for this."""

    def __init__(self, connection: psycopg.Connection[TupleRow]) -> None:
        self._connection = connection
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def ask(self, statement: LiteralString, parameters: Mapping[str, Any]) -> TupleRow | None:
        """The first row of `statement`, where % stands for nothing but parameters, as %(name)s. Raises as a cursor."""
        text, order = _numbered(statement)
        transformer = Transformer.from_context(self._connection)
        arguments = [parameters[name] for name in order]
        # Any: None is NULL, which the type of exec_prepared forgets.
        values: Any = transformer.dump_sequence(arguments, [PyFormat.AUTO] * len(order))
        types = transformer.types or ()
        name = self._names.get((statement, types)) or self._prepare(statement, types, text)
        result = self._connection.pgconn.exec_prepared(name, values, transformer.formats, Format.TEXT)
        self._require(result, ExecStatus.TUPLES_OK)
        transformer.set_pgresult(result)
        return transformer.load_row(0, tuple) if result.ntuples else None

    def _prepare(self, statement: str, types: tuple[int, ...], text: bytes) -> bytes:
        name = f"scheduler_{len(self._names)}".encode()
        self._require(self._connection.pgconn.prepare(name, text, types), ExecStatus.COMMAND_OK)
        self._names[statement, types] = name
        return name

    def _require(self, result: PGresult, status: ExecStatus) -> None:
        if self._connection.pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError("the connection is lost")
        if result.status != status:
            raise psycopg.errors.error_from_result(result)


@cache
def _numbered(statement: str) -> tuple[bytes, Sequence[str]]:
    """`statement` with $1, $2 in place of names, as PostgreSQL has it, and the names in that order."""
    order = list(dict.fromkeys(_PARAMETER.findall(statement)))
    return _PARAMETER.sub(lambda found: f"${order.index(found[1]) + 1}", statement).encode(), order
