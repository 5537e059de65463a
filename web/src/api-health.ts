/** Calls about what became of everything that was sent: the ledger, rejected events, dead letters, the audit. */
import { authorizedFetch } from "./access";
import { ApiProblem, type Page } from "./api";

/** How many events met which fate. `received` is the sum of the six others. */
export interface Fates {
  received: number;
  stored: number;
  duplicate: number;
  rejected: number;
  quarantined: number;
  discarded: number;
  pending: number;
}
/** Fates of a whole range, and what is worth knowing beside them. */
export interface LedgerTotals extends Fates {
  late: number;
  clock_corrected: number;
  time_clamped: number;
  client_dropped: number;
  missing_estimate: number;
}
export interface LedgerSource extends Fates {
  source: string;
  missing_estimate: number;
  last_received_at: string | null;
}
export interface LedgerPoint extends Fates {
  at: string;
}
export type LedgerInterval = "minute" | "hour" | "day";
export interface Ledger {
  project_id: string;
  from: string;
  to: string;
  interval: LedgerInterval;
  as_of: string;
  totals: LedgerTotals;
  rejected_by_reason: { code: string; count: number }[];
  sources: LedgerSource[];
  series: LedgerPoint[];
}

/** A rejected event, kept so that a person can see why. `sample` is its JSON text, cut at 2 KB. */
export interface RejectedEvent {
  id: string;
  received_at: string;
  source: string;
  code: string;
  field: string;
  detail: string;
  sample: string;
}

/** An event that ClickHouse refused for good. `event_json` only when one letter was asked for. */
export interface DeadLetter {
  id: string;
  batch: number | string;
  code: number | string;
  message: string;
  event: string;
  distinct_id: string;
  ts: string;
  received_at: string;
  source: string;
  event_json?: string;
}

export interface AuditReport {
  project_id: string;
  checked_at: string;
  holds: boolean;
  checks: { name: string; holds: boolean; detail: string }[];
  days: { day: string; events: number; counted: number }[];
}

async function send<T>(method: string, path: string, query: Record<string, string> = {}, signal?: AbortSignal): Promise<T> {
  const text = new URLSearchParams(query).toString();
  let response: Response;
  try {
    response = await authorizedFetch(new Request(`${location.origin}/v1/projects/${path}${text && `?${text}`}`, { method, signal: signal ?? null }));
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw ApiProblem.from(error);
  }
  const body: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  if (!response.ok) throw ApiProblem.of(response.status, body);
  return body as T;
}

/** What became of the events that were received in a range of instants. */
export const ledger = (
  project: string,
  range: { from: string; to: string; interval: LedgerInterval },
  signal: AbortSignal,
): Promise<Ledger> => send("GET", `${project}/ledger`, range, signal);

/** The newest rejected events; an empty code asks for all. */
export const rejections = async (project: string, code: string, limit: number, signal: AbortSignal): Promise<RejectedEvent[]> =>
  (await send<{ items: RejectedEvent[] }>("GET", `${project}/rejections`, { limit: String(limit), ...(code && { code }) }, signal)).items;

export const deadLetters = async (
  project: string,
  limit: number,
  cursor: string | null,
  signal: AbortSignal,
): Promise<Page<DeadLetter> & { total: number }> => {
  const answer = await send<{ items: DeadLetter[]; next_cursor: string | null; total: number }>(
    "GET",
    `${project}/dead-letters`,
    { limit: String(limit), ...(cursor && { cursor }) },
    signal,
  );
  return { data: answer.items, next_cursor: answer.next_cursor, has_more: answer.next_cursor !== null, total: answer.total };
};

export const deadLetter = (project: string, letter: string, signal: AbortSignal): Promise<DeadLetter> =>
  send("GET", `${project}/dead-letters/${letter}`, {}, signal);

/** Back into the stream: stored now, or dead again. */
export const replayLetter = (project: string, letter: string) =>
  send<unknown>("POST", `${project}/dead-letters/${letter}/replay`);

/** Back into the stream, at most 1,000 at once. */
export const replayLetters = async (project: string): Promise<number> =>
  (await send<{ replayed: number }>("POST", `${project}/dead-letters/replay`)).replayed;

export const discardLetter = (project: string, letter: string) =>
  send<unknown>("DELETE", `${project}/dead-letters/${letter}`);

/** Counts everything again and compares. */
export const audit = (project: string, signal: AbortSignal): Promise<AuditReport> =>
  send("GET", `${project}/audit`, {}, signal);
