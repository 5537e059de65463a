"""Questions that nobody would think of, against the served document: `make fuzz-api`.

Starts the binary of the tests with a small demo shop in a directory of its own and lets schemathesis draw requests
from /openapi.json: no answer may be a 5xx, and every status, content type and body has to be a documented one.
Then it counts what POST /v1/projects/{id}/query answered to valid questions, kind by kind: where all are refused, the
document describes questions that cannot be asked, and the run fails too.

The same seed draws the same requests. An access token is good for 15 minutes, so a long run is made of rounds, each
with a token and a seed of its own.
"""

import argparse
import base64
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
VENV = ROOT / "target/fuzz-api"
BINARY = ROOT / "target/debug/footfall"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Signing in and members would lock the run out; `live` never ends; nothing that the run needs is deleted. A diff is the
# same questions as `query`, several times over.
LEFT_OUT = "auth/|password|members|live|query/diff"
# What carries questions, rules or filters besides `query`: their corners are drawn there, once.
CARRIERS = "/saved|/cohorts|persons/"
# Of the valid questions of each kind so many in a hundred are answered with numbers at least.
ANSWERED = 20
KINDS = ["active_users", "trends", "funnel", "retention", "lifecycle", "stickiness", "conversion"]
A_ROUND = 40


def call(method, url, body=None, token=None):
    """A JSON answer."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def installed():
    """The programs of requirements.txt, in a venv that is made anew when the file changes."""
    wanted = (HERE / "requirements.txt").read_text()
    stamp = VENV / "installed.txt"
    if not (stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(VENV, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", VENV])
        if made.returncode:
            sys.exit("fuzz-api: no venv could be made. Get it with: apt-get install python3-venv")
        pip = [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]
        subprocess.run([*pip, HERE / "requirements.txt"], check=True)
        stamp.write_text(wanted)
    return VENV / "bin/st"


class Shop:
    """A running installation with a demo shop, in a directory that goes with it."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="footfall-fuzz-"))
        self.log = open(self.folder / "log", "w")
        data = self.folder / "data"
        shop = ["--events", "4000", "--days", "20", "--no-live"]
        address = ["--listen", "127.0.0.1:0", "--log", "warn", "--data-dir", data]
        self.process = subprocess.Popen(
            [BINARY, "demo", *shop, *address], cwd=ROOT, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        for line in self.process.stdout:
            words = line.split()
            if words[:1] == ["Dashboard"]:
                self.url = words[1]
            elif words[:1] == ["Password"]:
                self.password = words[1]
            elif words[:1] == ["Ready."]:
                break
        else:
            log = (self.folder / "log").read_text()
            self.__exit__()
            sys.exit("fuzz-api: the shop did not start:\n" + log)
        self.project = call("GET", self.url + "/v1/projects", token=self.token())["data"][0]["id"]
        return self

    def token(self):
        login = {"email": "demo@footfall.local", "password": self.password}
        return call("POST", self.url + "/v1/auth/login", login)["access_token"]

    def __exit__(self, *failure):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def run(st, shop, round_, cases, seed, answers):
    """One round; whether it found nothing."""
    settings = f'hooks = "{HERE}/hooks.py"\n[parameters]\n"path.id" = "{shop.project}"\n'
    (shop.folder / "st.toml").write_text(settings)
    report = shop.folder / f"round-{round_}.ndjson"
    command = [st, "--config-file", shop.folder / "st.toml", "run", shop.url + "/openapi.json"]
    command += ["--header", f"Authorization: Bearer {shop.token()}", "--checks", CHECKS, "--exclude-method", "DELETE"]
    command += ["--max-examples", str(cases), "--seed", str(seed)]
    command += ["--generation-database", "none", "--request-timeout", "60", "--no-color"]
    command += ["--suppress-health-check", "all", "--warnings", "off"]
    command += ["--report", "ndjson", "--report-ndjson-path", report]
    whole = ["--exclude-path-regex", f"{LEFT_OUT}|{CARRIERS}"]
    carriers = ["--include-path-regex", CARRIERS, "--exclude-path-regex", LEFT_OUT, "--phases", "examples,fuzzing,stateful"]
    fine = True
    for which in (whole, carriers):
        done = subprocess.run([*command, *which], cwd=shop.folder, env={**os.environ, "COLUMNS": "120"})
        fine = fine and done.returncode == 0
        count(report, answers)
    return fine


def count(report, answers):
    """Adds up what the valid questions of each kind were answered, by kind and status."""
    for line in open(report):
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        interactions = recorder.get("interactions", {})
        for name, case in recorder.get("cases", {}).items():
            response = interactions.get(name, {}).get("response")
            is_valid = case["value"]["meta"]["generation"]["mode"] == "positive"
            if not (response and is_valid and case["value"]["path"].endswith("/query")):
                continue
            sent = case["value"]["body"]
            body = json.loads(base64.b64decode(sent["$base64"])) if "$base64" in sent else sent
            # A link between operations may leave the kind out.
            if isinstance(body, dict) and "kind" in body:
                answers[body["kind"], response["status_code"]] += 1


def told(answers):
    """Prints what was answered to each kind; whether enough was."""
    enough = True
    for kind in KINDS:
        of_kind = {status: n for (asked, status), n in answers.items() if asked == kind}
        share = 100 * of_kind.get(200, 0) / max(1, sum(of_kind.values()))
        enough = enough and share >= ANSWERED
        print(f"valid questions: {kind:13} {share:3.0f} % answered, {of_kind}")
    if not enough:
        print(f"fuzz-api: fewer than {ANSWERED} % of the valid questions of a kind were answered")
    return enough


def main():
    """Rounds until each operation had its cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10, help="requests for each operation and way of drawing them")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    st = installed()
    answers = collections.Counter()
    with Shop() as shop:
        rounds = range((asked.cases + A_ROUND - 1) // A_ROUND)
        cases = min(asked.cases, A_ROUND)
        fine = [run(st, shop, n, cases, asked.seed + n, answers) for n in rounds]
        if shop.process.poll() is not None:
            sys.exit("fuzz-api: the server ended")
    fine.append(told(answers))
    print(f"fuzz-api: {time.monotonic() - began:.0f} s")
    if not all(fine):
        sys.exit(1)


if __name__ == "__main__":
    main()
