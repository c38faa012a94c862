from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('helpdesk', '0016_sending'),
    ]

    operations = [
        migrations.RenameModel(old_name='Route', new_name='MailServer'),
    ]
