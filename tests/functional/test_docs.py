"""The README and docs/ against the program: commands run, examples load, links lead somewhere, tables say what the
program says, and files and functions that are named exist.

In ```sh blocks every line that begins with `squall ` is tried. Runs of at most RUN_S are run, longer ones are checked
(`squall check` takes the same arguments); `# exit N` behind a command names another exit code than 0.
"""
import glob
import os
import re
import shlex
import subprocess

from harness import Target, main, scratch, squall

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
RUN_S = 3
UNTRUSTED = 98  # a busy machine is no error of the docs
PAGES = [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "docs", "*.md"))),
         *sorted(glob.glob(os.path.join(ROOT, "plugins", "*", "README.md")))]


def page(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as text:
        return text.read()


def fences(text):
    """(language, body) of each fenced block."""
    return re.findall(r"^```([a-z]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def prose(text):
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def rows(text, heading):
    """The first table under a heading, without its head: a list of cells a row."""
    section = re.split(r"^#+ ", text.split(heading + "\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert len(lines) > 2, f"no table under {heading}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def anchors(text):
    """As the usual renderers make them from headings."""
    made = set()
    for heading in re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE):
        made.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return made


def report(problems):
    assert not problems, "\n" + "\n".join(problems)


def test_links():
    problems = []
    for path in PAGES:
        text = page(path)
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
            if "://" in link:
                continue
            file, _, anchor = link.partition("#")
            there = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if not os.path.exists(there):
                problems.append(f"{path}: {link} leads nowhere")
            elif anchor and anchor not in anchors(page(there)):
                problems.append(f"{path}: {link}: there is no such heading")
    report(problems)


def test_files_named_exist():
    problems = []
    for path in PAGES:
        for name in re.findall(r"`((?:core|tests|protocols|plugins|docs|scenarios)/[\w./*-]+)`", prose(page(path))):
            if not re.search(r"\b[A-Z]{2,}\b(?!\.)", name) and not glob.glob(os.path.join(ROOT, name)):  # NAME stands for any
                problems.append(f"{path}: names {name}, which does not exist")
    report(problems)


def test_source_files_named_exist():
    """Those named without their folder, too."""
    there = {os.path.basename(path) for folder in ("core", "protocols", "plugins", "tests")
             for path in glob.glob(os.path.join(ROOT, folder, "**", "*.*"), recursive=True)}
    problems = []
    for path in PAGES:
        for name in re.findall(r"`([\w-]+\.(?:c|h|py|cmake))`", prose(page(path))):
            if name not in there:
                problems.append(f"{path}: names {name}, which does not exist")
    report(problems)


def test_functions_named_exist():
    words = set()
    for folder in ("core", "protocols", "plugins", "tests"):
        for path in glob.glob(os.path.join(ROOT, folder, "**", "*.[ch]"), recursive=True):
            words |= set(re.findall(r"\w+", page(path)))
    problems = []
    for path in PAGES:
        for name in re.findall(r"`(\w+)\(\)`", prose(page(path))):
            if name not in words and name not in ("uuid",):  # a function of the scenario language
                problems.append(f"{path}: names {name}(), which is nowhere in the source")
    report(problems)


def options_of(*command):
    process = squall(*command, "--help")
    assert process.returncode == 0, process.err
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", process.out))


def test_options_exist():
    """Options that prose names in backticks are options of the program (or of the tools of this project)."""
    known = {"--help", "--version", "--list", "--tests"} | options_of("run", "http://127.0.0.1/") | options_of("run", "grpc://127.0.0.1/") \
        | options_of("run", "mqtt://127.0.0.1/") | options_of("target") | options_of("target", "grpc") | options_of("check")
    for script in ("compare", "grpc", "h2", "mqtt", "verdict"):
        known |= set(re.findall(r'"(--[a-z-]+)"', page(f"tests/bench/{script}")))
    problems = []
    for path in PAGES:
        for code in re.findall(r"`([^`\n]+)`", prose(page(path))):
            if code.startswith(("cmake", "ctest", "nginx", "taskset", "protoc")):
                continue
            # A plugin of one's own, such as the template, has flags of its own.
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code):
                if option not in known and not path.endswith(("plugin.md", os.path.join("template", "README.md"))):
                    problems.append(f"{path}: {option} is no option")
    report(problems)


def test_option_table():
    """Every option of `squall run` has a row in docs/cli.md, and every row is an option."""
    written = set()
    for row in rows(page("docs/cli.md"), "### squall run"):
        written |= set(re.findall(r"`(?:-\w`, `)?(--[a-z-]+)", row[0]))
    assert written == options_of("run") - {"--help"}, written ^ (options_of("run") - {"--help"})


def test_packages_listed():
    """The README's row of Debian is what tests/packages installs: no more and no less."""
    listed = subprocess.run([os.path.join(ROOT, "tests", "packages"), "--list"], capture_output=True, text=True, check=True, timeout=20)
    row, = [line for line in page("README.md").splitlines() if line.startswith("| Debian 12")]
    named = {word for code in re.findall(r"`([^`]+)`", row) for word in code.split()}
    installed = set(listed.stdout.split())
    assert named == installed, (sorted(named - installed), sorted(installed - named))


def test_exit_codes():
    said = dict(re.findall(r"^ +(\d+)  (.+)$", squall("help").out, re.MULTILINE))
    assert len(said) >= 8, said
    for name in PAGES:
        text = page(name)
        if "## Exit codes\n" not in text:
            continue
        written = dict(rows(text, "## Exit codes"))
        assert list(written) == list(said), f"{name}: codes {list(written)}, the program has {list(said)}"
        for code, meaning in said.items():
            rest = written[code].removeprefix(meaning)
            assert rest != written[code] and (not rest or rest[0] in ";:,"), \
                f"{name}: {code} is {written[code]!r}, the program says {meaning!r}"


def test_commands_listed():
    said = set(re.findall(r"^  squall (\w+)", squall("help").out, re.MULTILINE))
    written = set(re.findall(r"^\| `squall (\w+)", page("docs/cli.md"), re.MULTILINE))
    assert said == written, said ^ written


def test_scenarios_load():
    """docs/scenario.md has a test of its own, which completes its fragments."""
    count = 0
    for path in PAGES:
        if path.endswith("scenario.md"):
            continue
        for index, (language, body) in enumerate(fences(page(path))):
            if language != "yaml" or not re.search(r"^squall: 1$", body, re.MULTILINE) or path.endswith("plugin.md"):
                continue
            file = scratch(f"example-{os.path.basename(path)}-{index}.yaml")
            with open(file, "w", encoding="utf-8") as out:
                out.write(body)
            process = squall("check", file)
            assert process.returncode == 0, f"{path}: {process.err}"
            count += 1
    assert count, "no example was found"


def seconds_of(words):
    """How long a command would run: a scenario file is longer than any bound."""
    if not any("://" in word for word in words):
        return float("inf")
    for name in ("-d", "--duration"):
        if name in words:
            found = re.fullmatch(r"(\d+)s", words[words.index(name) + 1])
            return float(found.group(1)) if found else float("inf")
    return 0 if {"-n", "--iterations"} & set(words) else 10


def try_line(line, target, expected):
    words = [word.replace("127.0.0.1:8080", f"127.0.0.1:{target.port}") for word in shlex.split(line)][1:]
    if words[0] == "target":
        flags = [word for word in words[1:] if word != "&"]
        if "--listen" not in flags:
            protocol = None if not flags or flags[0].startswith("-") else flags.pop(0)
            if "-l" in flags:  # a port that another test may have
                del flags[flags.index("-l"):flags.index("-l") + 2]
            if "--log" in flags:  # not into the folder where the test was started
                flags[flags.index("--log") + 1] = scratch("docs/log.jsonl")
            with Target(*flags, log="--log" not in flags, protocol=protocol) as another:
                another.stop()
            return
    if words[0] == "run" and seconds_of(words) > RUN_S:
        words[0] = "check"
    environment = {**os.environ, "SQUALL_TARGET": target.url("").rstrip("/")}
    process = squall(*words, cwd=scratch("docs"), env=environment)
    wanted = {expected, UNTRUSTED} if words[0] == "run" else {expected}
    assert process.returncode in wanted, f"{line}: exit {process.returncode}, wanted {expected}\n{process.out}{process.err}"


def test_commands():
    os.mkdir(scratch("docs"))
    os.symlink(os.path.join(ROOT, "scenarios"), scratch("docs/scenarios"))
    count = 0
    with Target(log=False) as target:
        for path in PAGES:
            if path.endswith("plugin.md") or "template" in path:
                continue  # need a plugin that is not installed; tests/contract runs these
            for language, body in fences(page(path)):
                for line in body.replace("\\\n", " ").splitlines() if language == "sh" else ():
                    if not line.startswith("squall "):
                        continue
                    code = re.search(r"# exit (\d+)", line)
                    try:
                        try_line(line.split(" #")[0].rstrip(), target, int(code.group(1)) if code else 0)
                    except AssertionError as problem:
                        raise AssertionError(f"{path}: {problem}") from problem
                    count += 1
    assert count >= 5, f"only {count} commands were found"


if __name__ == "__main__":
    main(globals())
