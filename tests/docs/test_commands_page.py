"""The page about the commands says what the commands say."""

from __future__ import annotations

from command_line import FLAGS, VERBS
from commands_page import PAGE, page


def test_the_page_is_made_of_the_commands() -> None:
    """`python tests/docs/commands_page.py` writes it again."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_verb_and_every_flag_is_on_it() -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"\n## {verb}\n" not in told] == []
    assert [flag for flag in FLAGS if flag not in told] == []
