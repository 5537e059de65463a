/** The mock's ledger, rejected events, dead letters and audit. The same at every start, ending now. */
import { chance, event } from "./mock-world.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEP = { minute: MINUTE, hour: HOUR, day: DAY };
const FATES = ["stored", "duplicate", "rejected", "quarantined", "discarded", "pending"];
const iso = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

const SOURCES = [
  ["native footfall-js/0.1.0", 0.82],
  ["native footfall-js/0.0.9", 0.1],
  ["native curl/8.5.0", 0.05],
  ["native", 0.03],
];

/** What arrived from `at` for `ms`. Three hours ago a release sent a wrong type; ClickHouse refused five events. */
function fates(at, ms, nowMs) {
  const over = Math.min(1, Math.max(0, (nowMs - at) / ms));
  const hours = (ms / HOUR) * over;
  const daily = 1 + 0.6 * Math.sin(((at % DAY) / DAY) * 2 * Math.PI - 2);
  const all = Math.round(1_900 * hours * (ms >= DAY ? 1 : daily) * (0.93 + 0.14 * chance(`l${at}`)));
  const overlap = (from, until) => Math.max(0, Math.min(at + ms, until) - Math.max(at, from));
  const release = overlap(nowMs - 3.4 * HOUR, nowMs - 2.1 * HOUR) / HOUR;
  // A script somewhere still sends a few.
  const few = Math.round((7 * overlap(nowMs - 0.4 * HOUR, nowMs - 0.2 * HOUR)) / (0.2 * HOUR));
  const rejected = Math.round(160 * release + all * 0.0011) + few;
  const duplicate = Math.round(all * 0.012);
  const quarantined = Math.round((5 * overlap(nowMs - 2.5 * HOUR, nowMs - 1.9 * HOUR)) / (0.6 * HOUR));
  const pending = at + ms > nowMs && at <= nowMs ? 14 : 0;
  const discarded = at <= nowMs - 26 * HOUR && at + ms > nowMs - 26 * HOUR ? 2 : 0;
  const sum = { stored: Math.max(0, all - rejected - duplicate - quarantined - pending), duplicate, rejected, quarantined, discarded, pending };
  return { received: FATES.reduce((total, name) => total + sum[name], 0), ...sum };
}

export function ledger(project, query, empty) {
  const nowMs = Date.now();
  const interval = query.get("interval") ?? "hour";
  const instant = (text, otherwise) => (text ? Date.parse(text.length === 10 ? `${text}T00:00:00+01:00` : text) : otherwise);
  const [from, to] = [instant(query.get("from"), nowMs - DAY), instant(query.get("to"), nowMs)];
  const series = [];
  for (let at = from; at < to; at += STEP[interval]) {
    const point = fates(at, STEP[interval], nowMs);
    series.push({ at: iso(at), ...(empty ? Object.fromEntries(Object.keys(point).map((name) => [name, 0])) : point) });
  }
  const sum = (name) => series.reduce((total, point) => total + point[name], 0);
  const totals = Object.fromEntries(["received", ...FATES].map((name) => [name, sum(name)]));
  const share = (part) => Math.round(totals.received * part);
  const [type, missing, json] = [Math.floor(totals.rejected * 0.86), Math.floor(totals.rejected * 0.11), 0];
  const sources = SOURCES.map(([source, part], index) => {
    // What rounding leaves over belongs to the biggest.
    const of = (name) => (index > 0 ? Math.floor(totals[name] * part) : totals[name] - SOURCES.slice(1).reduce((rest, [, other]) => rest + Math.floor(totals[name] * other), 0));
    const fate = Object.fromEntries(FATES.map((name) => [name, of(name)]));
    return {
      source,
      received: FATES.reduce((total, name) => total + fate[name], 0),
      ...fate,
      missing_estimate: index === 0 ? share(0.0042) : index === 1 ? share(0.0007) : 0,
      last_received_at: iso(nowMs - [1_400, 63_000, 9 * HOUR, 31 * MINUTE][index]),
    };
  });
  return {
    project_id: project.id,
    from: iso(from),
    to: iso(to),
    interval,
    as_of: new Date(nowMs).toISOString(),
    totals: {
      ...totals,
      late: share(0.0031),
      clock_corrected: share(0.011),
      time_clamped: share(0.00004),
      client_dropped: share(0.00012),
      missing_estimate: share(0.0049),
    },
    rejected_by_reason:
      totals.rejected === 0
        ? []
        : [
            { code: "wrong_type", count: type },
            { code: "missing_field", count: missing },
            { code: "malformed_json", count: totals.rejected - type - missing - json },
          ].filter((one) => one.count > 0),
    sources: empty ? [] : sources,
    series,
  };
}

