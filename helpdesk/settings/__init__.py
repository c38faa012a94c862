"""Every setting, read from the process environment or `.env`, a subject a file.

A bad value stops the start with the name of the variable and what is wrong with it, and is never
repeated. The table of variables is in helpdesk/env/variables.py.
"""

# ruff: noqa: F403, I001  # in this order: of several bad values the first is named

from helpdesk.settings.environment import *
from helpdesk.settings.addresses import *
from helpdesk.settings.keys import *
from helpdesk.settings.databases import *
from helpdesk.settings.broker_and_cache import *
from helpdesk.settings.outgoing_mail import *
from helpdesk.settings.incoming_mail import *
from helpdesk.settings.desk import *
from helpdesk.settings.api import *
from helpdesk.settings.framework import *
from helpdesk.settings.logs import *
from helpdesk.settings.staff_site import *
