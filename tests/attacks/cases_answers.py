"""Rows 88 to 113 and 156 to 158, and more of that kind: answers that are text, and what each is worth.

An answer is never executed. What is right here is right because reading it as a literal gives an equal value.
"""
# fmt: off

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deduced:
    """An answer to "what comes out?"."""

    name: str
    gold: str
    answer: str
    right: bool


@dataclass(frozen=True, slots=True)
class Abduced:
    """An answer to "what went in?"."""

    name: str
    program: str
    gold: str
    answer: str
    right: bool


FENCE = "`" * 3
PLUS_ONE = "def f(x):\n    return x + 1\n"
LIST_1090 = "[" + ", ".join(str(n) for n in range(240)) + "]"
assert len(LIST_1090) == 1_090
LONG = "def f(n):\n    return list(range(n))\n"
LYING = "type('A', (), {'__eq__': lambda self, other: True, '__hash__': None})()"
COMMAND = "__import__('os').system('echo x > @FOLDER@/answer')"

COLLIDING = ", ".join(str(n * (2**61 - 1)) for n in range(1, 2_900))  # all of hash 0

DEDUCED: tuple[Deduced, ...] = tuple(Deduced(*row) for row in (
    ("099 right value in other spacing", "[1, 2, {'a': (3,)}]", " [ 1,2 , {'a':(3,) }]  ", True),
    ("100 wrong value", "2", "3", False),
    ("101 object equal to everything", "2", LYING, False),
    ("102 runs a command", "0", COMMAND, False),
    ("103 calls the program", "2", "f(1)", False),
    ("104 an expression with the right value", "'olleh'", "'hello'[::-1]", False),
    ("105 two strings that are equal as numbers", "'1'", "'1.0'", False),
    ("106 two strings that are equal when evaluated", "'4'", "'2+2'", False),
    ("107 inf", "inf", "inf", True),
    ("107b inf as it may also be written", "inf", "float('inf')", True),
    ("107c inf as a literal too large", "inf", "1e999", True),
    ("107d the other inf", "inf", "-inf", False),
    ("108 nan in a list", "[nan]", "[nan]", True),
    ("108b nan as it may also be written", "[nan]", "[float('nan')]", True),
    ("108c inf - inf is not a literal", "nan", "inf - inf", False),
    ("108d nan equals nothing but nan", "0.0", "nan", False),
    ("109 10**10**10", "1", "10**10**10", False),
    ("110 os._exit", "1", "__import__('os')._exit(3)", False),
    ("111 a huge list", "[]", "[0]*10**11", False),
    ("112 set in other order", "{1, 2, 'a'}", "{'a', 2, 1}", True),
    ("113 nested 3,000 deep", "[]", "[" * 3_000 + "]" * 3_000, False),
    ("113b nested 90,000 deep and never closed", "[]", "[" * 90_000, False),
    ("113c as deep as the golds go", "[" * 50 + "]" * 50, "[" * 50 + "]" * 50, True),
    ("156 set whose members all collide", "{0}", "{" + COLLIDING + "}", False),
    ("156b dict whose keys all collide", "{}", "{" + COLLIDING[:50_000].replace(",", ": 0,") + ": 0}", False),
    ("157 several lines", "[1, 2]", "[\n    1,\n    2,\n]\n", True),
    ("157b trailing comma inside", "(1,)", "(1,)", True),
    ("157c a comma makes a tuple", "1", "1,", False),
    ("157d code fence", "1", f"{FENCE}python\n1\n{FENCE}", False),
    ("157e nested fences", "1", f"{FENCE}\n{FENCE}1{FENCE}\n{FENCE}", False),
    ("157f back-ticks", "1", "`1`", False),
    ("157g two lines, both values", "1", "1\n1", False),
    ("157h two statements", "1", "1; 1", False),
    ("158 integer of 5,000 digits", "1", "1" * 5_000, False),
    ("158b integer of 60,000 digits", "1", "9" * 60_000, False),
    ("158c a long integer in hexadecimal is not slower", "1", "0x" + "f" * 60_000, False),
    # More, in no row of the note. bool, int and float are one number, as in the paper.
    ("a1 True for 1", "1", "True", True),
    ("a2 1 for True", "[True]", "[1]", True),
    ("a3 1.0 for 1", "1", "1.0", True),
    ("a4 True for 2", "2", "True", False),
    ("a5 negative zero", "0.0", "-0.0", True),
    ("a6 complex without an imaginary part", "2", "2+0j", True),
    ("a7 a float that rounds to the same", "0.1", "0.1000000000000000055511151231257827", True),
    ("a8 a float one digit short", "0.30000000000000004", "0.3", False),
    ("a9 an int that a float cannot hold", "10000000000000001", "1e16", False),
    ("b1 str for bytes", "b'a'", "'a'", False),
    ("b2 bytes for str", "'a'", "b'a'", False),
    ("b3 list for tuple", "(1, 2)", "[1, 2]", False),
    ("b4 set for list", "[1]", "{1}", False),
    ("b5 empty dict for empty set", "set()", "{}", False),
    ("b6 empty set", "set()", "set()", True),
    ("b7 frozenset equals set, as in Python", "{1}", "frozenset({1})", True),
    ("b8 None for nothing", "None", "", False),
    ("b9 spaces for nothing", "None", "   \n", False),
    ("c1 full-width digits", "1", "\uff11", False),
    ("c2 superscript digits", "2", "\u00b2", False),
    ("c3 Arabic digits", "1", "\u0661", False),
    ("c4 full-width keyword", "True", "\uff34rue", False),
    ("c5 Cyrillic look-alike in a string", "'a'", "'\u0430'", False),
    ("c6 composed and decomposed letters", "'\u00e9'", "'e\u0301'", False),
    ("c7 full-width letters in a string", "'a'", "'\uff41'", False),
    ("c8 curly quotes", "'a'", "\u2018a\u2019", False),
    ("c9 an invisible letter inside", "'a'", "'a\u200b'", False),
    ("d1 a name", "'a'", "a", False),
    ("d2 an f-string", "'1'", "f'{1}'", False),
    ("d3 an f-string without holes", "'a'", "f'a'", False),
    ("d4 a lambda", "1", "lambda: 1", False),
    ("d5 a walrus", "1", "(x := 1)", False),
    ("d6 a condition", "1", "1 if True else 2", False),
    ("d7 or", "1", "0 or 1", False),
    ("d8 comparison chain", "True", "1 < 2", False),
    ("d9 not", "True", "not False", False),
    ("e1 inversion", "-1", "~0", False),
    ("e2 addition", "3", "1 + 2", False),
    ("e3 real minus real", "1", "3-2", False),
    ("e4 repetition of a string", "'aa'", "'a' * 2", False),
    ("e5 an element", "1", "[1][0]", False),
    ("e6 an attribute", "1", "(1).real", False),
    ("e7 a method", "'A'", "'a'.upper()", False),
    ("e8 int of a text", "1", "int('1')", False),
    ("e9 eval", "1", "eval('1')", False),
    ("f1 a comprehension", "[0, 1]", "[n for n in (0, 1)]", False),
    ("f2 star inside a list", "[1]", "[*[1]]", False),
    ("f3 star inside a dict", "{1: 2}", "{**{1: 2}}", False),
    ("f4 an unhashable member", "set()", "{[]}", False),
    ("f5 an unhashable key", "{}", "{{}: 1}", False),
    ("f6 a generator", "1", "(n for n in [1])", False),
    ("f7 await", "1", "await 1", False),
    ("f8 yield", "1", "(yield 1)", False),
    ("f9 Ellipsis", "None", "...", False),
    ("g1 an assignment", "1", "x = 1", False),
    ("g2 a statement", "None", "pass", False),
    ("g3 a return", "1", "return 1", False),
    ("g4 an import", "None", "import os", False),
    ("g5 a prompt", "1", ">>> 1", False),
    ("g6 words around", "1", "The answer is 1", False),
    ("g7 the answer in quotes", "1", "'1'", False),
    ("g8 the answer in a list", "1", "[1]", False),
    ("g9 several guesses", "1", "0, 1, 2", False),
    ("h1 several guesses in a set", "1", "{0, 1, 2}", False),
    ("h2 a comparison with itself", "True", "x == x", False),
    ("h3 unclosed", "[1]", "[1", False),
    ("h4 closed twice", "1", "1)", False),
    ("h5 breaking out of a call", "1", "1) or (True", False),
    ("h6 breaking out of a string", "'a'", "a' or 'a", False),
    ("h7 NUL inside", "1", "1\x00", False),
    ("h8 a backslash at the end", "1", "2\\", False),
    ("h9 a lone surrogate in the text", "1", "\ud800", False),
    ("i1 a lone surrogate, escaped", "'\\ud800'", "'\\ud800'", True),
    ("i2 escapes", "'ab'", "'\\x61\\u0062'", True),
    ("i3 raw string", "'\\\\n'", "r'\\n'", True),
    ("i4 raw is not cooked", "'\\n'", "r'\\n'", False),
    ("i5 triple quotes", "'ab'", "'''ab'''", True),
    ("i6 an invalid escape is no exception", "'a'", "'\\q'", False),
    ("i7 hexadecimal", "16", "0x10", True),
    ("i8 underscores", "1000", "1_000", True),
    ("i9 octal of old", "8", "010", False),
    ("j1 duplicate keys: the last wins", "{1: 'b'}", "{1: 'a', True: 'b'}", True),
    ("j2 dict in other order", "{1: 2, 3: 4}", "{3: 4, 1: 2}", True),
    ("j3 100,000 spaces", "1", " " * 100_000 + "2", False),
    ("j4 100 KB of string", "'a'", "'" + "a" * 100_000 + "'", False),
    ("j5 60,000 minus signs", "1", "-" * 60_000 + "1", False),
    ("j6 60,000 plus signs and nothing", "1", "+" * 60_000, False),
    ("j7 30,000 attributes", "1", "a" + ".a" * 30_000, False),
    ("j8 30,000 calls", "1", "a" + "()" * 30_000, False),
    ("j9 20,000 terms", "20000", "1" + "+1" * 19_999, False),
    ("k1 a dunder", "1", "__debug__", False),
    ("k2 a builtin type", "1", "int", False),
    ("k3 nan called", "1", "nan(1)", False),
    ("k4 inf with an attribute", "1", "inf.real", False),
    ("k5 float of a number's text", "1.5", "float('1.5')", False),
    ("k6 float with a keyword", "inf", "float(x='inf')", False),
    ("k7 set of a string is not a literal set", "{'a'}", "set(*['a'])", False),
    ("k8 frozenset of a generator", "frozenset({1})", "frozenset(n for n in [1])", False),
    ("k9 print", "None", "print()", False),
))

