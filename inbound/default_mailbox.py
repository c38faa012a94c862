"""Which mailbox stands for the installation where nobody has named one?"""

from inbound.models import Mailbox


def default_mailbox(*with_it: str) -> Mailbox | None:
    """The first active one; None where there is none. `with_it`: what is read in the same query."""
    active = Mailbox.objects.filter(is_active=True).order_by("pk")
    return (active.select_related(*with_it) if with_it else active).first()
