"""Runs PyPI's stix2-matcher and stix2-patterns on vectors and prints their verdicts, one line of JSON each.

Arguments: the vectors. A case with `grammar` goes to stix2-patterns (valid, invalid), any other to stix2-matcher
(match, none, or "no answer" when it raises something or takes more than SECONDS).

    patterns.py VECTORS --measure N   times N patterns of the vectors on their observed data instead
"""

import json
import signal
import sys
import time
import warnings

from stix2matcher.matcher import match
from stix2patterns.validator import validate

SECONDS = 5
warnings.filterwarnings("ignore")


class Late(BaseException):
    pass


def late(*_):
    raise Late


def grammar(case):
    # The validator itself breaks on an empty text.
    try:
        return "valid" if validate(case["pattern"], "2.1") else "invalid"
    except UnboundLocalError:
        return "invalid"


def evaluate(case, observed):
    # It changes what it is given.
    file = json.loads(json.dumps(observed["file"]))
    signal.alarm(SECONDS)
    try:
        return "match" if match(case["pattern"], file, False, observed["version"]) else "none"
    except (Late, Exception):
        return "no answer"
    finally:
        signal.alarm(0)


vectors = json.load(open(sys.argv[1], encoding="utf-8"))
signal.signal(signal.SIGALRM, late)
if sys.argv[2:3] == ["--measure"]:
    chosen = [case for case in vectors["cases"] if case.get("measured")][: int(sys.argv[3])]
    start = time.perf_counter()
    for case in chosen:
        evaluate(case, vectors["observed"][case["observed"]])
    print(json.dumps({"patterns": len(chosen), "seconds": time.perf_counter() - start}))
    sys.exit()
for case in vectors["cases"]:
    if "grammar" in case:
        verdict = grammar(case)
    else:
        verdict = evaluate(case, vectors["observed"][case["observed"]])
    print(json.dumps({"id": case["id"], "verdict": verdict}))
