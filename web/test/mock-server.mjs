/**
 * A stand-in for the API while looking at pages: believable numbers for three projects, and a live stream. It serves
 * `dist/` under the strict content security policy that the real server sends. `npm run build && npm run mock`.
 *
 * Switches for looking at states (query parameters of no meaning elsewhere are read from the environment):
 * MOCK_SETUP=1 nobody has an account yet; MOCK_FAIL=1 every question fails; MOCK_SLOW=ms delays every question.
 */
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { funnel, refused } from "./mock-funnel.mjs";
import * as health from "./mock-health.mjs";
import * as insights from "./mock-insights.mjs";
import * as privacy from "./mock-privacy.mjs";
import { retention } from "./mock-retention.mjs";
import { web } from "./mock-web.mjs";
import * as schema from "./mock-schema.mjs";
import * as world from "./mock-world.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** Starts listening; gives the address and how to stop. */
export function serve({ port = 0, setup = false, fail = false, slow = 0 } = {}) {
  const state = { setup, tokens: new Set(), cookie: null, started: new Map(), streams: new Set(), keys: world.keys(), letters: health.letters(), audits: 0, erasures: null };
  const server = createServer((request, response) => {
    answer(request, response, state, { fail, slow }).catch((error) => problem(response, 500, "internal", String(error)));
  });
  return new Promise((done) => {
    server.listen(port, "127.0.0.1", () => {
      const { port: bound } = server.address();
      done({
        url: `http://127.0.0.1:${bound}`,
        close: () => (state.streams.forEach((stream) => stream.end()), server.closeAllConnections(), server.close()),
        /** The first event of the empty project. */
        firstEvent: () => (state.started.set(3, true), state.streams.forEach((stream) => stream.first?.())),
      });
    });
  });
}

