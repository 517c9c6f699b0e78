"""Templates: kept and removed."""

from datetime import UTC
from typing import Final

from psycopg import errors
from psycopg.rows import TupleRow

from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict, NotFound
from scheduler.domain.template import NewTemplate, Template
from scheduler.store.connection import Connection, fetch_all, fetch_one
from scheduler.store.filters import OWNED, ownership
from scheduler.store.rows import to_json

TEMPLATE_COLUMNS: Final = "id, owner_id, name, description, task_type, task_data, defaults, created_at"

_INSERT: Final = f"""
    INSERT INTO templates (owner_id, name, description, task_type, task_data, defaults)
    VALUES (%(owner_id)s, %(name)s, %(description)s, %(task_type)s, %(task_data)s, %(defaults)s)
    RETURNING {TEMPLATE_COLUMNS}"""


def create_template(conn: Connection, caller: Caller, new: NewTemplate) -> Template:
    """Keep a template; raises Conflict when the caller has one of that name."""
    parameters = {
        "owner_id": caller.owner_id,
        "name": new.name,
        "description": new.description,
        "task_type": new.task_type,
        "task_data": to_json(new.task_data),
        "defaults": to_json(new.defaults),
    }
    try:
        with conn.transaction():
            (row,) = fetch_all(conn, _INSERT, parameters)
    except errors.UniqueViolation:
        raise Conflict(f"You have a template named {new.name!r}: take another name, or delete that one.") from None
    return template_from_row(row)


_GET: Final = f"SELECT {TEMPLATE_COLUMNS} FROM templates WHERE id = %(id)s AND {OWNED}"


def get_template(conn: Connection, caller: Caller, template_id: int) -> Template:
    """The template; raises NotFound when there is none, or it is not the caller's to see."""
    if row := fetch_one(conn, _GET, {"id": template_id, **ownership(caller)}):
        return template_from_row(row)
    raise NotFound(f"There is no template {template_id}.")


_DELETE: Final = f"DELETE FROM templates WHERE id = %(id)s AND {OWNED} RETURNING id"


def delete_template(conn: Connection, caller: Caller, template_id: int) -> None:
    """Remove the template; its jobs stay. Raises NotFound as get_template."""
    if fetch_one(conn, _DELETE, {"id": template_id, **ownership(caller)}) is None:
        raise NotFound(f"There is no template {template_id}.")


def template_from_row(row: TupleRow) -> Template:
    """A template from a row of TEMPLATE_COLUMNS."""
    return Template(
        id=row[0],
        owner_id=row[1],
        name=row[2],
        description=row[3],
        task_type=row[4],
        task_data=row[5],
        defaults=row[6],
        created_at=row[7].astimezone(UTC),
    )
