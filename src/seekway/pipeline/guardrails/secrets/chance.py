"""Whether a value was drawn at random or chosen by a person, or is a word, a blank or a name in a program."""

from __future__ import annotations

from typing import Final

_BLANKS: Final = (
    *("xxxx", "****", "••", "…", "your", "example", "sample", "placeholder", "changeme", "change-me", "change_me"),
    *("redacted", "dummy", "${", "{{", "os.environ", "getenv", "process.env", "insert", "replace", "todo"),
)
_PLAIN: Final = frozenset(
    (
        *(
            "password",
            "passwd",
            "pass",
            "pwd",
            "secret",
            "token",
            "none",
            "null",
            "undefined",
            "string",
            "hidden",
            "key",
        ),
        *("pass:password", "yourpassword", "mypassword", "<password>", "user", "username", "root", "xxx", "..."),
    )
)
_METHODS: Final = ("sha1", "sha2", "sha3", "sha5", "sha-", "md5", "aes", "rsa", "bcrypt", "scrypt", "argon2")
_MORE_METHODS: Final = (
    "pbkdf2",
    "hmac",
    "base64",
    "utf-8",
    "utf8",
    "tls1",
    "tlsv",
    "ed25519",
    "x509",
    "hs256",
    "rs256",
)
_NAMED: Final = (*_METHODS, *_MORE_METHODS)
_JOINTS: Final = str.maketrans("-_./: ,", "       ")
_LONGEST_STEADY: Final = 8
_LEAST_UNBROKEN: Final = 20


def is_blank(value: str) -> bool:
    """What examples and templates have in the place of a secret."""
    lower = value.lower()
    return lower in _PLAIN or any(word in lower for word in _BLANKS) or len(set(lower)) < 4


def is_words(value: str) -> bool:
    """Words and small numbers with joints between them, a date, a time, a path, a UUID's neighbour ``v1-beta``."""
    parts = value.translate(_JOINTS).split()
    if len(parts) < 2:
        return False
    if all(part.isalpha() for part in parts) or all(part.isdigit() for part in parts):
        return True
    return len(parts) > 2 and all(_is_word(part) for part in parts)


def is_code(value: str) -> bool:
    """``request.password``, ``$PASSWORD``, ``./file``, ``db_password_2``, ``SHA256``."""
    if value.startswith(("/", "./", "../", "~/", "%(", "@", "&", "--", "http")) or value.lower().startswith(_NAMED):
        return True
    bare = value.lstrip("$%").rstrip("%")
    if bare != value and bare.replace("_", "").isalnum() and bare == bare.upper():
        return True
    parts = bare.split(".")
    if len(parts) > 1 and all(part.isidentifier() for part in parts):
        return all(_is_name(part) for part in parts)
    return "_" in bare and bare.isidentifier() and _is_name(bare)


def is_uuid(value: str) -> bool:
    """RFC 9562's text form."""
    return [len(part) for part in value.split("-")] == [8, 4, 4, 4, 12]


def looks_random(body: str) -> bool:
    """Whether its characters change between small letters, capitals and digits as often as those of a drawn token do, which words do not."""
    if is_blank(body) or _is_steady(body):
        return False
    size = len(body)
    changes = 0
    before = ""
    for char in body:
        kind = "9" if char.isdigit() else "A" if char.isupper() else "a" if char.islower() else before
        changes += bool(before) and kind != before
        before = kind
    return changes >= max(4, size // 6)


def looks_unlike_words(body: str) -> bool:
    """For what has an issuer's beginning that words have too: drawn at random, or so many letters and digits without a joint as no word has."""
    if looks_random(body):
        return True
    unbroken = len(body) >= _LEAST_UNBROKEN and body.isalnum() and not body.isalpha() and not body.isdigit()
    return unbroken and looks_issued(body)


def looks_issued(body: str) -> bool:
    """For what has an issuer's own beginning: that it is no blank."""
    return not is_blank(body) and not _is_steady(body) and len(set(body)) >= min(8, len(body) // 2)


def kinds(value: str) -> int:
    """How many there are of small letters, capitals, digits and others."""
    return (
        any(char.islower() for char in value)
        + any(char.isupper() for char in value)
        + any(char.isdigit() for char in value)
        + any(not char.isalnum() for char in value)
    )


def _is_word(part: str) -> bool:
    """Letters, a small number, or both as in ``v2``."""
    return part.isalpha() or (len(part) <= 4 and part.isalnum())


def _is_name(part: str) -> bool:
    """A variable's: words of one case, of which the last may be a number."""
    words = [word for word in part.split("_") if word]
    return all(_is_word(word) for word in words) and len({word.isupper() for word in words if word.isalpha()}) < 2


def _is_steady(body: str) -> bool:
    """Whether one character stands there again and again."""
    run = 1
    before = ""
    for char in body:
        run = run + 1 if char == before else 1
        before = char
        if run >= _LONGEST_STEADY:
            return True
    return False
