/** Calls about forgetting: erasures and how long events are kept. */
import { authorizedFetch } from "./access";
import { ApiProblem, type Page, type Project } from "./api";

/** What an erasure takes away. Dates are half-open. */
export type ErasureRequest =
  | { kind: "person"; distinct_ids: string[] }
  | { kind: "range"; from: string; to: string }
  | { kind: "project" };

export type ErasureState = "requested" | "waiting" | "removing" | "rebuilding" | "verifying" | "done" | "failed";

export interface ErasureCounts {
  events: number;
  actor_days: number;
  dead_letters: number;
  rejected_samples: number;
}

/** Proof of a finished erasure; it names the subject by hashes only. */
export interface Certificate {
  subject_hashes: string[];
  counts_before: ErasureCounts;
  counts_after: ErasureCounts;
  requested_at: string;
  finished_at: string;
  shards: number | number[];
  digest: string;
}

export interface Erasure {
  id: string;
  project_id: string;
  kind: ErasureRequest["kind"];
  from?: string | null;
  to?: string | null;
  persons: number;
  state: ErasureState;
  detail: string | null;
  requested_by: string | null;
  requested_at: string;
  finished_at: string | null;
  counts: { before: ErasureCounts | null; after: ErasureCounts | null };
  certificate: Certificate | null;
}

async function send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await authorizedFetch(
      new Request(`${location.origin}/v1/projects/${path}`, {
        method,
        signal: signal ?? null,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
      }),
    );
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw ApiProblem.from(error);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw ApiProblem.of(response.status, answer);
  return answer as T;
}

/** Newest first. */
export const erasures = async (project: string, cursor: string | null, signal: AbortSignal): Promise<Page<Erasure>> => {
  const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : "";
  const answer = await send<{ items: Erasure[]; next_cursor: string | null }>("GET", `${project}/erasures${query}`, undefined, signal);
  return { data: answer.items, next_cursor: answer.next_cursor, has_more: answer.next_cursor !== null };
};

export const erase = (project: string, request: ErasureRequest): Promise<Erasure> =>
  send("POST", `${project}/erasures`, request);

/** Months to keep, or null for ever. */
export const setRetention = (project: string, retention_months: number | null): Promise<Project> =>
  send("PATCH", project, { retention_months });
