"""Which programs get a fresh child for every test."""

import pytest
from thoughtline.verdicts.lasting import may_last


@pytest.mark.parametrize(
    "program",
    [
        "import math\nmath.n = 1\n",
        "import math as m\nif True: m.pi += 1\n",
        "import collections\ncollections.Counter.x = 1\n",
        "from heapq import heappush\nx = 1; heappush.seen = 2\n",
        "import os\na, os.sep = 1, 2\n",
        "import math\ndel math.pi\n",
        "import sys\nsys.modules['x'] = 1\n",
        "__builtins__.int = str\n",
        "print.__self__.len = 1\n",
        "import sys\nsys.ps1 = 'x'\n",
        "setattr(int, 'x', 1)\n",
        "from decimal import *\nif n > 9: getcontext().prec = 50\n",
        "import decimal\ndecimal.setcontext(decimal.Context(prec=50))\n",
        "import sys\nsys.path.append('x')\n",
        "from sys import path\npath.append('x')\n",
        "import sys\nsys.setswitchinterval(1)\n",
        "import os\nos.umask(0)\n",
        "import string\nstring.kept.append(1)\n",
        "import mimetypes\nmimetypes.types_map['.x'] = 'x'\n",
        "import numbers\nnumbers.Number.register(str)\n",
    ],
)
def test_may_last(program):
    assert may_last(program)


@pytest.mark.parametrize(
    "program",
    [
        "import sys\ninput = sys.stdin.readline\ndata = sys.stdin.buffer.read\n",
        "import sys\nsys.stdin = open('x')\nsys.stdout = None\nsys.setrecursionlimit(10**6)\n",
        "import math\nx = math.inf\nif x == math.inf: print(math.pi)\n",
        "class Node: pass\nnode = Node()\nnode.left = node\nnode.left.right = None\nself = node\nself.x += 1\n",
        "import operator\nprint(sorted([], key=operator.itemgetter(1)))\nf = lambda a: operator.add(a, a)\n",
        "import sys\nprint(max([1], default=sys.maxsize))\nassert sys.maxsize >= 3\n",
        "for line in __import__('sys').stdin: print(line)\n",
        "from collections import deque\nimport sys\nq = deque()\nq.append(1)\nx = {}\nx[1] = q\nsys.setrecursionlimit(10**6)\n",
        "from heapq import heappop\nimport math\npath = []\npath.append(math.pi)\nsettings = [1]\n",
    ],
)
def test_may_not(program):
    assert not may_last(program)


@pytest.mark.parametrize(
    "piece",
    ["a.", "a[", "a[b", "from sys import ", "a.b(", "import ", "a ", "=a.", "(((a.b", "[", "a.append(", "from ", " "],
)
def test_a_megabyte_is_looked_at_in_no_time(piece):
    may_last("import a\n" + piece * (1_000_000 // len(piece)))  # minutes, if it grew with the square
