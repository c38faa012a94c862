import django.utils.timezone
from django.db import migrations, models


def when_it_was(apps, schema_editor):
    """Of accounts that are there already: when their first mail was stored, or the last contact. What is older than
    either has been stored or passed over."""
    mails = apps.get_model("inbound", "InboundMail").objects
    for cursor in apps.get_model("inbound", "ImapCursor").objects.exclude(uid_validity=0):
        first = mails.filter(transport_key__startswith=f"imap:{cursor.account}:").order_by("received_at").first()
        cursor.first_contact_at = first.received_at if first else cursor.contacted_at
        cursor.save(update_fields=["first_contact_at"])


class Migration(migrations.Migration):

    dependencies = [
        ('inbound', '0007_to_look_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='imapcursor',
            name='first_contact_at',
            field=models.DateTimeField(help_text="What is older was the first contact's to take or not.", null=True),
        ),
        migrations.AddField(
            model_name='imapcursor',
            name='note',
            field=models.TextField(blank=True, help_text='What people should know, and is no trouble.'),
        ),
        migrations.AddField(
            model_name='imapcursor',
            name='noted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='imapcursor',
            name='is_unfinished',
            field=models.BooleanField(default=False, help_text='The last contact did not get to its end.'),
        ),
        migrations.CreateModel(
            name='ImapPassedOver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.CharField(max_length=300)),
                ('uid_validity', models.BigIntegerField()),
                ('uid', models.BigIntegerField()),
                ('subject', models.CharField(blank=True, max_length=300)),
                ('reason', models.TextField()),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('is_final', models.BooleanField(default=False, help_text='It is not tried again.')),
                ('was_read', models.BooleanField(help_text='Whether it was marked as read when it was named.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'uid_validity', 'uid'), name='imappassedover_once')],
            },
        ),
        migrations.RunPython(when_it_was, migrations.RunPython.noop),
    ]
