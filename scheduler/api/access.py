"""What an operation asks of its caller. Each names one of these where its route stands; none is open by default."""

from enum import Enum

from werkzeug.exceptions import Forbidden

from scheduler.domain.account import Identity, Role, Scope


class Access(Enum):
    """Least first. A key may do what its account may, but for LOGIN and ADMIN; one of scope `read` only READ."""

    OPEN = "anybody, without credentials"
    READ = "any account"
    WRITE = "roles user and admin"
    LOGIN = "any account, but by log-in: a key shall not make keys that outlive it"
    METRICS = "role admin, by log-in, or the bearer METRICS_TOKEN"
    ADMIN = "role admin, by log-in"


def require(access: Access, identity: Identity) -> None:
    """Raises Forbidden, saying what is missing, unless `identity` may do what asks for `access`."""
    if access in {Access.LOGIN, Access.METRICS, Access.ADMIN} and identity.session_id is None:
        raise Forbidden("An API key may not do this: log in, and send the access token.")
    if access in {Access.METRICS, Access.ADMIN} and identity.role is not Role.ADMIN:
        raise Forbidden("Only an admin may do this.")
    if access is Access.WRITE:
        if identity.role is Role.VIEWER:
            raise Forbidden("A viewer may not change anything: ask an admin for the role user.")
        if identity.scope is Scope.READ:
            raise Forbidden("This API key may only read: use one with the scope write.")
