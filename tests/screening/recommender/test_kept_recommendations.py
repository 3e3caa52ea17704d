"""Recommendations are made once for each question and list."""

from __future__ import annotations

import dataclasses

import pytest

from screening.machine.user_cache import cache_folder
from screening.recommender import kept
from screening.recommender.known import KnownList
from screening.recommender.ranking import Question, recommended


@pytest.fixture
def asked(monkeypatch, own_cache):
    """What was computed, and not found in an empty cache."""
    questions = []

    def counted(known, question):
        questions.append(question)
        return recommended(known, question)

    monkeypatch.setattr(kept, "recommended", counted)
    return questions


def test_a_question_is_answered_once_and_energies_are_looked_up_anew(families, asked):
    question = Question(elements=("Na",), anions=("S",), top=7)
    first = kept.kept_recommendations(families, question)
    name = first[0].formula
    again = kept.kept_recommendations(families, question, {name: 0.02})
    assert len(asked) == 1
    assert first == recommended(families, question)
    assert again[0].mp_e_hull == 0.02
    assert [dataclasses.replace(row, mp_e_hull=None) for row in again] == first


def test_another_question_or_list_is_another_answer(families, asked):
    question = Question(elements=("Na",), anions=("S",), top=7)
    kept.kept_recommendations(families, question)
    kept.kept_recommendations(families, dataclasses.replace(question, top=6))
    shorter = KnownList("families", families.formulas[:-1], families.years[:-1])
    kept.kept_recommendations(shorter, question)
    assert len(asked) == 3
    assert len(list(cache_folder().iterdir())) == 3


def test_a_damaged_file_is_made_anew(families, asked):
    question = Question(elements=("Na",), anions=("S",), top=7)
    first = kept.kept_recommendations(families, question)
    (file,) = cache_folder().iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert kept.kept_recommendations(families, question) == first
    assert len(asked) == 2
