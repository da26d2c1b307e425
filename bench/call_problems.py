"""Forty problems with function calls, in the manner of LeetCode: plain functions and methods of `class Solution`."""

from __future__ import annotations

import random
import string
from typing import Any

from .problem import Problem

Rng = random.Random


def _numbers(rng: Rng, low: int, high: int, least: int = 4, most: int = 20) -> list[int]:
    return [rng.randint(low, high) for _ in range(rng.randint(least, most))]


def _word(rng: Rng, letters: str = "abcd", least: int = 3, most: int = 14) -> str:
    return "".join(rng.choice(letters) for _ in range(rng.randint(least, most)))


def _words(rng: Rng, letters: str = "abc", least: int = 4, most: int = 10, length: int = 4) -> list[str]:
    return [_word(rng, letters, 2, length) for _ in range(rng.randint(least, most))]


def _matrix(rng: Rng, low: int = 0, high: int = 9, square: bool = False) -> list[list[int]]:
    rows = rng.randint(3, 5)
    columns = rows if square else rng.randint(3, 6)
    return [[rng.randint(low, high) for _ in range(columns)] for _ in range(rows)]


def _with_pair(rng: Rng) -> list[Any]:
    values = rng.sample(range(1, 60), rng.randint(5, 15))
    first, second = rng.sample(range(len(values)), 2)
    return [values, values[first] + values[second]]


def _twice_but_one(rng: Rng) -> list[Any]:
    values = rng.sample(range(50), rng.randint(3, 9))
    doubled = values + values[1:]
    rng.shuffle(doubled)
    return [doubled]


def _with_majority(rng: Rng) -> list[Any]:
    others = [rng.randint(10, 20) for _ in range(rng.randint(3, 8))]
    values = others + [rng.randint(1, 9)] * (len(others) + 1)
    rng.shuffle(values)
    return [values]


def _bits(rng: Rng) -> list[Any]:
    return [[[rng.choice("01") for _ in range(5)] for _ in range(4)]]


def _sentence(rng: Rng) -> list[Any]:
    parts = rng.sample(["code", "sand", "and", "cat", "cats", "dog", "apple", "pen"], 4)
    text = "".join(rng.choice(parts) for _ in range(rng.randint(2, 5)))
    return [text if rng.random() < 0.5 else "x" + text, parts]


def _spans(rng: Rng) -> list[Any]:
    return [[[start, start + rng.randint(0, 8)] for start in _numbers(rng, 0, 30, 4, 9)]]


