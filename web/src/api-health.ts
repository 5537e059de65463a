/** Calls about what became of everything that was sent: the ledger, rejected events, dead letters, the audit. */
import { at, body, client, type Page } from "./api";
import type { components } from "./api.gen";

type Schemas = components["schemas"];
/** How many events met which fate. `received` is the sum of the six others. */
export type Fates = Schemas["Received"];
export type Ledger = Schemas["LedgerAnswer"];
export type LedgerInterval = Schemas["LedgerInterval"];
export type LedgerPoint = Schemas["LedgerPoint"];
export type LedgerSource = Schemas["LedgerSourceTotals"];
/** Fates of a whole range, and what is worth knowing beside them. */
export type LedgerTotals = Schemas["LedgerTotals"];
/** A rejected event, kept so that a person can see why. `sample` is its JSON text, cut at 2 KB. */
export type RejectedEvent = Schemas["RejectionView"];
/** An event that ClickHouse refused for good. */
export type DeadLetter = Schemas["DeadLetter"];
export type WholeDeadLetter = Schemas["WholeDeadLetter"];
export type AuditReport = Schemas["Audit"];
export type AuditCheck = Schemas["AuditCheck"];
export type AuditDay = Schemas["AuditDay"];

/** What became of the events that were received in a range: local dates or instants, half-open. */
export const ledger = (
  project: string,
  range: { from: string; to: string; interval: LedgerInterval },
  signal: AbortSignal,
): Promise<Ledger> => body(client.GET("/v1/projects/{id}/ledger", { params: { ...at(project), query: range }, signal }));

/** The newest rejected events; an empty code asks for all. */
export const rejections = async (project: string, code: string, limit: number, signal: AbortSignal): Promise<RejectedEvent[]> => {
  const query = code ? { limit, code } : { limit };
  return (await body(client.GET("/v1/projects/{id}/rejections", { params: { ...at(project), query }, signal }))).data;
};

/** The latest first; `total` counts all of the project. */
export const deadLetters = (
  project: string,
  limit: number,
  cursor: string | null,
  signal: AbortSignal,
): Promise<Page<DeadLetter> & { total: number }> => {
  const query = cursor ? { limit, cursor } : { limit };
  return body(client.GET("/v1/projects/{id}/dead-letters", { params: { ...at(project), query }, signal }));
};

const letterAt = (id: string, letter: string) => ({ path: { id, letter } });

export const deadLetter = (project: string, letter: string, signal: AbortSignal): Promise<WholeDeadLetter> =>
  body(client.GET("/v1/projects/{id}/dead-letters/{letter}", { params: letterAt(project, letter), signal }));

/** Back into the stream: stored now, or dead again. */
export const replayLetter = (project: string, letter: string) =>
  body(client.POST("/v1/projects/{id}/dead-letters/{letter}/replay", { params: letterAt(project, letter) }));

/** The latest back into the stream, at most 1,000 at once. */
export const replayLetters = async (project: string): Promise<number> =>
  (await body(client.POST("/v1/projects/{id}/dead-letters/replay", { params: at(project) }))).replayed;

export const discardLetter = (project: string, letter: string) =>
  body(client.DELETE("/v1/projects/{id}/dead-letters/{letter}", { params: letterAt(project, letter) }));

/** Counts everything again and compares. */
export const audit = (project: string, signal: AbortSignal): Promise<AuditReport> =>
  body(client.GET("/v1/projects/{id}/audit", { params: at(project), signal }));
