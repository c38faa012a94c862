"""What goes wrong with an account, in words for who set it up."""

from django.db import DatabaseError, InterfaceError
from imapclient.exceptions import IMAPClientError

from inbound import faults, store
from inbound.transports.imap import oauth

# What was foreseen: anything else stands in the log with where it came from.
FORESEEN = (IMAPClientError, oauth.Refused, store.UnknownRecipient, *store.TEMPORARY)


def in_words(error: Exception) -> str:
    """A line for people; whose fault it is where it is not the server's, and whether the log has
    more."""
    said = faults.in_words(error)
    if isinstance(error, DatabaseError | InterfaceError):
        return f"a fault of our own database, not of the mail server: {said}"
    if isinstance(error, FORESEEN):
        return said
    return f"nobody foresaw this, and the log says where it came from: {said}"
