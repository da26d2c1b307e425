"""Unit tests as they are published, and the forms that they become."""

import base64
import builtins
import json
import os
import pickle
import zlib

import pytest
from thoughtline.verdicts.asserts import NODE_PREAMBLE, NODE_SETUP
from thoughtline.verdicts.formats import called, canonical_tests, columns_of, count_of
from thoughtline.verdicts.prelude import PRELUDE, prelude_of

STREAM = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}
CALLS = {"fn_name": "double", "inputs": [[1], [2]], "outputs": [2, 4]}
LEETCODE = "def check(candidate):\n    assert candidate(n = 1) == 2\n    assert candidate(n = 2) == 4\n\n\ncheck(Solution().double)"
HUMANEVAL = {
    "prompt": "import math\n\ndef half(x):\n    return x / 2\n\n\ndef root(x):\n    '''Its root.'''\n",
    "entry_point": "root",
    "test": "\n\nMETADATA = {'author': 'x'}\n\n\ndef check(candidate):\n    assert candidate(4) == 2\n"
    "    assert math.isclose(half(candidate(16)), 2), 'close'\n",
}


def packed(cases, protocol=4):
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases), protocol))).decode()


def lcb(kind, *pairs):
    return [{"input": given, "output": wanted, "testtype": kind} for given, wanted in pairs]


