import pytest

from dreamscripts.reports.counted import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 dreams"), (1, "1 dream"), (2, "2 dreams"), (1234, "1,234 dreams")])
def test_a_number_with_its_noun(number, text):
    assert counted(number, "dream") == text
