"""Forty problems with standard input and output, in the manner of easy contest problems: programs as people write them, small inputs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from .problem import Problem

Rng = random.Random


def _line(values: Iterable[object]) -> str:
    return " ".join(map(str, values)) + "\n"


def _numbers(rng: Rng, low: int, high: int, least: int = 3, most: int = 30) -> list[int]:
    return [rng.randint(low, high) for _ in range(rng.randint(least, most))]


def _counted(rng: Rng, low: int, high: int, least: int = 3, most: int = 30) -> str:
    values = _numbers(rng, low, high, least, most)
    return f"{len(values)}\n{_line(values)}"


def _word(rng: Rng, letters: str = "abcdefgh", least: int = 3, most: int = 20) -> str:
    return "".join(rng.choice(letters) for _ in range(rng.randint(least, most)))


def _cases(rng: Rng, make: Callable[[Rng], str], least: int = 2, most: int = 6) -> str:
    count = rng.randint(least, most)
    return f"{count}\n" + "".join(make(rng) for _ in range(count))


def _grid(rng: Rng, letters: str, weights: tuple[int, ...], least: int = 3, most: int = 9) -> str:
    rows, columns = rng.randint(least, most), rng.randint(least, most)
    body = "".join("".join(rng.choices(letters, weights, k=columns)) + "\n" for _ in range(rows))
    return f"{rows} {columns}\n{body}"


def _edges(rng: Rng, weighted: bool = False, least: int = 3, most: int = 12) -> str:
    count = rng.randint(least, most)
    pairs = [(a, b) for a in range(1, count + 1) for b in range(a + 1, count + 1)]
    chosen = sorted(rng.sample(pairs, min(len(pairs), rng.randint(count - 1, 2 * count))))
    lines = "".join(_line((*pair, rng.randint(1, 50)) if weighted else pair) for pair in chosen)
    return f"{count} {len(chosen)}\n{lines}"


def _queries(rng: Rng) -> str:
    values = sorted(_numbers(rng, 0, 60))
    asked = _numbers(rng, -5, 65, 2, 10)
    return f"{len(values)} {len(asked)}\n{_line(values)}{_line(asked)}"


def _ranges(rng: Rng) -> str:
    values, count = _numbers(rng, -20, 20), rng.randint(2, 10)
    spans = [sorted((rng.randint(1, len(values)), rng.randint(1, len(values)))) for _ in range(count)]
    return f"{len(values)} {count}\n{_line(values)}" + "".join(map(_line, spans))


def _two_words(rng: Rng) -> str:
    return f"{_word(rng, 'abcd')}\n{_word(rng, 'abcd')}\n"


def _knapsack(rng: Rng) -> str:
    count, room = rng.randint(2, 10), rng.randint(5, 40)
    return f"{count} {room}\n" + "".join(_line((rng.randint(1, 15), rng.randint(1, 50))) for _ in range(count))


def _intervals(rng: Rng) -> str:
    starts = _numbers(rng, 0, 60, 2, 12)
    return f"{len(starts)}\n" + "".join(_line((start, start + rng.randint(0, 9))) for start in starts)


def _matrix(rng: Rng) -> str:
    rows, columns = rng.randint(2, 6), rng.randint(2, 6)
    return f"{rows} {columns}\n" + "".join(_line(rng.randint(-9, 9) for _ in range(columns)) for _ in range(rows))


def _commands(rng: Rng) -> str:
    lines = [
        rng.choice(("push {}", "push {}", "pop", "max")).format(rng.randint(1, 99)) for _ in range(rng.randint(5, 25))
    ]
    return f"{len(lines)}\n" + "".join(line + "\n" for line in lines)


def _window(rng: Rng) -> str:
    values = _numbers(rng, 0, 99, 5, 30)
    return f"{len(values)} {rng.randint(2, 5)}\n{_line(values)}"


def _text(rng: Rng) -> str:
    return (
        " ".join(rng.choice(("red", "blue", "green", "Red", "sky", "sea", "sun")) for _ in range(rng.randint(5, 25)))
        + "\n"
    )


PROBLEMS = [
    Problem(
        "even_share",
        """