const REJECTED = [
  ["wrong_type", "/distinct_id", "distinct_id is a number and must be a string", '{"event":"add_to_cart","distinct_id":48213,"properties":{"sku":"TR-2","quantity":1},"timestamp":"2026-11-23T06:11:09Z"}', "native footfall-js/0.0.9"],
  ["missing_field", "/event", "event is missing", '{"distinct_id":"customer-2041","properties":{"path":"/checkout"}}', "native curl/8.5.0"],
  ["malformed_json", "", "expected `,` or `}` at line 1 column 43", '{"event":"purchase","distinct_id":"customer-7" "properties":{"revenue":89.9}}', "native"],
  ["timestamp_invalid", "/timestamp", "timestamp is neither RFC 3339 nor milliseconds since 1970", '{"event":"sign_up","distinct_id":"customer-31","timestamp":"yesterday"}', "native curl/8.5.0"],
  ["event_too_large", "", "the event has 41,210 bytes, at most 32,768 are taken", `{"event":"page_view","distinct_id":"customer-8","properties":{"html":"${"<div class=\\\"tile\\\">".repeat(80)}`, "native footfall-js/0.1.0"],
];

export function rejections(query, empty) {
  const code = query.get("code");
  const all = Array.from({ length: 40 }, (_, index) => {
    const [name, field, detail, sample, source] = REJECTED[index < 2 ? index : Math.floor(chance(`r${index}`) ** 2 * REJECTED.length)];
    return { id: `r-${index}`, received_at: iso(Date.now() - 40_000 - index * index * 61_000), source, code: name, field, detail, sample };
  });
  return { data: empty ? [] : all.filter((one) => !code || one.code === code).slice(0, Number(query.get("limit") ?? 100)) };
}

export const letters = () =>
  Array.from({ length: 5 }, (_, index) => ({
    id: `${index % 4}-${1_790_000_000_000 + index}-0`,
    batch: 4_211 + (index >> 1),
    code: index < 4 ? 321 : 70,
    message:
      index < 4
        ? "Value of property revenue does not fit Decimal(18, 4): 1e21 (ARGUMENT_OUT_OF_BOUND)"
        : "Conversion between numeric types overflowed (CANNOT_CONVERT_TYPE)",
    event: ["purchase", "purchase", "refund_requested", "purchase", "page_view"][index],
    distinct_id: `customer-${400 + index * 37}`,
    ts: iso(Date.now() - 2.2 * HOUR - index * 9_000 - 400),
    received_at: iso(Date.now() - 2.2 * HOUR - index * 9_000),
    source: "native footfall-js/0.1.0",
  }));

export const whole = (letter) => ({
  ...letter,
  event_json: {
    ...event(Date.parse(letter.received_at), Number(letter.distinct_id.slice(9))),
    event: letter.event,
    distinct_id: letter.distinct_id,
    timestamp: letter.ts,
    properties: { order_id: "A-1087", revenue: 1e21, currency: "EUR", items: [{ sku: "TR-2", size: 43, quantity: 1 }] },
  },
});

export function audit(project, holds) {
  const nowMs = Date.now();
  const days = Array.from({ length: 30 }, (_, index) => {
    const events = Math.round(42_000 * (0.9 + 0.2 * chance(`a${index}`)));
    return { day: iso(nowMs - (29 - index) * DAY).slice(0, 10), events, counted: !holds && (index === 12 || index === 13) ? events - (index === 12 ? 3 : 11) : events };
  });
  return {
    project_id: project.id,
    checked_at: new Date(nowMs).toISOString(),
    holds,
    checks: [
      ["stream_counters", true, "4 compared"],
      ["pending_rows", true, "4 compared"],
      ["dead_letters", true, "4 compared"],
      ["raw_rows", true, "4 compared"],
      ["batch_numbers", true, "4 compared"],
      ["counts", holds, holds ? "30 compared" : days.filter((one) => one.events !== one.counted).map((one) => `project 1, ${one.day}: ${one.events} raw, ${one.counted} counted`).join("; ")],
      ["sketches", true, holds ? "214 compared" : `not judged: project 1, ${days.at(-1).day}, any activity: waits to be rebuilt`],
      ["active_days", true, "30 compared"],
    ].map(([name, fine, detail]) => ({ name, holds: fine, judged: !detail.startsWith("not judged"), detail })),
    days,
  };
}
