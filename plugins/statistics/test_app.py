"""Run with `PYTHONPATH=../../sdk/python python3 -m unittest`."""

import unittest

import innkeeper
from app import describe


class Describe(unittest.TestCase):
    def test_numbers(self):
        summary = describe([1, 2, 3, 4, "five", True])
        self.assertEqual((summary["count"], summary["missing"]), (4, 2))
        self.assertEqual((summary["min"], summary["max"], summary["sum"], summary["mean"]), (1, 4, 10, 2.5))
        self.assertEqual(summary["quartiles"], [1.75, 2.5, 3.25])

    def test_fields_of_objects(self):
        self.assertEqual(describe([{"price": 2}, {"price": 4}, {}], "price")["mean"], 3)

    def test_nothing_and_nonsense(self):
        self.assertEqual(describe([]), {"count": 0, "missing": 0})
        self.assertEqual(describe([7])["quartiles"], [7, 7, 7])
        with self.assertRaises(innkeeper.Permanent):
            describe({"a": 1})


if __name__ == "__main__":
    unittest.main()
