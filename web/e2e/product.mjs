// Starts the real binary with its own engines and a small demo, and gives the test what a new user has:
// an address, a login, a shop page. Everything ends with the returned `stop`.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";

const ROOT = new URL("../../", import.meta.url).pathname;
const BINARY = join(ROOT, "target/debug/footfall");
const READY_WITHIN_MS = 180_000;

export async function startProduct({ events, days }) {
  const data = await mkdtemp(join(tmpdir(), "footfall-e2e-"));
  const child = spawn(
    BINARY,
    ["demo", "--data-dir", data, "--listen", "127.0.0.1:0", "--events", `${events}`, "--days", `${days}`, "--no-live"],
    { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] },
  );
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGINT");
    const [code] = await exited;
    await rm(data, { recursive: true, force: true });
    return code;
  };
  let printed = "";
  const facts = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not ready in time; it printed:\n${printed}`)), READY_WITHIN_MS);
    exited.then(([code]) => {
      clearTimeout(late);
      reject(new Error(`footfall ended with ${code}; it printed:\n${printed}`));
    });
    child.stdout.setEncoding("utf8").on("data", (text) => {
      printed += text;
      const found = (label) => printed.match(new RegExp(`^\\s*${label}\\s+(\\S.*)$`, "m"))?.[1].trim();
      if (!/^\s*Ready\b/m.test(printed)) return;
      clearTimeout(late);
      resolve({ url: found("Dashboard"), email: found("Email"), password: found("Password"), shop: found("Shop") });
    });
  });
  return { ...facts, stop };
}

/** An API client of the demo's owner. */
export async function signIn({ url, email, password }) {
  const answer = await fetch(`${url}/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  if (answer.status !== 200) throw new Error(`login: ${answer.status} ${await answer.text()}`);
  const { access_token } = await answer.json();
  const headers = { authorization: `Bearer ${access_token}`, "content-type": "application/json" };
  const ask = async (path, init = {}) => {
    const response = await fetch(`${url}${path}`, { ...init, headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return path.includes("/export") ? text : JSON.parse(text);
  };
  const me = await ask("/v1/me");
  return { ask, project: me.projects[0] };
}

/** Polls until `probe` gives something truthy. */
export async function eventually(what, probe, withinMs = 20_000) {
  const until = Date.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > until) throw new Error(`not seen within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
