/** The world of the mock server: a small shop, the same at every start (a seeded generator), ending today. */

const DAY = 86_400_000;
const ZONE = "Europe/Berlin";
const dateOf = (ms) => new Date(ms).toISOString().slice(0, 10);
const msOf = (date) => Date.parse(`${date}T00:00:00Z`);
const today = () => new Intl.DateTimeFormat("en-CA", { timeZone: ZONE }).format(Date.now());

/** A number in 0..1 that depends on the text only. */
export function chance(text) {
  let hash = 2_166_136_261;
  for (const sign of text) hash = Math.imul(hash ^ sign.codePointAt(0), 16_777_619);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 2_246_822_519);
  return ((hash ^ (hash >>> 13)) >>> 0) / 4_294_967_296;
}

const user = { id: "0197a000-0000-7000-8000-000000000001", email: "demo@example.com", name: "Dana Demo" };
const organizations = [{ id: "0197a000-0000-7000-8000-0000000000aa", name: "Acme Commerce", role: "owner" }];
const project = (number, name, role = "owner") => ({
  id: `0197a000-0000-7000-8000-00000000010${number}`,
  number,
  organization_id: organizations[0].id,
  name,
  timezone: ZONE,
  created_at: "2026-08-01T08:00:00Z",
  retention_months: number === 1 ? 24 : null,
  role,
  write_key: `ffp_live_8Zq3mWc2LrT0vB5nXy7KdJ4${number}HsGpA1Ue6fQ`,
});
const projects = [project(1, "Demo shop"), project(2, "Marketing site", "viewer"), project(3, "Mobile app")];
export const me = () => ({ user, organizations, projects });

export function addProject({ organization_id, name, timezone }) {
  const made = { ...project(projects.length + 1, name), organization_id, timezone };
  projects.push(made);
  return made;
}

export function removeProject(gone) {
  projects.splice(projects.indexOf(gone), 1);
}

export function addOrganization({ name }) {
  const made = { id: crypto.randomUUID(), name, role: "owner" };
  organizations.push(made);
  return made;
}

export const members = [
  { user_id: user.id, email: user.email, name: user.name, role: "owner" },
  { user_id: "0197a000-0000-7000-8000-000000000002", email: "sam@example.com", name: "Sam Rivers", role: "admin" },
  { user_id: "0197a000-0000-7000-8000-000000000003", email: "kim@example.com", name: "Kim Otto", role: "viewer" },
];

export function newKey(kind, name) {
  const prefix = kind === "write" ? "ffp_live_" : "ffs_live_";
  const key = `${prefix}${[..."0123456789abcdefghijklmnopqrstuvw"].sort(() => Math.random() - 0.5).join("")}`;
  return { id: crypto.randomUUID(), kind, name, prefix, last4: key.slice(-4), created_at: new Date().toISOString(), last_used_at: null, key };
}

export const keys = () => [
  { id: "k1", kind: "write", name: "Default", prefix: "ffp_live_", last4: "6fQ", created_at: "2026-08-01T08:00:00Z", last_used_at: new Date(Date.now() - 9_000).toISOString(), key: projects[0].write_key },
  { id: "k2", kind: "secret", name: "Warehouse export", prefix: "ffs_live_", last4: "x9Lm", created_at: "2026-09-14T08:00:00Z", last_used_at: new Date(Date.now() - 5 * 3_600_000).toISOString(), key: null },
];

function dates({ from, to }) {
  const end = to ?? dateOf(msOf(today()) + DAY);
  const list = [];
  for (let ms = msOf(from ?? dateOf(msOf(end) - 30 * DAY)); ms < msOf(end); ms += DAY) list.push(dateOf(ms));
  return list;
}

/** How busy a day is: weekends are quiet, the shop grows, the project began 120 days ago, today is not over. */
function busy(date) {
  const age = (msOf(today()) - msOf(date)) / DAY;
  if (age < 0 || age > 120) return 0;
  const weekday = new Date(msOf(date)).getUTCDay();
  const week = [0.66, 1.04, 1.1, 1.08, 1.02, 0.95, 0.7][weekday];
  const part = age === 0 ? 0.46 + Math.min(0.3, moved / 4_000) : 1;
  return week * (1 + (120 - age) / 260) * (0.94 + 0.12 * chance(date)) * part;
}

