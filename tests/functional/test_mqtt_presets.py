"""Every scenario of scenarios/mqtt runs, small: all exchanges are ok, and where deliveries are accounted for none is missing."""
import glob
import os

from brokers import Mosquitto
from harness import main, squall, squall_run

FOLDER = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "scenarios", "mqtt"))
SMALL = {"DEVICES": "20", "LISTENERS": "3", "RATE": "100", "LENGTH": "1s", "MESSAGES": "20", "SCALE": "0.01", "TRACK": "true"}
SUITE = {"conn-tcp-10K-100", "conn-tcp-1M-5K", "fanout-1-1K-1-1K", "fanout-5-1000-5-250K", "p2p-1K-1K-1K-1K",
         "p2p-50K-50K-50K-50K", "sharedsub-1K-5-1K-1K", "sharedsub-50K-500-50K-50K"}
# These take 100 and 200 seconds at any scale, as rate and devices shrink together; here they go faster than they say.
HURRIED = {"conn-tcp-10K-100": ("0.01", 100), "conn-tcp-1M-5K": ("0.0001", 100)}
DELIVER = {"fan-in", "fan-out", "point-to-point", "shared-subscription"} | {name for name in SUITE if not name.startswith("conn")}


def scenarios():
    return {os.path.basename(path)[:-5]: path for path in glob.glob(os.path.join(FOLDER, "*.yaml"))}


def test_all_of_them_are_there():
    names = set(scenarios())
    assert SUITE <= names and DELIVER <= names, names


def test_they_load_as_they_are():
    for name, path in scenarios().items():
        with_scale = {**os.environ, "SCALE": "1"}
        checked = squall("check", path, env=with_scale)
        assert checked.returncode == 0, (name, checked.out, checked.err)


def test_they_run():
    with Mosquitto() as broker:
        for name, path in sorted(scenarios().items()):
            environment = {**os.environ, **SMALL, "BROKER": broker.url()[:-1]}
            more = ("-w", 2) if name in DELIVER | {"will-storm"} else ("-w", 1)
            if name in HURRIED:
                environment["SCALE"], devices = HURRIED[name]
                more = ("-r", "200/s")
            summary = squall_run(path, "--trust", "off", *more, env=environment)
            totals = summary["totals"]
            assert totals["ok"] == totals["begun"] > 0, (name, totals, summary["errors"])
            assert name not in HURRIED or totals["ok"] == summary["generator"]["connections_max"] == devices, (name, totals)
            if name == "will-storm":
                wills = [row["metrics"] for row in summary["steps"] if row["name"].startswith("subscribe")][0]
                assert wills["will_ns"]["count"] == wills["delivered_messages"] == 3 * 20 * 3, wills
            owed = [row["deliveries"] for row in summary["steps"] if "deliveries" in row]
            assert bool(owed) >= (name in DELIVER), (name, [row["name"] for row in summary["steps"]])
            for row in owed if name in DELIVER else ():
                assert row["expected"] == row["delivered"] > 0 == row["undelivered"], (name, row)


if __name__ == "__main__":
    main(globals())
