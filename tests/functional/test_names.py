"""The borders between the parts, as the source has them: core names no protocol under test, a protocol sees nothing of
the core but the public headers, and what only one file may touch is touched by that file."""
import glob
import os
import re

from harness import main

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PUBLIC = {"squall/plugin.h", "squall/server.h", "squall/importer.h"}


def sources(folder):
    found = [path for path in glob.glob(os.path.join(ROOT, folder, "**", "*"), recursive=True)
             if path.endswith((".c", ".h", ".cc", ".cpp", ".txt", ".cmake"))]
    assert found, f"nothing to look at in {folder}: the test is broken"
    return sorted(found)


def lines_of(path):
    with open(path, encoding="utf-8") as text:
        yield from enumerate(text.read().splitlines(), 1)


def includes_of(path):
    for number, line in lines_of(path):
        found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if found:
            yield number, found.group(1), found.group(2)


def rooms():
    found = [os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(ROOT, "protocols/*/CMakeLists.txt"))]
    assert "http" in found, found
    return sorted(found)


def protocols_named(text, names):
    """Names in a text; the scheme of a URL is an address and names nothing."""
    return re.findall("|".join(names), re.sub(r"https?://", "", text), re.IGNORECASE)


def report(problems):
    assert not problems, "\n" + "\n".join(problems)


def test_core_names_no_protocol():
    # "null" is a word of C as well; that protocol is ours and speaks to nobody.
    names = sorted({"http", "grpc", "mqtt", *rooms()} - {"null"})
    assert protocols_named("an Http2 frame", names) == ["Http"]
    assert protocols_named("see https://127.0.0.1/", names) == []
    report([f"{path}:{number}: names a protocol under test: {line.strip()}"
            for path in sources("core") for number, line in lines_of(path) if protocols_named(line, names)])
    report([f"{path}: its name names a protocol under test" for path in sources("core")
            if protocols_named(os.path.relpath(path, ROOT), names)])


def test_core_includes_only_core():
    problems = []
    for path in sources("core"):
        for number, kind, name in includes_of(path):
            if kind == '"' and not os.path.isfile(os.path.join(ROOT, "core", name)):
                problems.append(f'{path}:{number}: "{name}" is not a header of core')
            if kind == "<" and name.startswith("squall/") and name not in PUBLIC:
                problems.append(f"{path}:{number}: <{name}> is not a public header")
    report(problems)


def test_protocols_see_only_the_public_headers():
    problems = []
    core = {os.path.relpath(path, os.path.join(ROOT, "core")) for path in sources("core")}
    for folder in [f"protocols/{room}" for room in rooms()] + ["plugins/template"]:
        for path in sources(folder):
            for number, kind, name in includes_of(path):
                own = os.path.isfile(os.path.join(os.path.dirname(path), name))
                if kind == '"' and (not own or "/" in name):
                    problems.append(f'{path}:{number}: "{name}" is not of its own room')
                if kind == "<" and (name in core or (name.startswith("squall/") and name not in PUBLIC)):
                    problems.append(f"{path}:{number}: <{name}> belongs to the core")
            if path.endswith("CMakeLists.txt"):
                problems += [f"{path}:{number}: reaches into the core: {line.strip()}" for number, line in lines_of(path)
                             if re.search(r"squall_core|\bcore/", line.split("#")[0])]
    report(problems)


def test_files_are_read_at_a_sitting():
    """No file of the source is so long that nobody knows what is in it: 600 lines at most."""
    report([f"{path}: has {count} lines: split it by what it is for" for folder in ("core", "protocols", "plugins")
            for path in sources(folder) if (count := sum(1 for _ in lines_of(path))) > 600])


def test_public_headers_stand_alone():
    problems = []
    for path in sources("plugins/include"):
        for number, kind, name in includes_of(path):
            if kind == '"' or name not in PUBLIC | {"stddef.h", "stdint.h"}:
                problems.append(f"{path}:{number}: includes {name}")
    report(problems)


def test_engine_room_doors():
    """One file each for the event loop library and for loading shared objects, so that either can be replaced."""
    for pattern, owner in ((r"#\s*include\s*<ev\.h>", "core/engine/loop.c"), (r"\bdlopen\s*\(", "core/engine/protocol.c")):
        users = {os.path.relpath(path, ROOT) for path in sources("core")
                 if any(re.search(pattern, line) for _, line in lines_of(path))}
        assert users == {owner}, f"{pattern}: in {users}, wanted {owner} alone"


def test_layers():
    """Which folder of core may look into which: the direction of docs/architecture.md."""
    allowed = {
        "base": set(),
        "script": {"base"},
        "schedule": {"base"},
        "metrics": {"base", "scenario"},
        "scenario": {"base", "schedule", "metrics", "engine", "script"},
        "engine": {"base", "metrics", "scenario", "schedule", "script"},
        "cluster": {"base", "metrics", "scenario", "engine"},
        "report": {"base", "metrics", "scenario", "engine"},
        "target": {"base", "engine"},
        "cli": {"base", "scenario", "engine", "cluster", "report", "target"},
    }
    # Where two folders look into each other, the door is these headers and no other.
    doors = {("scenario", "engine"): {"engine/protocol.h"}, ("metrics", "scenario"): {"scenario/scenario.h"},
             ("report", "engine"): {"engine/protocol.h", "engine/protocol_rows.h"},
             ("target", "engine"): {"engine/loop.h"}}
    problems = []
    for path in sources("core"):
        folder = os.path.relpath(path, os.path.join(ROOT, "core")).split(os.sep)[0]
        for number, kind, name in includes_of(path):
            other = name.split("/")[0]
            if kind != '"' or other == folder:
                continue
            if other not in allowed[folder] or name not in doors.get((folder, other), {name}):
                problems.append(f"{path}:{number}: {folder} includes {name}")
    report(problems)


if __name__ == "__main__":
    main(globals())
