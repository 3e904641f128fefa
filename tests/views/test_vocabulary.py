"""The names of views: one vocabulary for every command."""

from __future__ import annotations

import pytest

from attnviz.errors import UsageError
from attnviz.views import vocabulary
from attnviz.views.build import build, figure
from attnviz.views.vocabulary import BUILT_IN, MAKERS, check_view, maker_of, meanings, shows
from tests.captures import capture


@pytest.mark.parametrize(("of", "name"), [(of, name) for of in BUILT_IN for name in BUILT_IN[of]])
def test_every_name_has_a_maker_where_it_says(of: str, name: str) -> None:
    maker = maker_of(name, of)
    assert maker.__module__ == f"attnviz.views.{BUILT_IN[of][name].module}"
    assert maker.__doc__


def test_the_help_tells_every_name() -> None:
    for of, views in BUILT_IN.items():
        words = meanings(of).replace(",", "").split()
        assert set(views) <= set(words)


def test_a_view_of_others_has_a_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "MAKERS", dict(MAKERS))

    @shows("first_head")
    def first_head(asked):
        return (asked.heads[0].label,)

    assert build(capture(), view="first_head").parts == ("L0H0",)
    assert figure(capture(), view="first_head").parts == ("L0H0",)
    with pytest.raises(UsageError, match="--view first_head is no view") as error:
        check_view("ranking", "first_head")
    assert error.value.hint == "there are table, matrix"


def test_plugins_are_asked_before_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(vocabulary, "load_plugins", lambda: asked.append(1))
    check_view("capture", "map")
    assert asked == []
    with pytest.raises(UsageError):
        check_view("capture", "pie")
    assert asked == [1]
