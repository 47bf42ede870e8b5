"""Verdicts of the OASIS reference library `stix2` on a corpus of STIX objects.

Reads files of JSON lines, each with "case" and "object"; writes one JSON line a case: the case, whether stix2 accepts
the object (custom content allowed), and what it says if not. What the verdicts mean beside ours is told by
crates/exchange/tests/stix2_compare.rs.

    python scripts/stix2-compare.py crates/exchange/tests/data/valid.jsonl crates/exchange/tests/data/invalid.jsonl
"""

import json
import sys
import warnings

import stix2


def verdict(thing):
    """None if stix2 takes the object, else what it says."""
    try:
        stix2.parse(thing, allow_custom=True)
    except Exception as error:  # Whatever it raises is a refusal; some are plain KeyError or AttributeError.
        return f"{type(error).__name__}: {error}"[:300]
    return None


def main(files):
    warnings.simplefilter("ignore")
    for name in files:
        with open(name, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                said = verdict(row["object"])
                print(json.dumps({"case": row["case"], "accepted": said is None, "said": said}))


if __name__ == "__main__":
    print(json.dumps({"stix2": stix2.__version__}))
    main(sys.argv[1:])
