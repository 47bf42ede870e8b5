"""Runs PyPI's stix2-matcher and stix2-patterns on vectors and prints their verdicts, one line of JSON each.

Arguments: the vectors. A case with `grammar` goes to stix2-patterns (valid, invalid), any other to stix2-matcher
(match, none, or "no answer" when it raises something or takes more than SECONDS).

    patterns.py VECTORS --measure N PROGRAM   measures N of the patterns instead, beside `PROGRAM pattern eval --batch`
"""

import json
import signal
import subprocess
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
    wanted, program = int(sys.argv[3]), sys.argv[4]
    # Evenly over all that both answer in reasonable time.
    chosen = [c for c in vectors["cases"] if c.get("expected") in ("match", "none") and c["observed"] != "many"]
    chosen = chosen[:: len(chosen) // wanted][:wanted]
    start = time.perf_counter()
    for case in chosen:
        evaluate(case, vectors["observed"][case["observed"]])
    theirs = time.perf_counter() - start
    lines = [
        json.dumps({"pattern": c["pattern"], "observed": vectors["observed"][c["observed"]]["file"]}) for c in chosen
    ]
    start = time.perf_counter()
    answer = subprocess.run(
        [program, "pattern", "eval", "--batch", "-"],
        input="\n".join(lines * 100).encode(),
        stdout=subprocess.DEVNULL,
    )
    ours = (time.perf_counter() - start) / 100
    assert answer.returncode == 0, answer
    print(json.dumps({"patterns": len(chosen), "stix2-matcher": len(chosen) / theirs, "shieldwall": len(chosen) / ours}))
    sys.exit()
for case in vectors["cases"]:
    if "grammar" in case:
        verdict = grammar(case)
    else:
        verdict = evaluate(case, vectors["observed"][case["observed"]])
    print(json.dumps({"id": case["id"], "verdict": verdict}))
