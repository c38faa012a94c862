"""How somebody proves who they are: with a password, or by a link that sets a new one."""

# Sessions name their backend by this dotted path, and outlive an upgrade.
from helpdesk.auth.passwords import EmailBackend as EmailBackend