@pytest.mark.parametrize(
    ("value", "tests"),
    [
        (STREAM, STREAM),
        (json.dumps(STREAM), STREAM),
        (CALLS, CALLS),
        ({**STREAM, "fn_name": None}, STREAM),
        ({**STREAM, "fn_name": ""}, STREAM),
        ({**STREAM, "remark": "x"}, STREAM),
        ({"input": ["1"], "output": ["2"]}, {"inputs": ["1"], "outputs": ["2"]}),
        ([{"input": "1", "output": "2"}], {"inputs": ["1"], "outputs": ["2"]}),
        ({"inputs": [["1", "2"]], "outputs": [["3"]]}, {"inputs": ["1\n2"], "outputs": ["3"]}),
        ({"inputs": [], "outputs": []}, {"inputs": [], "outputs": []}),
        # APPS, TACO
        ({"input_output": json.dumps(STREAM)}, STREAM),
        ({"input_output": json.dumps({**CALLS, "outputs": [[2], [4]]})}, CALLS),
        ({"input_output": CALLS}, CALLS),
        ({"input_output": {**CALLS, "outputs": [[2, 3], [4]]}}, {**CALLS, "outputs": [[2, 3], [4]]}),
        ({"input_output": ""}, None),
        ({**CALLS, "outputs": [[2], [4]]}, {**CALLS, "outputs": [[2], [4]]}),  # not said to be APPS: as it stands
        # code_contests
        (
            {
                "public_tests": {"input": ["1\n"], "output": ["2\n"], "is_truncated": False},
                "private_tests": json.dumps({"input": [], "output": []}),
                "generated_tests": {"input": ["2\n"], "output": ["4\n"]},
            },
            STREAM,
        ),
        ({"private_tests": None, "public_tests": {"input": ["1"], "output": ["2"]}}, {"inputs": ["1"], "outputs": ["2"]}),
        # LiveCodeBench
        (
            {
                "public_test_cases": json.dumps(lcb("stdin", ("1\n", "2\n"))),
                "private_test_cases": packed(lcb("stdin", ("2\n", "4\n"))),
                "metadata": "{}",
            },
            STREAM,
        ),
        (
            {
                "public_test_cases": json.dumps(lcb("functional", ("[1, 2]\n3", '"a"'))),
                "private_test_cases": json.dumps(lcb("functional", ('["x"]\nnull', "[true]"))),
                "metadata": '{"func_name": "pick"}',
            },
            {"fn_name": "pick", "inputs": [[[1, 2], 3], [["x"], None]], "outputs": ["a", [True]]},
        ),
        (
            [{"input": "1", "output": "2", "testtype": "functional", "metadata": {"func_name": "double"}}],
            {"fn_name": "double", "inputs": [[1]], "outputs": [2]},
        ),
        # PRIME and rllm
        ([{"type": "stdin_stdout", "input": "1", "output": "2", "fn_name": None}], {"inputs": ["1"], "outputs": ["2"]}),
        ([{"type": "function_call", "input": [1], "output": 2, "fn_name": "f"}], {"fn_name": "f", "inputs": [[1]], "outputs": [2]}),
        (
            {"functional": LEETCODE},
            {
                "asserts": ["assert candidate(n = 1) == 2", "assert candidate(n = 2) == 4"],
                "setup": "", "preamble": "", "names": {"candidate": "Solution().double"},
            },
        ),
        # HumanEval
        (
            HUMANEVAL,
            {
                "asserts": ["assert candidate(4) == 2", "assert math.isclose(half(candidate(16)), 2), 'close'"],
                "setup": "import math\n\ndef half(x):\n    return x / 2\n\n\nMETADATA = {'author': 'x'}\n",
                "preamble": "import math\n\ndef half(x):\n    return x / 2\n",
                "names": {"candidate": "root"},
            },
        ),
        # MBPP
        (
            ["assert double(1) == 2", " assert set(double(2)) == set((4, ))"],
            {
                "asserts": ["assert double(1) == 2", "assert set(double(2)) == set((4, ))"],
                "setup": "", "preamble": "", "names": {"double": "double"},
            },
        ),
        (
            {"test_list": ["assert sum(1, 2) == 3"], "test_setup_code": "", "challenge_test_list": ["assert sum(2, 2) == 4"]},
            {
                "asserts": ["assert sum(1, 2) == 3", "assert sum(2, 2) == 4"],
                "setup": "", "preamble": "", "names": {"sum": "sum"},
            },
        ),
        (
            {"test_list": ["assert math.isclose(area(root), sys.maxsize)"], "test_setup_code": "root = Node(1)", "test_imports": ["import math"]},
            {
                "asserts": ["assert math.isclose(area(root), sys.maxsize)"],
                "setup": "import sys\nimport math\nroot = Node(1)\n", "preamble": "", "names": {"Node": "Node", "area": "area"},
            },
        ),
        (None, None),
        ("", None),
        (" ", None),
        ({}, None),
        ("[]", None),
        ({"test_list": []}, None),
        ({"public_test_cases": "[]", "private_test_cases": ""}, None),
    ],
)  # fmt: skip
def test_forms(value, tests):
    found = canonical_tests(value)
    assert found == tests
    if tests is not None:
        assert canonical_tests(json.dumps(found)) == found  # what is canonical stays as it is


class Evil:
    def __reduce__(self):
        return (os.getcwd, ())


