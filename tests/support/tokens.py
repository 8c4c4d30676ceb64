"""Bearer tokens as the identity provider signs them with the shared secret of the tests."""

import time

import jwt

SECRET = "a secret for tests, 64 bytes long so that it serves every HS512"
SECRET += "." * (64 - len(SECRET))


def token(user_id: str, *, seconds: int = 3600, secret: str = SECRET) -> str:
    """A token that is valid for so long; already expired where `seconds` is negative."""
    return jwt.encode({"sub": user_id, "exp": int(time.time()) + seconds}, secret, "HS256")


def bearer(user_id: str, *, seconds: int = 3600) -> dict[str, str]:
    """The header that carries the user's token."""
    return {"Authorization": f"Bearer {token(user_id, seconds=seconds)}"}
