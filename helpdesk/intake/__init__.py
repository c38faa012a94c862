"""A stored mail → what is done about it: understood, decided, and written all at once.

Deciding only reads and says why, so a dry run is deciding alone. The outcome of the mail is
written in the same transaction as the ticket, the comment, the event and the outbox rows, so
"done" and "the ticket exists" cannot disagree.
"""