n = int(input())
a = list(map(int, input().split()))
even = [x for x in a if x % 2 == 0]
print(sum(even), len(even))
""",
        ("x % 2 == 0", "x % 2 == 0 and x > 0"),
        lambda rng: _counted(rng, -20, 20),
    ),
    Problem(
        "gcd_and_lcm",
        """
import math

n = int(input())
a = list(map(int, input().split()))
g, l = 0, 1
for x in a:
    g = math.gcd(g, x)
    l = l * x // math.gcd(l, x)
print(g)
print(l % 1000000007)
""",
        ("l * x // math.gcd(l, x)", "l * x // g"),
        lambda rng: _counted(rng, 1, 60, 2, 12),
    ),
    Problem(
        "brackets",
        """
t = int(input())
for _ in range(t):
    s = input().strip()
    stack = []
    pair = {')': '(', ']': '[', '}': '{'}
    ok = True
    for c in s:
        if c in '([{':
            stack.append(c)
        elif not stack or stack.pop() != pair[c]:
            ok = False
            break
    print("YES" if ok and not stack else "NO")
""",
        ("ok and not stack", "ok"),
        lambda rng: _cases(
            rng, lambda rng: rng.choice(("()[]", "([{}])", "((", "(]", "{}{", "[()]", _word(rng, "()[]", 1, 6))) + "\n"
        ),
    ),
    Problem(
        "palindromes",
        """
import sys

def clean(s):
    return [c.lower() for c in s if c.isalnum()]

def main():
    lines = sys.stdin.read().split("\\n")
    for line in lines[1:1 + int(lines[0])]:
        c = clean(line)
        print("yes" if c == c[::-1] else "no")

main()
""",
        ("c.lower()", "c"),
        lambda rng: _cases(
            rng,
            lambda rng: (
                rng.choice(("Abba", "A man, a plan", "Noon", "level!", "Step on no pets", _word(rng, "ab"))) + "\n"
            ),
            4,
            9,
        ),
    ),
    Problem(
        "best_segment",
        """
n = int(input())
a = list(map(int, input().split()))
best = cur = a[0]
for x in a[1:]:
    cur = max(x, cur + x)
    best = max(best, cur)
print(best)
""",
        ("best = cur = a[0]", "best = cur = 0"),
        lambda rng: _counted(rng, -20, rng.choice((-1, 15, 20))),
    ),
    Problem(
        "distinct",
        """
n = int(input())
seen = set()
order = []
for x in input().split():
    if x not in seen:
        seen.add(x)
        order.append(x)
print(len(order))
print(*order)
""",
        ("print(*order)", "print(*sorted(order))"),
        lambda rng: _counted(rng, 1, 15),
    ),
    Problem(
        "pairs_with_sum",
        """
from collections import Counter

n, s = map(int, input().split())
a = list(map(int, input().split()))
seen = Counter()
ans = 0
for x in a:
    ans += seen[s - x]
    seen[x] += 1
print(ans)
""",
        ("ans += seen[s - x]", "ans += 1 if seen[s - x] else 0"),
        lambda rng: (lambda values: f"{len(values)} {rng.randint(5, 15)}\n{_line(values)}")(_numbers(rng, 0, 10)),
    ),
    Problem(
        "lower_bounds",
        """
import bisect
import sys

input = sys.stdin.readline
n, q = map(int, input().split())
a = list(map(int, input().split()))
for x in map(int, input().split()):
    i = bisect.bisect_left(a, x)
    print(a[i] if i < n else -1)
""",
        ("bisect_left", "bisect_right"),
        _queries,
    ),
    Problem(
        "range_sums",
        """
import sys
from itertools import accumulate

data = list(map(int, sys.stdin.read().split()))
n, q = data[0], data[1]
p = [0] + list(accumulate(data[2:2 + n]))
out = []
for i in range(q):
    l, r = data[2 + n + 2 * i], data[3 + n + 2 * i]
    out.append(p[r] - p[l - 1])
print("\\n".join(map(str, out)))
""",
        ("p[l - 1]", "p[l]"),
        _ranges,
    ),
    Problem(
        "primes_up_to",
        """
