"""The words of our mail in every language we write in: all there, and with the same blanks to fill
in."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.template import engines
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils import translation

LANGUAGES = [language for language, _ in settings.LANGUAGES if language != settings.LANGUAGE_CODE]
TEMPLATES = settings.BASE_DIR / "templates"
CODE = [settings.BASE_DIR / package for package in ("helpdesk", "inbound", "tasks")]
PLACEHOLDER, TAG = re.compile(r"%\(\w+\)s"), re.compile(r"</?\w+>")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_compiled_catalogue_says_what_its_source_says(language: str) -> None:
    source = catalogue(language)
    with file(language, "mo").open("rb") as compiled:
        found = read_mo(compiled)
    assert entries(found) == entries(source)
    assert found.plural_forms == source.plural_forms


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entry_is_translated_with_the_same_placeholders_and_tags(language: str) -> None:
    source = catalogue(language)
    for message in filter(lambda message: message.id, source):
        assert not message.fuzzy, message.id
        if isinstance(message.id, str):
            pairs = [(message.id, message.string)]
        else:  # the first form may say "a" where the others have the number
            one, many = message.id
            assert len(message.string) == source.num_plurals, message.id
            pairs = [(one, message.string[0]), *((many, form) for form in message.string[1:])]
        for original, words in pairs:
            assert words.strip(), original
            for pattern in (PLACEHOLDER, TAG):
                assert Counter(pattern.findall(words)) == Counter(pattern.findall(original)), (
                    original,
                    words,
                )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_has_what_templates_and_code_have_translated_and_nothing_else(
    language: str,
) -> None:
    wanted = {*in_templates(), *in_code()}
    assert wanted - set(entries(catalogue(language))) == set()
    assert set(entries(catalogue(language))) - wanted == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_a_mail_says_is_said_in_the_readers_language(language: str) -> None:
    with translation.override(language):
        for found in {*in_templates(), *in_code()}:
            if isinstance(found, str):
                assert translation.gettext(found) != found
            else:
                assert translation.ngettext(*found, 1) != found[0]
                assert translation.ngettext(*found, 5) != found[1]


def file(language: str, suffix: str) -> Path:
    return settings.LOCALE_PATHS[0] / language / "LC_MESSAGES" / f"django.{suffix}"


def catalogue(language: str) -> Catalog:
    with file(language, "po").open("rb") as source:
        return read_po(source, locale=language)


def entries(catalog: Catalog) -> dict[object, list[str]]:
    """What is looked up (a plural: both its forms) → what is said."""
    return {
        message.id if isinstance(message.id, str) else tuple(message.id): (
            [message.string] if isinstance(message.string, str) else [*message.string]
        )
        for message in catalog
        if message.id
    }


def in_templates() -> Iterator[str | tuple[str, str]]:
    for path in sorted(TEMPLATES.rglob("*.*")):
        nodes = engines["django"].get_template(str(path.relative_to(TEMPLATES))).template.nodelist
        for node in nodes.get_nodes_by_type(TranslateNode):
            if literal := node.filter_expression.var.literal:
                yield str(literal)
        for node in nodes.get_nodes_by_type(BlockTranslateNode):
            one = node.render_token_list(node.singular)[0]
            yield (one, node.render_token_list(node.plural)[0]) if node.plural else one


def in_code() -> Iterator[str | tuple[str, str]]:
    keywords = DEFAULT_KEYWORDS | {"gettext_lazy": None, "ngettext_lazy": (1, 2)}
    for path in (path for package in CODE for path in sorted(package.rglob("*.py"))):
        for _, found, _, _ in extract_from_file("python", path, keywords=keywords):
            yield found
