"""A form that was filled in, of a job or of anything that has a task: to be shown again, and for the API."""

from collections.abc import Mapping
from typing import Any, Final

from flask import render_template

from scheduler.web.forms import PREFIX, as_number, data_of, fields_of, flags_of
from scheduler.web.inside import ask
from scheduler.web.session import CSRF_FIELD, changers_only
from scheduler.web.stars import unmasked

_NUMBERS: Final = ("priority", "max_attempts", "timeout_seconds")


class Filled:
    """The form, for the task type that is chosen, else the first; `stored` is the task that it changes."""

    def __init__(self, form: Mapping[str, str], stored: Mapping[str, Any] | None = None) -> None:
        self.form: Final = form
        self._stored: Final = stored
        self.types: Final[list[dict[str, Any]]] = ask("GET", "/api/task-types")["task_types"]
        known = {each["type"]: each for each in self.types}
        self.type: Final = known.get(form.get("type", ""), self.types[0])

    def task(self) -> dict[str, Any]:
        """Raises InvalidInput."""
        name, stored = self.type["type"], self._stored
        kept = stored["data"] if stored is not None and stored["type"] == name else None
        return {"type": name, "data": unmasked(data_of(self.type["data"], self.form), kept)}

    def options(self) -> dict[str, Any]:
        """The options that are set, numbers as numbers where they are some: what they are not, the API says."""
        numbers = {name: as_number(self.form[name]) for name in _NUMBERS if self.form.get(name)}
        return numbers | ({"queue": self.form["queue"]} if self.form.get("queue") else {})

    def page(self, template: str, **more: Any) -> str:
        """The form, filled in as it was. Raises Forbidden for a viewer."""
        changers_only()
        values = {key.removeprefix(PREFIX): value for key, value in self.form.items() if key.startswith(PREFIX)}
        if CSRF_FIELD in self.form:  # it was sent: a box that is not ticked was not sent with it
            values = {**dict.fromkeys(flags_of(self.type["data"]), "false"), **values}
        fields = fields_of(self.type["data"], values)
        return render_template(template, types=self.types, type=self.type, fields=fields, form=self.form, **more)
