"""Is that an address of a service that Apprise can alert somebody by?"""

# Kinds of Apprise addresses that reach into the machine the helpdesk runs on instead of out of it.
LOCAL = {"dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows", "file"}


def is_valid(url: str) -> bool:
    if url.partition(":")[0].lower() in LOCAL:
        return False
    import apprise  # slow to import, and a pipe starts a process for each mail

    return bool(apprise.Apprise().add(url))
