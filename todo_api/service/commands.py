"""Commands: `flask token` for development, `flask db` for migrations."""

from pathlib import Path

import click
from flask import Flask, current_app
from flask_migrate import Migrate

from todo_api.auth import user_id
from todo_api.auth.shared_secret import SharedSecret
from todo_api.auth.tokens import token_cache
from todo_api.platform.db.engine import db

MIGRATIONS = Path(__file__).parent.parent.parent / "migrations"


@click.command("token")
@click.argument("user")
@click.option("--minutes", default=60, show_default=True, type=click.IntRange(1, 10**6), help="How long it is valid.")
def token(user: str, minutes: int) -> None:
    """Print a bearer token for USER, signed with the shared secret."""
    if not user_id.PATTERN.fullmatch(user):
        raise click.BadParameter(f"must be 1 to {user_id.MAX_LENGTH} characters without a slash", param_hint="USER")
    signer = token_cache(current_app).verifier
    if not isinstance(signer, SharedSecret):
        raise click.ClickException("Tokens are verified with a published key set, whose private keys are not here.")
    click.echo(signer.sign(user, minutes))


def init_app(app: Flask) -> None:
    app.cli.add_command(token)
    Migrate(app, db, directory=str(MIGRATIONS))