def sieve(n):
    flags = [True] * (n + 1)
    flags[0] = False
    flags[1] = False
    i = 2
    while i * i <= n:
        if flags[i]:
            for j in range(i * i, n + 1, i):
                flags[j] = False
        i += 1
    return [i for i in range(n + 1) if flags[i]]

n = int(input())
p = sieve(n)
print(len(p), sum(p))
""",
        ("while i * i <= n", "while i * i < n"),
        lambda rng: f"{rng.choice((4, 9, 25, 49, 121, 169, *(rng.randint(2, 400),) * 6))}\n",
    ),
    Problem(
        "fibonacci",
        """
MOD = 10 ** 9 + 7

def fib(n):
    if n == 0:
        return (0, 1)
    a, b = fib(n // 2)
    c = a * (2 * b - a) % MOD
    d = (a * a + b * b) % MOD
    if n % 2:
        return (d, (c + d) % MOD)
    return (c, d)

for _ in range(int(input())):
    print(fib(int(input()))[0])
""",
        ("return (d, (c + d) % MOD)", "return (d, c)"),
        lambda rng: _cases(rng, lambda rng: f"{rng.randint(3, 10**12)}\n"),
    ),
    Problem(
        "transpose",
        """
n, m = map(int, input().split())
a = [list(map(int, input().split())) for _ in range(n)]
for row in zip(*a):
    print(*row)
print(sum(a[i][i] for i in range(min(n, m))))
""",
        ("range(min(n, m))", "range(min(n, m) - 1)"),
        _matrix,
    ),
    Problem(
        "caesar",
        """
k = int(input())
s = input()
res = []
for c in s:
    if c.isalpha():
        base = ord('A') if c.isupper() else ord('a')
        res.append(chr((ord(c) - base + k) % 26 + base))
    else:
        res.append(c)
print(''.join(res))
""",
        ("(ord(c) - base + k) % 26 + base", "ord(c) + k % 26"),
        lambda rng: f"{rng.randint(1, 40)}\n{_word(rng, 'abcxyzABCXYZ,.', 8, 30)}\n",
    ),
    Problem(
        "run_lengths",
        """
from itertools import groupby

t = int(input())
for _ in range(t):
    s = input()
    print("".join(c + (str(len(list(g)))) for c, g in groupby(s)))
""",
        ("groupby(s)", "groupby(sorted(s))"),
        lambda rng: _cases(rng, lambda rng: _word(rng, "abc", 5, 25) + "\n"),
    ),
    Problem(
        "anagram_groups",
        """
from collections import defaultdict

n = int(input())
groups = defaultdict(list)
for _ in range(n):
    w = input().strip()
    groups["".join(sorted(w))].append(w)
print(len(groups))
for key in sorted(groups):
    print(*sorted(groups[key]))
""",
        ('"".join(sorted(w))', '"".join(sorted(set(w)))'),
        lambda rng: _cases(rng, lambda rng: _word(rng, "abc", 2, 4) + "\n", 5, 20),
    ),
    Problem(
        "knapsack",
        """
def solve():
    n, w = map(int, input().split())
    dp = [0] * (w + 1)
    for _ in range(n):
        a, b = map(int, input().split())
        for j in range(w, a - 1, -1):
            dp[j] = max(dp[j], dp[j - a] + b)
    print(dp[w])

solve()
""",
        ("range(w, a - 1, -1)", "range(a, w + 1)"),
        _knapsack,
    ),
    Problem(
        "longest_rise",
        """
from bisect import bisect_left

n = int(input())
tails = []
for x in map(int, input().split()):
    i = bisect_left(tails, x)
    if i == len(tails):
        tails.append(x)
    else:
        tails[i] = x
print(len(tails))
""",
        ("tails[i] = x", "tails[-1] = min(tails[-1], x)"),
        lambda rng: _counted(rng, 1, 60, 8, 30),
    ),
    Problem(
        "common_subsequence",
        """
a = input().strip()
b = input().strip()
dp = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
for i in range(1, len(a) + 1):
    for j in range(1, len(b) + 1):
        if a[i - 1] == b[j - 1]:
            dp[i][j] = dp[i - 1][j - 1] + 1
        else:
            dp[i][j] = max(dp[i - 1][j], dp[i][j - 1])
print(dp[-1][-1])
""",
        ("max(dp[i - 1][j], dp[i][j - 1])", "dp[i - 1][j]"),
        _two_words,
    ),
    Problem(
        "edit_distance",
        """
import sys

def dist(a, b):
    prev = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        cur = [i]
        for j, y in enumerate(b, 1):
            cur.append(min(prev[j] + 1, cur[-1] + 1, prev[j - 1] + (x != y)))
        prev = cur
    return prev[-1]

a, b = sys.stdin.read().split()
print(dist(a, b))
""",
        ("prev[j - 1] + (x != y)", "prev[j - 1] + 2 * (x != y)"),
        _two_words,
    ),
    Problem(
        "coin_ways",
        """
n, total = map(int, input().split())
coins = list(map(int, input().split()))
ways = [1] + [0] * total
for c in coins:
    for s in range(c, total + 1):
        ways[s] += ways[s - c]
print(ways[total])
""",
        ("ways = [1] + [0] * total", "ways = [1] + [0] * total; coins = coins[:-1]"),
        lambda rng: (lambda coins: f"{len(coins)} {rng.randint(15, 60)}\n{_line(coins)}")(
            rng.sample(range(1, 10), rng.randint(2, 5))
        ),
    ),
    Problem(
        "maze",
        """
from collections import deque

h, w = map(int, input().split())
g = [input() for _ in range(h)]
dist = [[-1] * w for _ in range(h)]
q = deque()
if g[0][0] == '.':
    q.append((0, 0))
    dist[0][0] = 0
while q:
    r, c = q.popleft()
    for dr, dc in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        a, b = r + dr, c + dc
        if 0 <= a < h and 0 <= b < w and g[a][b] == '.' and dist[a][b] < 0:
            dist[a][b] = dist[r][c] + 1
            q.append((a, b))
print(dist[h - 1][w - 1], max(map(max, dist)))
""",
        ("q.popleft()", "q.pop()"),
        lambda rng: _grid(rng, ".#", (6, 1), 4, 9),
    ),
    Problem(
        "components",
        """
import sys

def find(p, x):
    while p[x] != x:
        p[x] = p[p[x]]
        x = p[x]
    return x

def main():
    input = sys.stdin.readline
    n, m = map(int, input().split())
    p = list(range(n + 1))
    size = [1] * (n + 1)
    for _ in range(m):
        a, b = map(int, input().split())
        a, b = find(p, a), find(p, b)
        if a != b:
            p[a] = b
            size[b] += size[a]
    roots = [i for i in range(1, n + 1) if p[i] == i]
    print(len(roots), max(size[r] for r in roots))

if __name__ == "__main__":
    main()
""",
        ("size[b] += size[a]", "size[b] += 1"),
        lambda rng: _edges(rng, least=5),
    ),
    Problem(
        "task_order",
        """
import heapq

n, m = map(int, input().split())
out = [[] for _ in range(n + 1)]
deg = [0] * (n + 1)
for _ in range(m):
    a, b = map(int, input().split())
    out[b].append(a)
    deg[a] += 1
heap = [i for i in range(1, n + 1) if deg[i] == 0]
heapq.heapify(heap)
order = []
while heap:
    v = heapq.heappop(heap)
    order.append(v)
    for u in out[v]:
        deg[u] -= 1
        if deg[u] == 0:
            heapq.heappush(heap, u)
print(*order)
""",
        ("v = heapq.heappop(heap)", "v = heap.pop()"),
        lambda rng: _edges(rng, least=5),
    ),
    Problem(
        "shortest_ways",
        """
import heapq
import sys
from collections import defaultdict

def main():
    data = sys.stdin.read().split()
    n, m = int(data[0]), int(data[1])
    g = defaultdict(list)
    for i in range(m):
        a, b, c = map(int, data[2 + 3 * i:5 + 3 * i])
        g[a].append((b, c))
        g[b].append((a, c))
    inf = float('inf')
    dist = [inf] * (n + 1)
    dist[1] = 0
    heap = [(0, 1)]
    while heap:
        d, v = heapq.heappop(heap)
        if d > dist[v]:
            continue
        for u, c in g[v]:
            if d + c < dist[u]:
                dist[u] = d + c
                heapq.heappush(heap, (d + c, u))
    print(*[-1 if x == inf else x for x in dist[1:]])

main()
""",
        ("g[b].append((a, c))", "pass"),
        lambda rng: _edges(rng, weighted=True, least=5),
    ),
    Problem(
        "cheapest_net",
        """
n, m = map(int, input().split())
edges = []
for _ in range(m):
    a, b, c = map(int, input().split())
    edges.append((c, a, b))
edges.sort()
p = list(range(n + 1))

def root(x):
    while p[x] != x:
        x = p[x]
    return x

total = used = 0
for c, a, b in edges:
    a, b = root(a), root(b)
    if a != b:
        p[a] = b
        total += c
        used += 1
print(total if used == n - 1 else "IMPOSSIBLE")
""",
        ("edges.sort()", "edges.sort(reverse=True)"),
        lambda rng: _edges(rng, weighted=True, least=4),
    ),
    Problem(
        "merged_intervals",
        """
n = int(input())
a = sorted(tuple(map(int, input().split())) for _ in range(n))
res = []
for l, r in a:
    if res and l <= res[-1][1]:
        res[-1][1] = max(res[-1][1], r)
    else:
        res.append([l, r])
print(len(res))
for l, r in res:
    print(l, r)
""",
        ("max(res[-1][1], r)", "r"),
        _intervals,
    ),
    Problem(
        "most_talks",
        """
n = int(input())
talks = []
for i in range(n):
    s, e = map(int, input().split())
    talks.append((e, s))
talks.sort()
end = -1
count = 0
for e, s in talks:
    if s > end:
        count += 1
        end = e
print(count)
""",
        ("if s > end", "if s >= end"),
        _intervals,
    ),
    Problem(
        "josephus",
        """
from collections import deque

for _ in range(int(input())):
    n, k = map(int, input().split())
    q = deque(range(1, n + 1))
    out = []
    while q:
        q.rotate(-(k - 1))
        out.append(q.popleft())
    print(*out)
""",
        ("-(k - 1)", "-k"),
        lambda rng: _cases(rng, lambda rng: f"{rng.randint(2, 12)} {rng.randint(1, 6)}\n", 1, 4),
    ),
    Problem(
        "digit_roots",
        """
def root(s):
    while len(s) > 1:
        s = str(sum(int(c) for c in s))
    return s

t = int(input())
for _ in range(t):
    print(root(input().strip()))
""",
        ("while len(s) > 1:", "if len(s) > 1:"),
        lambda rng: _cases(rng, lambda rng: f"{rng.randint(1, 10 ** rng.randint(1, 30))}\n"),
    ),
    Problem(
        "base_change",
        """
import string

digits = string.digits + string.ascii_lowercase
t = int(input())
for _ in range(t):
    s, a, b = input().split()
    n = int(s, int(a))
    b = int(b)
    res = ''
    while n:
        n, d = divmod(n, b)
        res = digits[d] + res
    print(res or '0')
""",
        ("res = digits[d] + res", "res += digits[d]"),
        lambda rng: _cases(rng, lambda rng: f"{rng.randint(0, 10**6)} {rng.randint(10, 16)} {rng.randint(2, 20)}\n"),
    ),
    Problem(
        "roman",
        """
values = [(1000, 'M'), (900, 'CM'), (500, 'D'), (400, 'CD'), (100, 'C'), (90, 'XC'),
          (50, 'L'), (40, 'XL'), (10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')]
t = int(input())
for _ in range(t):
    n = int(input())
    s = ''
    for v, c in values:
        while n >= v:
            s += c
            n -= v
    print(s)
""",
        (" (4, 'IV'),", ""),
        lambda rng: _cases(rng, lambda rng: f"{rng.choice((4, 14, 24, rng.randint(1, 3999)))}\n"),
    ),
    Problem(
        "spiral",
        """
n, m = map(int, input().split())
a = [input().split() for _ in range(n)]
res = []
while a:
    res += a.pop(0)
    a = list(zip(*a))[::-1]
print(*res)
""",
        ("[::-1]", ""),
        _matrix,
    ),
    Problem(
        "max_stack",
        """
import sys

stack = []
best = []
for line in sys.stdin.read().splitlines()[1:]:
    parts = line.split()
    if parts[0] == 'push':
        x = int(parts[1])
        stack.append(x)
        best.append(x if not best else max(x, best[-1]))
    elif not stack:
        print('empty')
    elif parts[0] == 'pop':
        print(stack.pop())
        best.pop()
    else:
        print(best[-1])
print(len(stack))
""",
        ("max(x, best[-1])", "x"),
        _commands,
    ),
    Problem(
        "window_maxima",
        """
from collections import deque

n, k = map(int, input().split())
a = list(map(int, input().split()))
q = deque()
res = []
for i, x in enumerate(a):
    while q and a[q[-1]] <= x:
        q.pop()
    q.append(i)
    if q[0] <= i - k:
        q.popleft()
    if i >= k - 1:
        res.append(a[q[0]])
print(*res)
""",
        ("q[0] <= i - k", "q[0] < i - k"),
        _window,
    ),
    Problem(
        "kth_smallest",
        """
import heapq

n, k = map(int, input().split())
a = list(map(int, input().split()))
print(*heapq.nsmallest(k, a))
print(heapq.nlargest(k, a)[-1])
""",
        ("heapq.nsmallest(k, a)", "sorted(set(a))[:k]"),
        _window,
    ),
    Problem(
        "running_median",
        """
import heapq

n = int(input())
low, high = [], []
for x in map(int, input().split()):
    heapq.heappush(low, -heapq.heappushpop(high, x))
    if len(low) > len(high):
        heapq.heappush(high, -heapq.heappop(low))
    if len(high) > len(low):
        print(high[0])
    else:
        print("%.1f" % ((high[0] - low[0]) / 2))
""",
        ("(high[0] - low[0]) / 2", "(high[0] - low[0]) // 2"),
        lambda rng: _counted(rng, 1, 99, 4, 20),
    ),
    Problem(
        "word_counts",
        """
import re
from collections import Counter

words = re.findall(r"[a-z]+", input().lower())
count = Counter(words)
for word, times in sorted(count.items(), key=lambda item: (-item[1], item[0])):
    print(word, times)
""",
        ("input().lower()", "input()"),
        _text,
    ),
    Problem(
        "best_xor",
        """
from functools import reduce
from itertools import combinations
from operator import xor

n = int(input())
a = list(map(int, input().split()))
print(reduce(xor, a))
print(max(x ^ y for x, y in combinations(a, 2)))
print(sum(bin(x).count('1') for x in a))
""",
        ("max(x ^ y for x, y in combinations(a, 2))", "max(a) ^ min(a)"),
        lambda rng: _counted(rng, 0, 1000, 4, 20),
    ),
    Problem(
        "nim",
        """
t = int(input())
for _ in range(t):
    n = int(input())
    x = 0
    for v in map(int, input().split()):
        x ^= v
    print("First" if x else "Second")
""",
        ("x ^= v", "x += v"),
        lambda rng: _cases(rng, lambda rng: rng.choice(("2\n3 3\n", "3\n1 2 3\n", _counted(rng, 1, 4, 2, 4))), 4, 9),
    ),
    Problem(
        "islands",
        """
import sys

sys.setrecursionlimit(10000)
h, w = map(int, input().split())
g = [list(input()) for _ in range(h)]

def fill(r, c):
    if not (0 <= r < h and 0 <= c < w) or g[r][c] != '#':
        return 0
    g[r][c] = '.'
    return 1 + fill(r + 1, c) + fill(r - 1, c) + fill(r, c + 1) + fill(r, c - 1)

sizes = sorted(s for s in (fill(r, c) for r in range(h) for c in range(w)) if s)
print(len(sizes))
print(*sizes)
""",
        (" + fill(r, c - 1)", ""),
        lambda rng: _grid(rng, ".#", (1, 1), 4, 9),
    ),
]
