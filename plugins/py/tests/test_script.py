"""Ordinary tests: `PYTHONPATH=.:../sdk-python python3 -m unittest discover tests`. Calls in the sandbox are in py.toml."""

import sys
import unittest

import script


def run(source: str, **names: object) -> script.Ended:
    return script.run(source, "<script>", ["a"], names)


class Run(unittest.TestCase):
    def test_the_last_expression_is_the_value(self) -> None:
        self.assertEqual(run("x = data + 1\nx * 2", data=1).value, 4)
        self.assertIsNone(run("x = 1").value)
        self.assertIsNone(run("").value)
        self.assertEqual(run("import sys\nsys.argv, __name__").value, (["<script>", "a"], "__main__"))

    def test_what_is_printed_is_kept_up_to_a_length(self) -> None:
        ended = run("import sys\nprint('ü' * 300_000)\nprint('error', file=sys.stderr)")
        self.assertEqual(ended.stdout, "ü" * script.MAX_OUTPUT + f"\n[{300_001 - script.MAX_OUTPUT} more characters]")
        self.assertEqual(ended.stderr, "error\n")

    def test_an_exit_without_a_number_is_success(self) -> None:
        for source, error, stderr in (
            ("raise SystemExit", None, ""),
            ("import sys; sys.exit(0)", None, ""),
            ("import sys; sys.exit(4)", "the script ended with exit code 4", ""),
            ("import sys; sys.exit('no')", "the script ended with exit code 1", "no\n"),
        ):
            ended = run(source)
            self.assertEqual((ended.error, ended.stderr), (error, stderr), source)

    def test_a_traceback_begins_in_the_script(self) -> None:
        error = run("def f():\n    raise ValueError('ü')\ntry:\n    f()\nexcept ValueError as e:\n    raise KeyError('k') from e").error
        lines = error.splitlines()
        self.assertEqual(lines[:3], ["Traceback (most recent call last):", '  File "<script>", line 4, in <module>', "    f()"])
        self.assertEqual(lines[-1], "KeyError: 'k'")
        self.assertNotIn("script.py", error)
        self.assertIn("The above exception was the direct cause", error)

    def test_a_deep_traceback_is_short(self) -> None:
        error = run("def f(n):\n    f(n + 1)\nf(0)").error
        self.assertIn("RecursionError", error)
        self.assertLess(len(error.splitlines()), 100)

    def test_everything_is_put_back(self) -> None:
        before = sys.argv, sys.stdin, sys.stdout, sys.modules["__main__"]
        run("1 / 0")
        self.assertEqual((sys.argv, sys.stdin, sys.stdout, sys.modules["__main__"]), before)

    def test_reading_input_ends_at_once(self) -> None:
        self.assertIn("EOFError", run("input()").error)


if __name__ == "__main__":
    unittest.main()
