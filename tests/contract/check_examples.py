"""Every block of C in docs/plugin.md stands in the template as it is: check_examples.py PLUGIN.md TEMPLATE.c"""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as page, open(sys.argv[2], encoding="utf-8") as source:
    text, template = page.read(), source.read()
blocks = re.findall(r"^```c\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
missing = [block for block in blocks if block not in template]
for block in missing:
    print(f"not in {sys.argv[2]}:\n{block}")
if not blocks:
    print(f"no example found in {sys.argv[1]}")
sys.exit(1 if missing or not blocks else 0)
