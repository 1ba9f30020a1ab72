"""floor and pacer against squall's own target: they end by themselves, and the target saw what they say they did."""
import json
import subprocess
import sys

from harness import Target

floor, pacer = sys.argv[1:]
with Target() as target:
    answer = subprocess.run([floor, "--requests", "1000", "--connections", "8", target.url("/floor")], check=True,
                            capture_output=True, text=True).stdout
    assert json.loads(answer)["requests"] == 1000, answer
    paced = subprocess.run([pacer, "--rate", "1000", "--seconds", "0.2", target.url("/pacer")], check=True,
                           capture_output=True, text=True).stdout
    assert json.loads(paced)["sends"] == 200, paced
    labels = [line["label"] for line in target.stop().log()]
    # floor sends one request before the clock starts, to learn an answer's size.
    assert labels.count("GET /floor") == 1001 and labels.count("GET /pacer") == 200, len(labels)