async function answer(request, response, state, { fail, slow }) {
  const url = new URL(request.url, "http://localhost");
  if (!url.pathname.startsWith("/v1/")) return file(url.pathname, response);
  const body = await read(request);
  const route = `${request.method} ${url.pathname}`;
  if (url.pathname.startsWith("/v1/auth/")) return auth(route, body, request, response, state);

  const token = (request.headers.authorization ?? "").replace("Bearer ", "");
  if (!state.tokens.has(token)) return problem(response, 401, "unauthenticated", "Sign in first.");
  if (route === "GET /v1/me") return json(response, 200, world.me());
  if (route === "POST /v1/organizations") return json(response, 201, world.addOrganization(body));
  if (route === "POST /v1/me/password") {
    if (body.current_password !== "footfall-demo") return problem(response, 403, "wrong_password", "The current password is not this one.");
    return response.writeHead(204).end();
  }
  if (route === "POST /v1/projects") return json(response, 201, world.addProject(body));
  const organization = /^\/v1\/organizations\/([^/]+)\/members(?:\/([^/]+))?$/.exec(url.pathname);
  if (organization) return members(request.method, organization[2], body, response);

  const match = /^\/v1\/projects\/([^/]+)(?:\/(.+))?$/.exec(url.pathname);
  const project = match && world.me().projects.find((one) => one.id === match[1]);
  if (!project) return problem(response, 404, "not_found", "There is no such project, or it is not shared with you.");
  const rest = match[2] ?? "";
  if (rest === "live") return live(project, request, response, state);
  if (rest === "" && request.method === "PATCH") return json(response, 200, Object.assign(project, body));
  if (rest === "" && request.method === "DELETE") return world.removeProject(project), response.writeHead(204).end();
  if (rest === "erasures") return erasures(request.method, body, project, response, state);
  if (rest.startsWith("keys")) return keys(request.method, rest, body, project, response, state);
  if (slow) await new Promise((done) => setTimeout(done, slow));
  if (fail) return problem(response, 503, "unavailable", "ClickHouse does not answer: connection refused on 127.0.0.1:8123.");
  const empty = project.number === 3 && !state.started.get(3);
  const range = { from: url.searchParams.get("from"), to: url.searchParams.get("to") };
  if (rest === "active-users") {
    const exact = url.searchParams.get("exact") === "true";
    return json(response, 200, { data: world.activeUsers(range, empty), meta: world.meta(project, range, !exact) });
  }
  if (rest === "trends") {
    const events = url.searchParams.getAll("event");
    return json(response, 200, {
      data: world.trends(events, range, url.searchParams.get("interval") ?? "day"),
      meta: world.meta(project, range, false),
    });
  }
  if (rest === "events/names") {
    return json(response, 200, { data: { events: empty ? [] : world.names(range) }, meta: world.meta(project, range, false) });
  }
  if (rest.startsWith("schema/")) {
    const path = rest.slice("schema/".length);
    if (request.method === "PATCH") return json(response, 200, schema.mark(path, url.searchParams, body));
    const data = schema.ask(path, url.searchParams, empty);
    if (data === null) return problem(response, 404, "not_found", "There is no such event.");
    return json(response, 200, { data, meta: world.meta(project, { from: null, to: null }, false) });
  }
  if (rest === "query" && Object.hasOwn(insights.ANSWERS, body.kind)) {
    const refused = insights.refusal(body);
    if (refused) return problem(response, 422, "invalid_field", `${refused.pointer}: ${refused.detail}`, [refused]);
    const sketched = body.kind === "active_users" && !body.exact && !body.filter;
    return json(response, 200, { kind: body.kind, data: insights.ANSWERS[body.kind](body), meta: world.meta(project, body, sketched) });
  }
  if (rest === "events") return json(response, 200, world.events(url.searchParams, empty));
  if (rest === "query") {
    const errors = body.kind === "funnel" ? refused(body) : [];
    if (errors.length > 0) {
      const detail = errors.map((one) => `${one.pointer}: ${one.detail}`).join("; ");
      return problem(response, 422, "invalid_field", detail, errors);
    }
    const answers = { funnel, conversion: world.conversion, retention, web };
    const data = answers[body.kind](body);
    return json(response, 200, { kind: body.kind, data, meta: world.meta(project, body, false) });
  }
  if (rest === "ledger") return json(response, 200, health.ledger(project, url.searchParams, empty));
  if (rest === "rejections") return json(response, 200, health.rejections(url.searchParams, project.number !== 1));
  // Every second look finds something.
  if (rest === "audit") return json(response, 200, health.audit(project, state.audits++ % 2 === 0));
  if (rest.startsWith("dead-letters")) return letters(request.method, rest.split("/").slice(1), project, response, state);
  return problem(response, 404, "not_found", `No route ${url.pathname}`);
}

function erasures(method, body, project, response, state) {
  state.erasures ??= privacy.erasures(project.id);
  if (method === "POST") {
    const made = privacy.requested(project.id, body);
    state.erasures = [...state.erasures, made];
    return json(response, 202, made);
  }
  return json(response, 200, { data: project.number === 1 ? state.erasures.map(privacy.grown) : [], next_cursor: null, has_more: false });
}

function letters(method, [letter, action], project, response, state) {
  const data = project.number === 3 ? [] : state.letters;
  if (!letter) return json(response, 200, { data, next_cursor: null, has_more: false, total: data.length });
  if (letter === "replay") {
    state.letters = [];
    return json(response, 200, { replayed: data.length });
  }
  const found = data.find((one) => one.id === letter);
  if (!found) return problem(response, 404, "not_found", "There is no such dead letter: it may have been replayed meanwhile.");
  if (method === "GET") return json(response, 200, health.whole(found));
  state.letters = data.filter((one) => one !== found);
  return response.writeHead(action === "replay" ? 202 : 204).end();
}

