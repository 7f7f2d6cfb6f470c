"""Who writes a comment: somebody's identity and role as the log has them, and whether their address has to be verified first."""

from gateway.identity import Identity
from gateway.problems import Problem
from gateway.speaking import Author
from schemas.events import ChannelRules
from stores.roles import Role
from stores.settings import Settings


def author_of(identity: Identity, role: Role, address: str) -> Author:
    """Somebody as the author of a comment; `address` is the keyed hash of where they are."""
    return Author(id=identity.id, name=identity.name, role=role.value, address=address, colour=identity.colour)


def unverified_may_comment(settings: Settings) -> bool:
    """Whether an account may comment everywhere without a verified address for mail."""
    chosen = settings.unverified_may_comment
    return chosen == "yes" or (chosen == "auto" and not settings.smtp_url.get_secret_value())


def must_be_verified(settings: Settings, rules: ChannelRules, identity: Identity, role: Role) -> None:
    """Refuse a new comment of an account that is not verified, where guests may not comment either.

    Where guests may, an account may no less; and whom an owner has given a role, the owner knows.

    Raises:
        Problem: 403 `email_unverified`.
    """
    known = not identity.account or identity.verified or identity.admin or role >= Role.MEMBER
    if known or rules.who == "everyone" or unverified_may_comment(settings):
        return
    detail = "verify your e-mail address first: the link is in the mail, your account page sends another"
    raise Problem(403, "email_unverified", detail)
