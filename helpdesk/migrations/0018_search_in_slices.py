"""What is indexed is a word behind its slice of comments: see helpdesk/search.

All comments are indexed anew, a few minutes for each million of tickets; meanwhile mail is taken in and waits.
"""

from django.db import migrations

from helpdesk import search


def index_in_slices(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("TRUNCATE helpdesk_search")
        schema_editor.execute("DROP INDEX IF EXISTS helpdesk_search_words")
    else:
        schema_editor.execute("DROP TABLE helpdesk_search")
        schema_editor.execute(
            "CREATE VIRTUAL TABLE helpdesk_search USING fts5("
            "words, ticket_id UNINDEXED, tokenize = 'ascii', detail = none)"
        )
    search.index_all()
    if schema_editor.connection.vendor == "postgresql":
        # What was written last is looked through as it stands, at each search: it stays short.
        schema_editor.execute(
            "CREATE INDEX helpdesk_search_words ON helpdesk_search USING gin (words)"
            " WITH (gin_pending_list_limit = 512)"
        )


class Migration(migrations.Migration):
    dependencies = [("helpdesk", "0017_mail_server")]
    operations = [migrations.RunPython(index_in_slices, migrations.RunPython.noop)]