function auth(route, body, request, response, state) {
  if (route === "GET /v1/auth/status") return json(response, 200, { needs_setup: state.setup, open_signup: false });
  if (route === "POST /v1/auth/logout") {
    state.cookie = null;
    response.setHeader("Set-Cookie", "ff_refresh=; Path=/v1/auth; HttpOnly; Max-Age=0");
    return response.writeHead(204).end();
  }
  if (route === "POST /v1/auth/refresh") {
    const cookie = /ff_refresh=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    if (!cookie || cookie !== state.cookie) return problem(response, 401, "refresh_refused", "Sign in again.");
  } else if (route === "POST /v1/auth/register") state.setup = false;
  else if (body.password !== "footfall-demo") {
    return problem(response, 401, "wrong_credentials", "Email and password do not belong together.");
  }
  const token = crypto.randomUUID();
  state.tokens.add(token);
  state.cookie = crypto.randomUUID();
  response.setHeader("Set-Cookie", `ff_refresh=${state.cookie}; Path=/v1/auth; HttpOnly; SameSite=Lax`);
  const status = route.endsWith("register") ? 201 : 200;
  return json(response, status, { access_token: token, token_type: "Bearer", expires_in: 900, user: world.me().user });
}

function members(method, user, body, response) {
  if (method === "GET") return json(response, 200, { data: world.members });
  if (method === "PATCH") return json(response, 200, Object.assign(world.members.find((one) => one.user_id === user), body));
  if (method === "DELETE") {
    world.members.splice(world.members.findIndex((one) => one.user_id === user), 1);
    return response.writeHead(204).end();
  }
  const member = { user_id: crypto.randomUUID(), name: body.name ?? "", email: body.email, role: body.role };
  world.members.push(member);
  return json(response, 201, { ...member, account_created: Boolean(body.password) });
}

function keys(method, rest, body, project, response, state) {
  if (method === "GET") return json(response, 200, { data: state.keys });
  if (method === "DELETE") {
    state.keys = state.keys.filter((key) => key.id !== rest.split("/")[1]);
    return response.writeHead(204).end();
  }
  const key = world.newKey(body.kind, body.name);
  state.keys = [...state.keys, body.kind === "secret" ? { ...key, key: null } : key];
  return json(response, 201, key);
}

function live(project, request, response, state) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const send = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const moving = () => project.number !== 3 || state.started.get(3);
  send("now", world.now(moving()));
  const tick = () => {
    if (!moving()) return response.write(": still here\n\n");
    send("events", { events: world.fresh() });
    send("now", world.now(true));
  };
  const timer = setInterval(tick, 2_000);
  const stream = { end: () => response.end(), first: project.number === 3 ? tick : undefined };
  state.streams.add(stream);
  request.on("close", () => (clearInterval(timer), state.streams.delete(stream)));
}

async function file(path, response) {
  const wanted = extname(path) ? path : "/index.html";
  try {
    const bytes = await readFile(join(DIST, normalize(wanted)));
    response.writeHead(200, { "Content-Type": TYPES[extname(wanted)] ?? "application/octet-stream", "Content-Security-Policy": CSP });
    response.end(bytes);
  } catch {
    problem(response, 404, "not_found", `No file ${path}`);
  }
}

async function read(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text ? JSON.parse(text) : {};
}

function json(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
}

function problem(response, status, code, detail, errors = []) {
  const title = { 401: "Not signed in", 403: "Forbidden", 404: "Not found", 422: "Invalid field", 503: "Unavailable" }[status] ?? "Internal error";
  response.writeHead(status, { "Content-Type": "application/problem+json" });
  response.end(JSON.stringify({ type: `/docs/problems#${code}`, title, status, detail, code, message: detail, errors }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { MOCK_SETUP, MOCK_FAIL, MOCK_SLOW, PORT } = process.env;
  const { url } = await serve({
    port: Number(PORT ?? 8080),
    setup: MOCK_SETUP === "1",
    fail: MOCK_FAIL === "1",
    slow: Number(MOCK_SLOW ?? 0),
  });
  console.log(`${url}  (demo@example.com / footfall-demo)`);
}