let moved = 0;

export function activeUsers(range, empty) {
  const days = dates(range).map((date) => {
    const dau = empty ? 0 : Math.round(1_180 * busy(date));
    const level = empty ? 0 : busy(dateOf(msOf(date) - 3 * DAY)) > 0 ? 1 + (msOf(date) - msOf(today())) / DAY / 260 : 0;
    const wau = Math.round(4_420 * level * (0.98 + 0.04 * chance(`w${date}`)));
    const mau = Math.round(11_900 * level * (0.995 + 0.01 * chance(`m${date}`)));
    return { date, dau, wau, mau, stickiness: mau ? dau / mau : null, final: date < today() };
  });
  const complete = days.filter((day) => day.final);
  const mean = complete.length ? complete.reduce((sum, day) => sum + day.dau, 0) / complete.length : null;
  const mau = complete.at(-1)?.mau ?? null;
  return {
    days,
    weeks: [],
    months: [],
    summary: { active: 14_200, complete_days: complete.length, mean_dau: mean, mau, ratio: mean !== null && mau ? mean / mau : null },
  };
}

const EVENTS = { page_view: 4.1, view_item: 2.3, search: 0.9, add_to_cart: 0.62, begin_checkout: 0.31, purchase: 0.19, sign_up: 0.11, newsletter_subscribed: 0.06, coupon_applied: 0.045, refund_requested: 0.008, support_opened: 0.02 };

export function names(range) {
  const sum = dates(range).reduce((total, date) => total + busy(date), 0);
  return Object.entries(EVENTS).map(([event, share]) => ({ event, count: Math.round(1_180 * share * sum) }));
}

export function trends(events, range, interval) {
  const days = dates(range);
  const series = events.map((event) => {
    const at = (date, share = 1) => Math.round(1_180 * (EVENTS[event] ?? 0) * busy(date) * share * (0.93 + 0.14 * chance(event + date)));
    const now = Date.now();
    let points;
    if (interval === "hour") {
      points = days.flatMap((date) =>
        Array.from({ length: 24 }, (_, hour) => {
          const start = msOf(date) - 3_600_000 + hour * 3_600_000;
          const count = start > now ? 0 : at(date, (1 + Math.sin(((hour - 8) / 24) * 2 * Math.PI)) / 24);
          return { start: new Date(start).toISOString(), count, partial: false, final: start + 3_600_000 < now };
        }),
      );
    } else {
      const size = interval === "week" ? 7 : 1;
      points = days
        .filter((_, index) => index % size === 0)
        .map((date) => {
          const span = Array.from({ length: size }, (_, offset) => dateOf(msOf(date) + offset * DAY));
          return {
            start: `${date}T00:00:00+01:00`,
            date,
            count: span.reduce((sum, one) => sum + at(one), 0),
            partial: false,
            final: span.every((one) => one < today()),
          };
        });
    }
    return { event, total: points.reduce((sum, point) => sum + point.count, 0), points };
  });
  return { interval, series };
}

export function meta(of, { to }, approximate) {
  const open = !to || to > today();
  return {
    as_of: new Date(Date.now() - 300).toISOString(),
    complete: !open,
    approximate,
    error: approximate ? 0.0081 : null,
    rows_read: approximate ? 60 : 182_311,
    elapsed_ms: approximate ? 1.8 : 46.2,
    cached: false,
    timezone: of.timezone,
    warnings: open ? [{ code: "range_open", detail: "the range ends in the future: the last points will still grow" }] : [],
  };
}

const windowMs = (text) => Number.parseInt(text, 10) * { m: 60_000, h: 3_600_000, d: DAY }[text.at(-1)];

