"""Passwords: which are good enough, and their argon2id hashes."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from scheduler.domain.errors import FieldError, InvalidInput

SHORTEST: Final = 12
LONGEST: Final = 256
_FEWEST_CHARACTERS: Final = 5

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

_FILLING: Final = "0123456789!?.,-_#*+ "

_WORDS: Final = (
    "1234567890ab|123456123456|123123123123|987654321098|1q2w3e4r5t6y|1qaz2wsx3edc|1qaz2wsx3edc4rfv|q1w2e3r4t5y6|"
    "zaq12wsxcde3|qazwsxedcrfv|qwertyuiop|qwertyuiopas|qwerty|qwertyqwerty|qwertyuiopasdfghjkl|asdfghjkl|"
    "abcdefghijkl|abcdefghijklm|abc123abc123|password|passwordpassword|p@ssw0rd|passw0rd|mypassword|administrator|"
    "admin|adminadminadmin|adminpassword|rootpassword|root|changeme|changemechangeme|changemenow|letmein|"
    "letmeinletmein|welcome|iloveyou|iloveyouiloveyou|sunshine|princess|football|baseball|superman|trustno1trustno1|"
    "correcthorsebatterystaple|correct horse battery staple|scheduler|schedulerscheduler|secretsecret|"
    "secretpassword|supersecret|defaultpassword|temppassword|testtesttest|test|testpassword|thisisapassword|"
    "computer|internet|dragon|monkey|master|shadow|michael|jennifer|liverpool|hello|hellohellohello|"
)
_COMMON: Final = frozenset(_WORDS.split("|"))
"""What stands high in the lists of leaked passwords; digits and marks that only make one longer do not count.
The empty one is among them: nothing but digits and marks."""


def require_good(password: str, *, email: str, field: str = "password") -> None:
    """Raises InvalidInput, naming `field`, when the password is short, common, or hardly one at all."""
    if fault := _fault_of(password, email):
        raise InvalidInput([FieldError((field,), fault, "password_too_weak")])


def hash_password(password: str) -> str:
    """Its hash, which holds salt and parameters. Takes tens of milliseconds, on purpose."""
    return _HASHER.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether the hash is this password's; where there is none, it is not, and that takes as long to say."""
    try:
        return _HASHER.verify(password_hash or _NOBODYS, password) and password_hash is not None
    except (VerifyMismatchError, InvalidHashError):
        return False


_NOBODYS: Final = _HASHER.hash("the password of an account that is not there")


def _fault_of(password: str, email: str) -> str | None:
    if len(password) < SHORTEST:
        return f"Should have at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"Should have at most {LONGEST} characters."
    plain = password.casefold()
    if plain in _COMMON or plain.strip(_FILLING) in _COMMON:
        return "This is one of the first that anybody would try: take another one."
    if len(set(plain)) < _FEWEST_CHARACTERS:
        return f"Should have at least {_FEWEST_CHARACTERS} different characters."
    if plain == email.casefold():
        return "Should not be the e-mail address."
    return None