def test_a_pickle_can_call_nothing():
    text = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    with pytest.raises(ValueError, match=r"the pickle asks for posix\.getcwd"):
        canonical_tests({"private_test_cases": text})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("not JSON", "no JSON"),
        ({"inputs": ["1"], "outputs": []}, "1 inputs and 0 outputs"),
        ({"inputs": ["1"]}, "lists"),
        ({"inputs": "1", "outputs": "2"}, "lists"),
        ({"inputs": [1], "outputs": [2]}, "test 0: the input is no text"),
        ({"inputs": ["1", "2"], "outputs": ["2", None]}, "test 1: the output is missing"),
        ({"inputs": ["1", "2"], "outputs": ["", "\n"]}, "every expected output is empty"),
        ({"inputs": [1], "outputs": [2], "fn_name": "f"}, "list of its arguments"),
        ({"inputs": [[1]], "outputs": [2], "fn_name": 7}, "no text"),
        ([{"input": "1"}], "input, output"),
        ([1], "input, output"),
        ("7", "no set of tests"),
        ({"a": 1}, "none of asserts, input_output"),
        ('{"inputs": [[1]], "outputs": [' + "9" * 5000 + '], "fn_name": "f"}', "cannot be read .*digits"),
        ('{"inputs": [[1]], "outputs": [NaN], "fn_name": "f"}', "JSON compliant"),
        ("[" * 100_000, "cannot be read .*recursion"),
        ({"input_output": "{"}, "input_output is no JSON"),
        ({"public_tests": {"input": ["1"], "output": []}}, "public_tests has 1 inputs and 0 outputs"),
        ({"public_test_cases": lcb("functional", ("1", "2"))}, "name is not given"),
        ({"public_test_cases": [*lcb("functional", ("1", "2")), *lcb("stdin", ("1", "2"))]}, "different kinds"),
        (
            {"public_test_cases": lcb("functional", ("x y", "2")), "metadata": {"func_name": "f"}},
            "an argument is no JSON",
        ),
        ({"private_test_cases": "!!!"}, "cannot be unpacked"),
        ({"private_test_cases": base64.b64encode(b"no zlib").decode()}, "cannot be unpacked"),
        ({"private_test_cases": packed([])[:-8]}, "cannot be unpacked"),
        ({"functional": "def check(candidate):\n    assert candidate(1)\n"}, "does not call check"),
        ({"functional": "def check(candidate):\n    candidate(1)\ncheck(f)"}, "asserts nothing"),
        ({"functional": "def check(candidate:\n"}, "no Python"),
        ({"functional": 7}, "no text"),
        ({"entry_point": "f", "test": "assert f(1)"}, "no function check"),
        (["double(1) == 2"], "asserts nothing"),
        (["assert double(1"], "no Python"),
        ({"asserts": ["assert f(1)"], "names": {"f": 1}}, "no object of expressions"),
        ({"asserts": [""], "names": {}}, "no list of statements"),
    ],
)
def test_refused(value, why):
    with pytest.raises(ValueError, match=why):
        canonical_tests(value)


def test_order_and_repetitions_stay():
    tests = {"inputs": ["2", "1", "2"] * 2000, "outputs": ["4", "2", "4"] * 2000}
    assert canonical_tests(json.dumps(tests)) == tests
    assert count_of(tests) == 6000


def test_a_check_that_is_more_than_asserts_is_one_test():
    text = "def check(candidate):\n    import random\n    for n in range(3):\n        assert candidate(n) == random.random()\n"
    tests = canonical_tests({"entry_point": "f", "test": text + "\ncheck(f)\n"})
    assert tests["asserts"] == ["check(candidate)"]
    assert tests["setup"] == "import random\nrandom.seed(0)\n" + text
    with pytest.raises(AssertionError):  # it can be run
        exec(tests["setup"] + tests["asserts"][0], {"candidate": lambda n: -1})


def test_a_prompt_that_is_no_code_counts_as_nothing():
    tests = canonical_tests({**HUMANEVAL, "prompt": "Write a function that finds the root."})
    assert tests["preamble"] == ""
    assert (
        canonical_tests({**HUMANEVAL, "prompt": "import math\n", "entry_point": "Solution().root"})["preamble"]
        == "import math\n"
    )


@pytest.mark.parametrize(
    ("tests", "names"),
    [
        (STREAM, []),
        (CALLS, ["double"]),
        ({"asserts": ["assert candidate(1)"], "names": {"candidate": "Solution().f"}}, ["Solution", "f"]),
    ],
)
def test_names_that_a_program_defines(tests, names):
    assert called(tests) == names


