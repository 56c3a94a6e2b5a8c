"""The contest's protocol (bench/child.ts): a line of JSON in, a line of JSON out."""

import json
import os
import sys
import traceback


def serve(answers):
    """`answers` maps what is asked (`do`) to a function of the request that returns what to answer."""
    # libraries print progress: stdout is the parent's, theirs goes to stderr
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": answers[request["do"]](request)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        out.write(json.dumps(answer) + "\n")
        out.flush()
