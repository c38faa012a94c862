"""Full text over subjects and comments, the newest first, on PostgreSQL and on SQLite's FTS5.

Neither index knows an order: asked for a word that is in every other comment, both go through
millions. So the comments are cut into slices of their numbers, and what is indexed is a word with
its slice before it: the newest slices are asked first, and mostly they suffice.
"""

from helpdesk.search.finding import ticket_ids as ticket_ids
from helpdesk.search.finding import ticket_ids_of as ticket_ids_of
from helpdesk.search.indexing import TABLE as TABLE
from helpdesk.search.indexing import index as index
from helpdesk.search.indexing import index_all as index_all
from helpdesk.search.indexing import move as move
from helpdesk.search.indexing import reindex as reindex
