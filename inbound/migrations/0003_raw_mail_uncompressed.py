"""PostgreSQL keeps received bytes as they are: compressing each mail inside the INSERT cost more than the rest of it."""

from django.db import migrations


def external(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE inbound_rawmail ALTER COLUMN data SET STORAGE EXTERNAL")


class Migration(migrations.Migration):
    dependencies = [("inbound", "0002_imap_cursor")]
    operations = [migrations.RunPython(external, migrations.RunPython.noop)]
