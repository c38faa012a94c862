"""The full-text index: a virtual table of SQLite's FTS5, or a table with a GIN index on PostgreSQL."""

from django.db import migrations


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE TABLE helpdesk_search "
            "(comment_id bigint PRIMARY KEY, ticket_id bigint NOT NULL, words tsvector NOT NULL)"
        )
        schema_editor.execute(
            "CREATE FUNCTION helpdesk_search_gone() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN DELETE FROM helpdesk_search WHERE comment_id = old.id; RETURN NULL; END $$"
        )
        # No foreign key: Django does not know the table, and could not truncate the one it refers to.
        schema_editor.execute(
            "CREATE TRIGGER helpdesk_search_gone AFTER DELETE ON helpdesk_comment "
            "FOR EACH ROW EXECUTE FUNCTION helpdesk_search_gone()"
        )
        schema_editor.execute("CREATE INDEX helpdesk_search_words ON helpdesk_search USING gin (words)")
    else:
        schema_editor.execute(
            "CREATE VIRTUAL TABLE helpdesk_search USING fts5("
            "words, ticket_id UNINDEXED, tokenize = \"unicode61 remove_diacritics 2\", prefix = '2 3')"
        )
        # A virtual table has no foreign keys.
        schema_editor.execute(
            "CREATE TRIGGER helpdesk_search_gone AFTER DELETE ON helpdesk_comment "
            "BEGIN DELETE FROM helpdesk_search WHERE rowid = old.id; END"
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER helpdesk_search_gone ON helpdesk_comment")
        schema_editor.execute("DROP FUNCTION helpdesk_search_gone()")
    else:
        schema_editor.execute("DROP TRIGGER helpdesk_search_gone")
    schema_editor.execute("DROP TABLE helpdesk_search")


class Migration(migrations.Migration):
    dependencies = [("helpdesk", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
