"""Ordinary tests: the tools are functions. Those beside it in TOML are run in the sandbox, by `toolhatch plugin test`."""

import unittest

from plugin import Count, word_count
from toolhatch_plugin import InvalidArguments


class WordCount(unittest.TestCase):
    def test_counts_lines_words_and_characters(self) -> None:
        self.assertEqual(word_count("Well begun\nis half done.\n"), Count(2, 5, 25, 2))

    def test_an_empty_text_has_nothing(self) -> None:
        self.assertEqual(word_count(""), Count(0, 0, 0, 0))

    def test_refuses_what_is_no_text(self) -> None:
        with self.assertRaisesRegex(InvalidArguments, "NUL"):
            word_count("a\0b")


if __name__ == "__main__":
    unittest.main()
