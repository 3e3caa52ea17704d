"""Reasons of thousands of entries in few lines."""

from __future__ import annotations

import pytest

from screening.intake.refusals import LeftOut, summed_up


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (
            [
                "it has 41 atoms, more than max_sites = 40",
                "it has 9e+01 atoms, more than max_sites = 40",
            ],
            "it has 41 to 9e+01 atoms, more than max_sites = 40",
        ),
        (
            ["it is the same entry as a.cif#1", "it is the same entry as a.cif#2"],
            "it is the same entry as …",
        ),
        (
            ["it is the same entry as a.cif#1-17-ICSD", "it is the same entry as b c/d.cif"],
            "it is the same entry as …",
        ),
        (
            [
                "its site Cs 1 is mixed: Cs (0.5) and Rb (0.5)",
                "its site O1A is mixed: O (0.5) and F (0.25) and Cl (0.25)",
            ],
            "its site … is mixed: …",
        ),
        (
            [
                "it contains Cl, Na, which engine 'emt' does not support",
                "it contains Na, which engine 'emt' does not support",
            ],
            "it contains …, which engine 'emt' does not support",
        ),
        (
            [
                "its prototype CsCl-221 is not among prototypes",
                "its prototype NaCl-225 is not among prototypes",
            ],
            "its prototype … is not among prototypes",
        ),
        (
            [
                "it is disordered: a site holds Na+:0.500, K+:0.500",
                "it is disordered: a site holds O2-:0.500, F-:0.500",
            ],
            "it is disordered: a site holds …",
        ),
        (
            ["its CIF lacks _cell_length_a; is it truncated?"] * 2,
            "its CIF lacks _cell_length_a; is it truncated?",
        ),
        (
            [
                "its CIF lacks _cell_length_a; is it truncated?",
                "its CIF lacks _cell_length_a, _atom_site_label; is it truncated?",
            ],
            "its CIF lacks …; is it truncated?",
        ),
    ],
)
def test_reasons_of_one_kind_are_one(reasons, said):
    found = summed_up([("first.cif", reasons[0]), ("second.cif", reasons[1])])
    assert found == [LeftOut(said, 2, "first.cif")]


def test_reasons_of_other_kinds_stay_apart_the_most_frequent_first():
    found = summed_up(
        [
            ("a", "it is cubic, not among crystal_systems"),
            ("b", "its site Cs 1 is occupied partly, by 0.5"),
            ("c", "its site Na 1 is occupied more than once, by 2"),
            ("d", "its site K 3 is occupied partly, by 0.25"),
        ]
    )
    assert [(each.count, each.example) for each in found] == [(2, "b"), (1, "a"), (1, "c")]
    assert found[0].reason == "its site … is occupied partly, by …"
