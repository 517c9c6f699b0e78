"""Accounts, for admins."""

from typing import Final

from flask import Response

from scheduler.api.access import Access
from scheduler.api.account_fields import AccountChangesIn, AccountIn, AccountOut, UsersOut
from scheduler.api.audited import tell
from scheduler.api.identity import current_caller
from scheduler.api.pagination import Pagination
from scheduler.api.passwords import hashed
from scheduler.api.queries import PageQuery
from scheduler.api.resource import ById, Resource, answer, nothing
from scheduler.api.services import connection
from scheduler.domain.account import Account, AccountChanges, NewAccount
from scheduler.domain.job import JsonObject
from scheduler.store.accounts import change_account, create_account, delete_account, get_account
from scheduler.store.reads import list_accounts

users: Final = Resource("users", "Accounts, for admins.", kind="user")


@users.get("/api/users", Access.ADMIN, {200: UsersOut}, problems=(422, 503))
def find_users(query: PageQuery) -> Response:
    """List accounts.

    Newest first.
    """
    with connection() as conn:
        page = list_accounts(conn, current_caller(), query.page_request())
    rows = [AccountOut.of(account) for account in page.items]
    return answer(UsersOut(users=rows, pagination=Pagination.of(page)))


@users.post("/api/users", Access.ADMIN, {201: AccountOut}, problems=(409, 503), creates=True)
def create_user(body: AccountIn) -> Response:
    """Create an account.

    An e-mail that another account has is a 409.
    """
    new = NewAccount(
        email=body.email,
        password_hash=hashed(body.password, email=body.email),
        role=body.role,
        first_name=body.first_name,
        last_name=body.last_name,
    )
    with connection() as conn:
        account = create_account(conn, new)
    return answer(AccountOut.of(account), 201)


@users.patch("/api/users/<id:id>", Access.ADMIN, {200: AccountOut}, problems=(404, 409, 503))
def change_user(path: ById, body: AccountChangesIn) -> Response:
    """Change an account's role, whether it is active, or its password.

    It is logged out everywhere; its keys do what its new role may, and nothing while it is not active. The last
    active admin can be neither demoted nor shut out: 409.
    """
    password_hash = None
    if body.password is not None:
        with connection() as conn:
            email = get_account(conn, current_caller(), path.id).email
        password_hash = hashed(body.password, email=email)
    changes = AccountChanges(role=body.role, active=body.active, password_hash=password_hash)
    with connection() as conn:
        before, after = change_account(conn, current_caller(), path.id, changes)
    tell(before=_told(before), after={**_told(after), **({"password": "changed"} if password_hash else {})})
    return answer(AccountOut.of(after))


@users.delete("/api/users/<id:id>", Access.ADMIN, {204: None}, problems=(404, 409, 503))
def remove_user(path: ById) -> Response:
    """Remove an account, its log-ins and its keys.

    Its jobs, templates and schedules stay, for admins to see; what is scheduled runs. The last active admin stays: 409.
    """
    with connection() as conn:
        account = delete_account(conn, current_caller(), path.id)
    tell(before={"email": account.email, **_told(account)})
    return nothing()


def _told(account: Account) -> JsonObject:
    return {"role": account.role.value, "active": account.active}
