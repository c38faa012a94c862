"""Is that text a private key that mail can be signed with?"""


def check(pem: str) -> None:
    """Raises ValueError where that is no private key."""
    import dkim  # slow to import, and a pipe starts a process for each mail

    try:
        dkim.sign(b"From: a@b\r\n\r\n", b"s", b"b", pem.encode(), include_headers=[b"From"])
    except Exception as error:  # dkimpy's parsers raise what they like
        raise ValueError("This is not a private key in PEM form.") from error
