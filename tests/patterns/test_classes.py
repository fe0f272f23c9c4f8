"""Traces of several classes, each with its label, and whether the judges of the classes tell them apart."""

from dataclasses import replace

import numpy as np
import pytest

from vrnn.data import TraceSet
from vrnn.evaluation import LapJudge
from vrnn.evaluation.classes import class_scores
from vrnn.patterns import Automaton, AutomatonPattern, Circle, ClassesPattern, Eight, Pen


def automaton(curve):
    states = {"lap": {"laps": 1, "curve": curve}}
    return AutomatonPattern(Automaton(start="lap", states=states, transitions={"lap": {"lap": 1}}), Pen())


@pytest.fixture(scope="module")
def classes():
    return ClassesPattern({"circle": automaton(Circle(radius=1.41, start=90)), "eight": automaton(Eight([1.14, 1.7]))})


def test_classes_take_turns(classes):
    traces = classes.draw("train", 5, 40, np.random.default_rng(0))
    assert [trace.label for trace in traces] == [0, 1, 0, 1, 0]
    assert [classes.names[trace.state[0]] for trace in traces[:2]] == ["circle.lap", "eight.lap"]
    assert TraceSet(traces).batch([1, 2], 0, 8).condition.tolist() == [1, 0]
    assert [trace.until(3).label for trace in traces[:2]] == [0, 1]


def test_some_traces_without_label(classes):
    traces = classes.draw("train", 2, 40, np.random.default_rng(0))
    with pytest.raises(ValueError, match="1 of 2 have none, first of them number 1"):
        TraceSet([traces[0], replace(traces[1], label=-1)])


def test_judges_tell_classes_apart(classes):
    judges = {label: LapJudge.calibrate(one, traces=12) for label, one in classes.classes.items()}
    traces = classes.draw("test", 8, 400, np.random.default_rng(1))
    points, labels = [trace.points for trace in traces], [trace.label for trace in traces]
    right, swapped = class_scores(points, labels, judges), class_scores(points, [1 - label for label in labels], judges)
    assert right["condition_right"] > 0.99
    assert swapped["condition_right"] < 0.01
    assert list(right["classes"]) == ["circle", "eight"]
    assert list(class_scores(points[:1], labels[:1], judges)["classes"]) == ["circle"]
