/** Names of the mock shop: events, properties, values, and what people say about them. */
const EVENTS = { page_view: 48_213, view_item: 21_800, add_to_cart: 6_120, search: 4_900, begin_checkout: 2_310, purchase: 1_480, sign_up: 640, debug_ping: 120 };
const SAID = { purchase: { description: "An order was paid", hidden: false, verified: true }, debug_ping: { description: "", hidden: true, verified: false } };
const NOTHING = { description: "", hidden: false, verified: false };
const DAY_MS = 86_400_000;

const ago = (ms) => new Date(Date.now() - ms).toISOString();
const daily = (volume) => Array.from({ length: 30 }, (_, day) => Math.round((volume / 30) * (0.7 + 0.6 * Math.abs(Math.sin(day * 1.7))) * (day === 29 ? 0.4 : 1)));
const share = (part, values, distinct = values.length) => ({
  events: Math.round(10_000 * part),
  share: part,
  distinct,
  high_cardinality: distinct > 1_000,
  values: values.map((value, index) => ({ value, count: Math.round((10_000 * part) / (index + 2)) })),
});
const PROPERTIES = [
  ["plan", ["string"], share(0.82, ["free", "pro", "team"])],
  ["order_id", ["string"], share(0.11, ["o-10233", "o-10234", "o-10239"], 1_100)],
  ["quantity", ["number", "string"], share(0.41, ["1", "2", "3", "4"])],
  ["$browser", ["string"], share(0.99, ["Chrome", "Safari", "Firefox", "Edge"])],
];

const marks = new Map(Object.entries(SAID));
const made = (n) => ({ pattern: "viewed_#", names: n });

function event(name, volume, generated = null) {
  return {
    event: name, volume, total: volume * 4, first_seen: ago(180 * DAY_MS), last_seen: ago(40_000), daily: daily(volume), generated,
    ...(marks.get(`event ${name}`) ?? marks.get(name) ?? NOTHING),
  };
}

const property = (kind) => ([name, types, sample]) => {
  const captured = name.startsWith("$");
  const seen = captured ? { first_seen: null, last_seen: null } : { first_seen: ago(90 * DAY_MS), last_seen: ago(75_000) };
  return { name, types, ...seen, events: captured ? 0 : 4, captured, sample, generated: null, ...(marks.get(`${kind} ${name}`) ?? NOTHING) };
};

const SAMPLE = { events: 10_000, of: 85_583, sampled: true };
const wanted = (search) => (row) => `${row.event ?? row.name} ${row.description}`.toLowerCase().includes((search ?? "").toLowerCase());

/** The answer to `GET …/schema/{path}`, or null. */
export function ask(path, query, empty) {
  const [list, name, values] = path.split("/").map(decodeURIComponent);
  const kind = query.get("kind") ?? "event";
  if (list === "events" && name) {
    return EVENTS[name] ? { event: event(name, EVENTS[name]), properties: PROPERTIES.map(property("event")), sample: SAMPLE } : null;
  }
  const visible = (row) => query.get("hidden") === "true" || !row.hidden;
  if (list === "events") {
    const all = [...Object.entries(EVENTS).map(([one, volume]) => event(one, volume)), event("viewed_8437", 3, made(1_204)), event("viewed_8440", 2, made(1_204))];
    const events = empty ? [] : all.filter(visible).filter(wanted(query.get("search")));
    return { events, names: events.length, unlisted: 0, generated: empty ? [] : [made(1_204)], next_cursor: null, has_more: false };
  }
  const known = kind === "person" ? [["company", ["string"], share(0.2, ["Acme", "Globex"])]] : PROPERTIES;
  if (values === "values") {
    const found = known.find(([one]) => one === name)?.[2].values ?? [];
    return { values: found.filter(({ value }) => value.toLowerCase().includes((query.get("search") ?? "").toLowerCase())), sample: SAMPLE };
  }
  const properties = empty ? [] : known.map(property(kind)).filter(visible).filter(wanted(query.get("search")));
  return { properties, sample: SAMPLE, names: properties.length, unlisted: 0, next_cursor: null, has_more: false };
}

/** `PATCH …/schema/{path}`. */
export function mark(path, query, change) {
  const [list, name] = path.split("/").map(decodeURIComponent);
  const key = `${list === "events" ? "event" : (query.get("kind") ?? "event")} ${name}`;
  const said = { ...NOTHING, ...(list === "events" ? SAID[name] : {}), ...marks.get(key), ...change };
  marks.set(key, said);
  return said;
}
