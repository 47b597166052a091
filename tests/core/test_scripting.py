"""Methods from outside, handed-on arguments, work in parallel."""

from __future__ import annotations

import inspect
import math

import pytest

from vivace.core.errors import ArgumentTypeError
from vivace.core.scripting import concat, delegates, parallel, patch, patch_to


class Dog:
    name = "Rex"

    def __init__(self, name="Rex", age=3):
        self.name, self.age = name, age


class Cat:
    name = "Tom"


def test_a_function_becomes_a_method_of_the_annotated_classes():
    @patch
    def greet(self: Dog | Cat, times=1):
        return f"{self.name}! " * times

    @patch(as_prop=True)
    def loud(self: Dog):
        return self.name.upper()

    @patch(cls_method=True)
    def make(cls: Dog, age):
        return cls(age=age)

    assert Dog().greet(2) == "Rex! Rex! " and Cat().greet() == "Tom! "
    assert Dog().loud == "REX" and Dog.make(7).age == 7
    with pytest.raises(ArgumentTypeError, match=r"def nobody\(self: TheClass"):

        @patch
        def nobody(self):
            pass


def test_a_function_becomes_a_method_of_a_named_class():
    @patch_to(Cat)
    def purr(self):
        return f"{self.name} purrs"

    assert Cat().purr() == "Tom purrs"


def test_handed_on_arguments_are_shown():
    def inner(a, b=1, c=2):
        return a + b + c

    @delegates(inner, but="c")
    def outer(a, x=0, **kwargs):
        return inner(a, **kwargs) + x

    assert str(inspect.signature(outer)) == "(a, x=0, *, b=1)" and outer(1, b=5) == 8

    @delegates()
    class Puppy(Dog):
        def __init__(self, toy=None, **kwargs):
            super().__init__(**kwargs)
            self.toy = toy

    assert list(inspect.signature(Puppy).parameters) == ["toy", "name", "age"] and Puppy(age=1).age == 1


@pytest.mark.parametrize("settings", [{"n_workers": 0}, {"n_workers": 2}, {"n_workers": 2, "threadpool": True}])
def test_work_in_parallel_keeps_the_order(settings):
    assert parallel(math.pow, range(5), 2, **settings) == [0, 1, 4, 9, 16]


def test_lists_are_joined():
    assert concat([1, 2], [3]) == concat([[1, 2], [3]]) == [1, 2, 3]
