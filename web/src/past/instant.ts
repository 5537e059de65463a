/** Instants of a project's calendar, and the one that an address asks about. Pure. */

/** As of when the questions of a page are asked: what had been received by then, and whose ids were whose. */
export interface Past {
  as_of: string;
  identity_version?: number;
}

/** Parameters of an address that say so. */
export const PAST_PARAMETERS = ["as_of", "identity"] as const;

/** The past that an address names; null: it asks of now. */
export function pastOf(query: URLSearchParams): Past | null {
  const [as_of, identity] = PAST_PARAMETERS.map((name) => query.get(name));
  if (!as_of || !Number.isFinite(Date.parse(as_of))) return null;
  return { as_of, ...(identity && /^\d{1,15}$/.test(identity) ? { identity_version: Number(identity) } : {}) };
}

/** The parameters that ask as of a past, or (null) of now. */
export function pastToUrl(past: Past | null): Record<(typeof PAST_PARAMETERS)[number], string | null> {
  return { as_of: past?.as_of ?? null, identity: past?.identity_version?.toString() ?? null };
}

/** What a field for date and time holds: the wall clock of the zone, to the second. */
export function wallClock(instant: number, zone: string): string {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).formatToParts(instant);
  const of = (type: string) => parts.find((part) => part.type === type)?.value ?? "";
  return `${of("year")}-${of("month")}-${of("day")}T${of("hour")}:${of("minute")}:${of("second")}`;
}

/** The instant at which clocks in the zone show this; of an hour that happens twice the first, null of none. */
export function instantOf(said: string, zone: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/.test(said)) return null;
  // Fields leave out seconds that are none.
  const wall = said.length === 16 ? `${said}:00` : said;
  const written = Date.parse(`${wall}Z`);
  if (!Number.isFinite(written)) return null;
  // What is an instant there lies within a day of what is written: each offset that the zone has then is tried.
  const offsets = [-24, 0, 24].map((hours) => {
    const near = written + hours * 3_600_000;
    return Date.parse(`${wallClock(near, zone)}Z`) - near;
  });
  const found = offsets.map((offset) => written - offset).filter((instant) => wallClock(instant, zone) === wall);
  return found.length > 0 ? Math.min(...found) : null;
}