export function conversion({ window, from, to }) {
  const days = dates({ from, to }).map((date) => {
    const entered = Math.round(410 * busy(date));
    const converted = Math.round(entered * (0.1 + 0.05 * chance(`c${date}`)) * (date === today() ? 0.6 : 1));
    return { date, entered, converted, rate: entered ? converted / entered : null, final: msOf(date) + DAY + windowMs(window) <= Date.now() };
  });
  const entered = days.reduce((sum, day) => sum + day.entered, 0);
  const converted = days.reduce((sum, day) => sum + day.converted, 0);
  return { days, total: { entered, converted, rate: entered ? converted / entered : null, median_ms: 763_000 }, window_ms: windowMs(window) };
}

const PATHS = ["/", "/shoes/trail-runner-2", "/search", "/cart", "/checkout", "/account", "/shoes/city-walk", "/about"];
let serial = 0;

export function event(receivedMs, seed) {
  const total = Object.values(EVENTS).reduce((sum, share) => sum + share, 0);
  let rest = chance(`e${seed}`) * total;
  const name = Object.entries(EVENTS).find(([, share]) => (rest -= share) < 0)?.[0] ?? "page_view";
  const known = chance(`k${seed}`) < 0.4;
  const person = Math.floor(chance(`p${seed}`) * 4_000);
  const device = `0197b3c1-${String(person).padStart(4, "0")}-7a4e-9b1d-5f0c2e6a8d31`;
  const buys = name === "purchase";
  return {
    id: `0197c000-0000-7000-8000-${String(seed).padStart(12, "0")}`,
    event: name,
    timestamp: new Date(receivedMs - 240).toISOString(),
    received_at: new Date(receivedMs).toISOString(),
    distinct_id: known ? `customer-${person}` : device,
    device_id: device,
    user_id: known ? `customer-${person}` : "",
    session_id: `s-${person}`,
    path: PATHS[Math.floor(chance(`u${seed}`) * PATHS.length)],
    host: "shop.example.com",
    referrer_host: chance(`r${seed}`) < 0.3 ? "www.google.com" : "",
    browser: ["Chrome", "Safari", "Firefox"][Math.floor(chance(`b${seed}`) * 3)],
    os: ["Windows", "iOS", "Android", "macOS"][Math.floor(chance(`o${seed}`) * 4)],
    device: chance(`d${seed}`) < 0.5 ? "mobile" : "desktop",
    amount: buys ? 89.9 : 0,
    currency: buys ? "EUR" : "",
    utm_source: "",
    utm_medium: "",
    utm_campaign: "",
    country: "",
    region: "",
    city: "",
    flags: 0,
    lib: "footfall-js/0.1.0",
    properties: buys
      ? { order_id: `A-${10_000 + seed}`, revenue: 89.9, currency: "EUR", items: [{ sku: "TR-2", size: 43, quantity: 1 }] }
      : { sku: "TR-2", list: "home", position: Math.floor(chance(`n${seed}`) * 12) },
  };
}

export function fresh() {
  moved += 3;
  serial += 3;
  return [0, 1, 2].map((index) => event(Date.now() - (2 - index) * 120, 1_000_000 + serial + index));
}

export function now(moving) {
  const active = moving ? 38 + (moved % 7) : 0;
  return { active_5m: active, events_1m: moving ? 64 : 0, events_today: moving ? 5_208 + moved : 0, as_of: new Date(Date.now() - 200).toISOString() };
}

export function events(query, empty) {
  const limit = Number(query.get("limit") ?? 50);
  const from = Number(query.get("cursor") ?? 0);
  if (empty) return { data: [], next_cursor: null, has_more: false };
  const wanted = query.get("event");
  const person = query.get("distinct_id");
  const data = [];
  let index = from;
  for (; data.length < limit && index < from + 3_000; index++) {
    const one = event(Date.now() - index * 3_700 - 1_000, 900_000 - index);
    if ((!wanted || one.event === wanted) && (!person || one.distinct_id === person)) data.push(one);
  }
  const more = data.length === limit && index < 3_000;
  return { data, next_cursor: more ? String(index) : null, has_more: more };
}
