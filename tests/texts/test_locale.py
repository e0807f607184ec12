"""Which locale gets Chinese."""

import pytest

from deskroster.texts import of_locale

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "locale",
    [
        "zh",
        "zh_CN",
        "zh_CN.UTF-8",
        "zh_CN.GB18030",
        "zh_TW.UTF-8",
        "zh_HK",
        "zh-Hans",
        "zh-Hans-CN",
        "ZH_cn",
        "zh@pinyin",
    ],
)
def test_every_form_of_chinese_is_chinese(locale):
    assert ["zh"] * 4 == [of_locale({name: locale}) for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]


@pytest.mark.parametrize("locale", ["", "C", "C.UTF-8", "POSIX", "en_US.UTF-8", "de_DE.UTF-8", "za_CN", "zhx"])
def test_any_other_locale_is_english(locale):
    assert ["en"] * 4 == [of_locale({name: locale}) for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]


def test_without_a_locale_it_is_english():
    assert "en" == of_locale({})


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LANGUAGE": "zh_CN:en", "LC_ALL": "en_US.UTF-8"}, "zh"),
        ({"LANGUAGE": "fr:zh_CN:en", "LANG": "fr_FR.UTF-8"}, "zh"),
        ({"LANGUAGE": "en_US:en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANGUAGE": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANGUAGE": "zh_CN:zh", "LC_ALL": "C"}, "en"),
        ({"LANGUAGE": "zh_CN", "LANG": "POSIX"}, "en"),
        ({"LANGUAGE": "zh_CN", "LANG": "C.UTF-8"}, "zh"),
    ],
)
def test_of_several_variables_the_first_counts_as_gettext_has_it(locale, language):
    assert language == of_locale(locale)