LISTS = """\
def check(candidate):
    assert is_same_list(candidate(lists = [list_node([1, 4]), list_node([]), list_node([2])]), list_node([1, 2, 4]))
    assert is_same_list(candidate(lists = []), list_node([]))

check(Solution().merge)"""
MERGE = """\
class Solution:
    def merge(self, lists):
        values = []
        for node in lists:
            while node:
                values.append(node.val)
                node = node.next
        head = None
        for value in sorted(values, reverse=True):
            head = ListNode(value, head)
        return head
"""
TREES = """\
def check(candidate):
    assert is_same_tree(candidate(root = tree_node([4, 2, 7, None, 3])), tree_node([4, 7, 2, None, None, 3]))
    assert is_same_tree(candidate(root = tree_node([])), tree_node([]))

check(Solution().invert)"""
INVERT = """\
class Solution:
    def invert(self, root):
        if root:
            root.left, root.right = self.invert(root.right), self.invert(root.left)
        return root
"""
OWN_NODE = "class ListNode:\n    def __init__(self, x, next=None):\n        self.val = x\n        self.next = next\n"


def passes(text, program):
    tests = canonical_tests({"functional": text})
    space, beside = {}, {}
    for code in (prelude_of("none", tests), tests["preamble"], program):
        exec(code, space)
    for name, expression in tests["names"].items():
        function = eval(expression, space)
        # What passes between the two is plain data.
        beside[name] = lambda *a, f=function, **k: json.loads(
            json.dumps(f(*json.loads(json.dumps(a)), **json.loads(json.dumps(k))))
        )
    try:
        exec("\n".join([tests["setup"], *tests["asserts"]]), beside)
    except AssertionError:
        return False
    return True


def test_linked_lists_and_trees_pass_as_plain_data():
    assert passes(LISTS, MERGE)
    assert passes(LISTS, OWN_NODE + MERGE)
    assert not passes(LISTS, MERGE.replace("reverse=True", "reverse=False"))
    assert not passes(LISTS, "class Solution:\n    def merge(self, lists): return [1, 2, 4]\n")
    assert passes(TREES, INVERT)
    assert not passes(TREES, "class Solution:\n    def invert(self, root): return root\n")
    tests = canonical_tests({"functional": LISTS})
    assert (tests["setup"], tests["preamble"]) == (NODE_SETUP, NODE_PREAMBLE)
    assert tests["names"] == {"candidate": "_with_nodes(Solution().merge)"}


def test_lists_without_an_end_are_an_error():
    endless = "class Solution:\n    def merge(self, lists):\n        node = ListNode(1)\n        node.next = node\n        return node\n"
    with pytest.raises(ValueError, match="does not end"):
        passes(LISTS, endless)


def test_prelude_is_leetcodes_and_hides_no_builtin():
    space = {}
    exec(PRELUDE, space)
    assert [n for n in vars(builtins) if not n.startswith("__") and space.get(n) is not getattr(builtins, n)] == []
    assert eval(
        "pow(2, 3, 5), inf, Counter('aa')['a'], bisect_left([1], 1), bisect.bisect([1], 1), List[int], gcd(4, 6)", space
    )
    assert eval(
        "datetime.date(2024, 1, 1), random.Random(1), copy.copy([]), deepcopy([]), heappop([1]), cache, sub(3, 1)",
        space,
    )
    assert eval(
        "ListNode(1, ListNode(2)).next.val, TreeNode(1).left, ascii_lowercase, accumulate, reduce, array.array", space
    )


@pytest.mark.parametrize(
    ("tests", "has"),
    [
        (STREAM, False),
        (CALLS, True),
        ({"asserts": [], "names": {"candidate": "_with_nodes(Solution().f)"}}, True),
        ({"asserts": [], "names": {"candidate": "root"}}, False),
    ],
)
def test_prelude_is_for_calls_and_solutions(tests, has):
    assert prelude_of("leetcode", tests) == (PRELUDE if has else "")
    assert prelude_of("none", tests) == ""


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        ("tests", {"": "tests"}),
        ("input_output", {"input_output": "input_output"}),
        ("test_list", {"test_list": "test_list"}),
        (["prompt", "entry_point", "test"], {"prompt": "prompt", "entry_point": "entry_point", "test": "test"}),
        ({"input_output": "cases"}, {"input_output": "cases"}),
    ],
)
def test_columns(fields, columns):
    assert columns_of(fields) == columns