ABDUCED: tuple[Abduced, ...] = tuple(
    Abduced(name, PLUS_ONE, "6", answer, right) for name, answer, right in (
        ("088 right input", "5", True),
        ("090 wrong input", "4", False),
        ("091 breaks out of the call", "6) or (True", False),
        ("092 print becomes the verdict", "0 if print(True) else 0", False),
        ("093 object equal to everything", LYING, False),
        ("094 runs a command", COMMAND, False),
        ("097 closes the call and comments the rest out", "5)#", False),
        ("157 trailing comma", "5,", True),
        ("157b two lines", "\n5\n", True),
        ("157c code fence", f"{FENCE}\n5\n{FENCE}", False),
        ("158 integer of 5,000 digits", "1" * 5_000, False),
        ("l1 a keyword", "x=5", True),
        ("l2 a keyword that is not there", "y=5", False),
        ("l3 the same argument twice", "5, x=5", False),
        ("l4 the same keyword twice", "x=5, x=5", False),
        ("l5 star", "*[5]", False),
        ("l6 double star", "**{'x': 5}", False),
        ("l7 a second positional", "5, 5", False),
        ("l8 nothing", "", False),
        ("l9 an expression", "2 + 3", False),
        ("m1 a walrus", "x := 5", False),
        ("m2 a walrus in parentheses", "(x := 5)", False),
        ("m3 a lambda with __radd__ in mind", "lambda: 5", False),
        ("m4 nan is not equal to everything", "nan", False),
        ("m5 inf neither", "inf", False),
        ("m6 5.0: 6.0 is equal to 6", "5.0", True),
        ("m7 full-width five", "\uff15", False),
        ("m8 in parentheses", "(5)", True),
        ("m9 as text", "'5'", False),
        ("n1 the call written out", "f(5)", False),
        ("n2 the answer of another task", "gold", False),
        ("n3 statement after a line end", "5)\nraise SystemExit(0)\n(", False),
        ("n4 line end and a comment", "4\n)#", False),
        ("n5 a default argument's name", "self=5", False),
        ("n6 a string with a line end", "'\n'", False),
        ("n7 deep nesting", "[" * 3_000 + "]" * 3_000, False),
        ("n8 exit", "__import__('os')._exit(0)", False),
        ("n9 a generator as the argument", "n for n in [5]", False),
        ("o1 a huge answer", "5" + " " * 100_000, False),
        ("o2 NUL", "5\x00", False),
    )
) + tuple(Abduced(*row) for row in (
    ("089 another input with the same output", "def f(x):\n    return abs(x)\n", "5", "-5", True),
    ("095 gold nan", "def f(x):\n    return x - x\n", "nan", "inf", True),
    ("096 gold is a set", "def f(x):\n    return set(x)\n", "{3, 1, 2}", "[1, 2, 3, 1]", True),
    ("098 gold of 1,090 characters", LONG, LIST_1090, "240", True),
    ("098b one short", LONG, LIST_1090, "239", False),
    ("p1 hangs", "def f(x):\n    while x:\n        pass\n    return 1\n", "1", "2", False),
    ("p2 raises, gold None", "def f(x):\n    return 1 // x\n", "None", "0", False),
    ("p3 leaves, gold empty text", "import os\ndef f(x):\n    os._exit(x)\n", "''", "0", False),
    ("p4 prints the gold", "def f(x):\n    print('6')\n", "6", "6", False),
    ("p5 unserialisable, gold is its repr", "def f(x):\n    return range(x)\n", "'range(0, 3)'", "3", False),
    ("p6 unserialisable, gold is the same list", "def f(x):\n    return range(x)\n", "[0, 1, 2]", "3", False),
    ("p7 too large, gold is its beginning", "def f(n):\n    return 'a' * n\n", "'aaa'", "100000", False),
    ("p8 any argument is right", "def f(*a, **k):\n    return 6\n", "6", "1, z=[2]", True),
    ("p9 gold text that is no value", PLUS_ONE, "5 + 1", "5", False),
    ("q1 gold text that is empty", "def f(x):\n    pass\n", "", "1", False),
    ("q2 the program does not compile", "def f(x:\n", "6", "5", False),
    ("q3 no f", "x = 6\n", "6", "5", False),
    ("q4 a string for a list", "def f(x):\n    return list(x)\n", "['a']", "'a'", True),
    ("q5 bool for int", "def f(x):\n    return x\n", "1", "True", True),
    ("q6 a key that collides", "def f(x):\n    return x[1]\n", "'b'", "{1: 'a', 1.0: 'b'}", True),
    ("q7 unhashable key", "def f(x):\n    return 1\n", "1", "{[]: 1}", False),
))