PROBLEMS = [
    Problem(
        "two_sum",
        """
from typing import List

class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
        seen = {}
        for i, x in enumerate(nums):
            if target - x in seen:
                return [seen[target - x], i]
            seen[x] = i
        return []
""",
        ("return [seen[target - x], i]", "return [i, seen[target - x]]"),
        _with_pair,
        "twoSum",
    ),
    Problem(
        "number_palindrome",
        """
def is_palindrome(x):
    s = str(x)
    return s == s[::-1]
""",
        ("s == s[::-1]", "s[0] == s[-1]"),
        lambda rng: [rng.choice((-121, 12321, 1201, 1221, 36543, 717, 2342))],
        "is_palindrome",
    ),
    Problem(
        "roman_to_int",
        """
class Solution:
    def romanToInt(self, s: str) -> int:
        value = {'I': 1, 'V': 5, 'X': 10, 'L': 50, 'C': 100, 'D': 500, 'M': 1000}
        total = 0
        for a, b in zip(s, s[1:] + 'I'):
            if value[a] < value[b]:
                total -= value[a]
            else:
                total += value[a]
        return total
""",
        ("total -= value[a]", "total += value[a]"),
        lambda rng: [rng.choice(("MCMXCIV", "XIV", "CDXLIV", "XC", "IX"))],
        "romanToInt",
    ),
    Problem(
        "common_prefix",
        """
import os

def longest_common_prefix(words):
    return os.path.commonprefix(words)
""",
        ("os.path.commonprefix(words)", "os.path.commonprefix(words)[:1]"),
        lambda rng: (lambda start: [[start + _word(rng) for _ in range(4)]])(_word(rng, least=3)),
        "longest_common_prefix",
    ),
    Problem(
        "valid_parentheses",
        """
class Solution:
    def isValid(self, s: str) -> bool:
        stack = []
        for c in s:
            if c in '([{':
                stack.append(c)
            elif not stack or stack.pop() + c not in ('()', '[]', '{}'):
                return False
        return not stack
""",
        ("return not stack", "return True"),
        lambda rng: [rng.choice(("((", "([]", "{[]}", "()[", "()")) + rng.choice(("", "()", "[]"))],
        "isValid",
    ),
    Problem(
        "remove_duplicates",
        """
def remove_duplicates(nums):
    result = []
    for x in sorted(nums):
        if not result or result[-1] != x:
            result.append(x)
    return result
""",
        ("sorted(nums)", "nums"),
        lambda rng: [_numbers(rng, 0, 9, 8)],
        "remove_duplicates",
    ),
    Problem(
        "search_insert",
        """
from bisect import bisect_left
from typing import List

class Solution:
    def searchInsert(self, nums: List[int], target: int) -> int:
        return bisect_left(nums, target)
""",
        ("return bisect_left(nums, target)", "return bisect_left(nums, target + 1)"),
        lambda rng: (lambda values: [values, rng.choice(values)])(sorted(rng.sample(range(50), 9))),
        "searchInsert",
    ),
    Problem(
        "plus_one",
        """
from typing import List

class Solution:
    def plusOne(self, digits: List[int]) -> List[int]:
        for i in range(len(digits) - 1, -1, -1):
            if digits[i] < 9:
                digits[i] += 1
                return digits
            digits[i] = 0
        return [1] + digits
""",
        ("digits[i] = 0", "digits[i] = 1"),
        lambda rng: [[*_numbers(rng, 0, 9, 2, 6), 9]],
        "plusOne",
    ),
    Problem(
        "climb_stairs",
        """
from functools import lru_cache

@lru_cache(None)
def climb_stairs(n):
    return 1 if n < 2 else climb_stairs(n - 1) + climb_stairs(n - 2)
""",
        ("n < 2", "n < 3"),
        lambda rng: [rng.randint(3, 40)],
        "climb_stairs",
    ),
    Problem(
        "merge_sorted",
        """
import heapq

def merge(a, b):
    return list(heapq.merge(a, b))
""",
        ("list(heapq.merge(a, b))", "a + b"),
        lambda rng: [sorted(_numbers(rng, 5, 40)), sorted(_numbers(rng, 0, 30))],
        "merge",
    ),
    Problem(
        "single_number",
        """
from functools import reduce
from operator import xor
from typing import List

class Solution:
    def singleNumber(self, nums: List[int]) -> int:
        return reduce(xor, nums)
""",
        ("reduce(xor, nums)", "nums[0]"),
        _twice_but_one,
        "singleNumber",
    ),
    Problem(
        "max_profit",
        """
from typing import List

class Solution:
    def maxProfit(self, prices: List[int]) -> int:
        low, best = prices[0], 0
        for p in prices:
            low = min(low, p)
            best = max(best, p - low)
        return best
""",
        ("low = min(low, p)", "low = min(low, prices[-1])"),
        lambda rng: [_numbers(rng, 1, 99, 8)],
        "maxProfit",
    ),
    Problem(
        "majority",
        """
def majority(nums):
    candidate, count = None, 0
    for x in nums:
        if count == 0:
            candidate = x
        count += 1 if x == candidate else -1
    return candidate
""",
        ("else -1", "else 0"),
        _with_majority,
        "majority",
    ),
    Problem(
        "contains_duplicate",
        """
from typing import List

class Solution:
    def containsNearbyDuplicate(self, nums: List[int], k: int) -> bool:
        last = {}
        for i, x in enumerate(nums):
            if x in last and i - last[x] <= k:
                return True
            last[x] = i
        return False
""",
        ("i - last[x] <= k", "i - last[x] < 0"),
        lambda rng: [
            [*_numbers(rng, 0, 99), 3, 3, *_numbers(rng, 0, 99, 0, 3)][: rng.randint(6, 30)],
            rng.randint(1, 3),
        ],
        "containsNearbyDuplicate",
    ),
    Problem(
        "product_except_self",
        """
from itertools import accumulate
from operator import mul

def products(nums):
    left = [1, *accumulate(nums[:-1], mul)]
    right = [*accumulate(nums[:0:-1], mul)][::-1] + [1]
    return [a * b for a, b in zip(left, right)]
""",
        ("nums[:0:-1]", "nums[::-1]"),
        lambda rng: [_numbers(rng, 2, 9, 4, 10)],
        "products",
    ),
    Problem(
        "group_anagrams",
        """
from collections import defaultdict
from typing import List

class Solution:
    def groupAnagrams(self, strs: List[str]) -> List[List[str]]:
        groups = defaultdict(list)
        for s in strs:
            groups[tuple(sorted(s))].append(s)
        return sorted(map(sorted, groups.values()))
""",
        ("tuple(sorted(s))", "len(s)"),
        lambda rng: [_words(rng, "ab", 8, 14)],
        "groupAnagrams",
    ),
    Problem(
        "top_k",
        """
from collections import Counter

def top_k(words, k):
    return [w for w, _ in sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))[:k]]
""",
        ("(-item[1], item[0])", "(item[1], item[0])"),
        lambda rng: [[*_words(rng, "ab", 12, 25, 3), "aa", "aa"], rng.randint(1, 3)],
        "top_k",
    ),
    Problem(
        "longest_consecutive",
        """
from typing import List

class Solution:
    def longestConsecutive(self, nums: List[int]) -> int:
        s = set(nums)
        best = 0
        for x in s:
            if x - 1 not in s:
                y = x
                while y + 1 in s:
                    y += 1
                best = max(best, y - x + 1)
        return best
""",
        ("best = max(best, y - x + 1)", "best = max(best, y - x)"),
        lambda rng: [_numbers(rng, 0, rng.randint(10, 30), 10)],
        "longestConsecutive",
    ),
    Problem(
        "three_sum",
        """
from typing import List

class Solution:
    def threeSum(self, nums: List[int]) -> List[List[int]]:
        nums.sort()
        found = set()
        for i, x in enumerate(nums):
            l, r = i + 1, len(nums) - 1
            while l < r:
                total = x + nums[l] + nums[r]
                if total == 0:
                    found.add((x, nums[l], nums[r]))
                    l += 1
                elif total < 0:
                    l += 1
                else:
                    r -= 1
        return sorted(map(list, found))
""",
        ("if total == 0:", "if total == 1:"),
        lambda rng: [[*_numbers(rng, -6, 6, 8), -2, 0, 2]],
        "threeSum",
    ),
    Problem(
        "most_water",
        """
def max_area(height):
    l, r, best = 0, len(height) - 1, 0
    while l < r:
        best = max(best, (r - l) * min(height[l], height[r]))
        if height[l] < height[r]:
            l += 1
        else:
            r -= 1
    return best
""",
        ("min(height[l], height[r])", "max(height[l], height[r])"),
        lambda rng: [_numbers(rng, 1, 30, 6)],
        "max_area",
    ),
    Problem(
        "rotate_image",
        """
from typing import List

class Solution:
    def rotate(self, matrix: List[List[int]]) -> List[List[int]]:
        return [list(row) for row in zip(*matrix[::-1])]
""",
        ("matrix[::-1]", "matrix"),
        lambda rng: [_matrix(rng, 0, 99, square=True)],
        "rotate",
    ),
    Problem(
        "set_zeroes",
        """
from typing import List

class Solution:
    def setZeroes(self, matrix: List[List[int]]) -> List[List[int]]:
        rows = {i for i, row in enumerate(matrix) if 0 in row}
        columns = {j for row in matrix for j, x in enumerate(row) if x == 0}
        return [[0 if i in rows or j in columns else x for j, x in enumerate(row)] for i, row in enumerate(matrix)]
""",
        ("if i in rows or j in columns else", "if i in rows and j in columns else"),
        lambda rng: [[[0, *row] if number == 0 else [1, *row] for number, row in enumerate(_matrix(rng, 1, 5))]],
        "setZeroes",
    ),
    Problem(
        "generate_parentheses",
        """
def generate(n):
    if n == 0:
        return ['']
    return sorted('(' + a + ')' + b for k in range(n) for a in generate(k) for b in generate(n - 1 - k))
""",
        ("'(' + a + ')' + b", "'(' + a + b + ')'"),
        lambda rng: [rng.randint(2, 6)],
        "generate",
    ),
    Problem(
        "permutations",
        """
from itertools import permutations
from typing import List

class Solution:
    def permute(self, nums: List[int]) -> List[List[int]]:
        return [list(p) for p in permutations(sorted(nums))]
""",
        ("permutations(sorted(nums))", "permutations(sorted(nums), 2)"),
        lambda rng: [rng.sample(range(20), rng.randint(3, 4))],
        "permute",
    ),
    Problem(
        "subsets",
        """
from typing import List

class Solution:
    def subsets(self, nums: List[int]) -> List[List[int]]:
        res = []

        def go(i, path):
            if i == len(nums):
                res.append(path[:])
                return
            go(i + 1, path)
            path.append(nums[i])
            go(i + 1, path)
            path.pop()

        go(0, [])
        return res
""",
        ("res.append(path[:])", "res.append(path)"),
        lambda rng: [rng.sample(range(20), rng.randint(3, 5))],
        "subsets",
    ),
    Problem(
        "combination_sum",
        """
from typing import List

class Solution:
    def combinationSum(self, candidates: List[int], target: int) -> List[List[int]]:
        res = []
        candidates.sort()

        def dfs(start, path, left):
            if left == 0:
                res.append(list(path))
            for i in range(start, len(candidates)):
                if candidates[i] > left:
                    break
                dfs(i, path + [candidates[i]], left - candidates[i])

        dfs(0, [], target)
        return res
""",
        ("dfs(i, path", "dfs(i + 1, path"),
        lambda rng: [rng.sample(range(2, 8), 3), rng.randint(12, 16)],
        "combinationSum",
    ),
    Problem(
        "word_break",
        """
def word_break(s, words):
    ok = [True] + [False] * len(s)
    for i in range(1, len(s) + 1):
        ok[i] = any(s.endswith(w, 0, i) and ok[i - len(w)] for w in words)
    return ok[-1]
""",
        ("and ok[i - len(w)]", "and i > 3"),
        _sentence,
        "word_break",
    ),
    Problem(
        "unique_paths",
        """
from math import comb

class Solution:
    def uniquePaths(self, m: int, n: int) -> int:
        return comb(m + n - 2, m - 1)
""",
        ("comb(m + n - 2, m - 1)", "comb(m + n, m)"),
        lambda rng: [rng.randint(2, 15), rng.randint(2, 15)],
        "uniquePaths",
    ),
    Problem(
        "min_path_sum",
        """
from typing import List

class Solution:
    def minPathSum(self, grid: List[List[int]]) -> int:
        best = None
        for row in grid:
            new = []
            for j, x in enumerate(row):
                ways = ([new[-1]] if new else []) + ([best[j]] if best else [])
                new.append(x + (min(ways) if ways else 0))
            best = new
        return best[-1]
""",
        ("min(ways)", "ways[0]"),
        lambda rng: [_matrix(rng, 1, 30)],
        "minPathSum",
    ),
    Problem(
        "jump_game",
        """
from typing import List

class Solution:
    def jump(self, nums: List[int]) -> int:
        steps = end = far = 0
        for i in range(len(nums) - 1):
            far = max(far, i + nums[i])
            if i == end:
                steps += 1
                end = far
        return steps
""",
        ("end = far\n", "end = i + nums[i]\n"),
        lambda rng: [[2, 4, *_numbers(rng, 1, 4, 8)]],
        "jump",
    ),
    Problem(
        "house_robber",
        """
def rob(nums):
    take = skip = 0
    for x in nums:
        take, skip = skip + x, max(take, skip)
    return max(take, skip)
""",
        ("max(take, skip)\n    return", "take\n    return"),
        lambda rng: [[50, *_numbers(rng, 1, 9, 2, 3), 40, *_numbers(rng, 1, 9, 2, 2), 60]],
        "rob",
    ),
    Problem(
        "coin_change",
        """
from functools import cache
from typing import List

class Solution:
    def coinChange(self, coins: List[int], amount: int) -> int:
        @cache
        def least(left):
            if left <= 0:
                return 0 if left == 0 else float('inf')
            return 1 + min(least(left - c) for c in coins)

        answer = least(amount)
        return -1 if answer == float('inf') else answer
""",
        ("for c in coins)", "for c in coins[:2])"),
        lambda rng: [[1, *sorted(rng.sample(range(5, 9), 2))], rng.randint(21, 60)],
        "coinChange",
    ),
    Problem(
        "longest_unique",
        """
class Solution:
    def lengthOfLongestSubstring(self, s: str) -> int:
        start, best, last = 0, 0, {}
        for i, c in enumerate(s):
            if c in last and last[c] >= start:
                start = last[c] + 1
            last[c] = i
            best = max(best, i - start + 1)
        return best
""",
        ("i - start + 1", "i - start"),
        lambda rng: [_word(rng, string.ascii_lowercase[:8], 6, 20)],
        "lengthOfLongestSubstring",
    ),
    Problem(
        "decode_ways",
        """
def num_decodings(s):
    a, b = 0, 1
    for i, c in enumerate(s):
        total = b if c != '0' else 0
        if i and '10' <= s[i - 1:i + 1] <= '26':
            total += a
        a, b = b, total
    return b
""",
        ("<= '26'", "<= '19'"),
        lambda rng: [_word(rng, "12", 3, 9) + "21"],
        "num_decodings",
    ),
    Problem(
        "spiral_order",
        """
from typing import List

class Solution:
    def spiralOrder(self, matrix: List[List[int]]) -> List[int]:
        out = []
        while matrix:
            out.extend(matrix.pop(0))
            matrix = [list(row) for row in zip(*matrix)][::-1]
        return out
""",
        ("[::-1]", ""),
        lambda rng: [_matrix(rng, 0, 99)],
        "spiralOrder",
    ),
    Problem(
        "num_islands",
        """
from collections import deque
from typing import List

class Solution:
    def numIslands(self, grid: List[List[str]]) -> int:
        rows, columns, count = len(grid), len(grid[0]), 0
        for i in range(rows):
            for j in range(columns):
                if grid[i][j] == '1':
                    count += 1
                    queue = deque([(i, j)])
                    grid[i][j] = '0'
                    while queue:
                        r, c = queue.popleft()
                        for a, b in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                            if 0 <= a < rows and 0 <= b < columns and grid[a][b] == '1':
                                grid[a][b] = '0'
                                queue.append((a, b))
        return count
""",
        ("queue = deque([(i, j)])", "queue = deque()"),
        _bits,
        "numIslands",
    ),
    Problem(
        "trapped_rain",
        """
from itertools import accumulate

def trap(height):
    left = list(accumulate(height, max))
    right = list(accumulate(reversed(height), max))[::-1]
    return sum(min(a, b) - h for a, b, h in zip(left, right, height))
""",
        ("min(a, b) - h", "max(a, b) - h"),
        lambda rng: [_numbers(rng, 0, 9, 8)],
        "trap",
    ),
    Problem(
        "daily_temperatures",
        """
from typing import List

class Solution:
    def dailyTemperatures(self, temperatures: List[int]) -> List[int]:
        res = [0] * len(temperatures)
        stack = []
        for i, t in enumerate(temperatures):
            while stack and temperatures[stack[-1]] < t:
                j = stack.pop()
                res[j] = i - j
            stack.append(i)
        return res
""",
        ("while stack and", "if stack and"),
        lambda rng: [[50, 40, 30, 60, *_numbers(rng, 30, 99, 6)]],
        "dailyTemperatures",
    ),
    Problem(
        "moving_average",
        """
from collections import deque

def moving_average(values, size):
    window = deque(maxlen=size)
    out = []
    for v in values:
        window.append(v)
        out.append(sum(window) / len(window))
    return out
""",
        ("/ len(window)", "/ size"),
        lambda rng: [_numbers(rng, 1, 99), 3],
        "moving_average",
    ),
    Problem(
        "merge_intervals",
        """
from typing import List

class Solution:
    def merge(self, intervals: List[List[int]]) -> List[List[int]]:
        res = []
        for start, end in sorted(intervals):
            if res and res[-1][1] >= start:
                res[-1][1] = max(res[-1][1], end)
            else:
                res.append([start, end])
        return res
""",
        ("sorted(intervals)", "intervals"),
        lambda rng: [[*_spans(rng)[0], [40, 45], [0, 1]]],
        "merge",
    ),
]
