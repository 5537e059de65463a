/** Calls about forgetting: erasures and how long events are kept. */
import { at, body, client, type Project } from "./api";
import type { components } from "./api.gen";

type Schemas = components["schemas"];
export type Erasure = Schemas["Erasure"];
export type ErasureState = Schemas["ErasureState"];
/** What an erasure takes away. Ranges are half-open. */
export type ErasureRequest = Schemas["ErasureRequest"];
/** What was found of a subject, by where. */
export type ErasureCounts = Schemas["RemovedCounts"];
/** Proof of a finished erasure; it names the subject by hashes only. */
export type Certificate = Schemas["Certificate"];

/** As many as a page of the API holds. */
const PAGE = 1_000;

/** The newest first, at most 1,000. */
export const erasures = async (project: string, signal: AbortSignal): Promise<Erasure[]> => {
  let found: Erasure[] = [];
  let cursor: string | null = null;
  // The API lists the oldest first, as all its lists do.
  do {
    const query: { limit: number; cursor?: string } = cursor ? { limit: PAGE, cursor } : { limit: PAGE };
    const page: Schemas["Listed_Erasure"] = await body(
      client.GET("/v1/projects/{id}/erasures", { params: { ...at(project), query }, signal }),
    );
    found = [...found, ...page.data].slice(-PAGE);
    cursor = page.next_cursor;
  } while (cursor);
  return found.reverse();
};

export const erase = (project: string, request: ErasureRequest): Promise<Erasure> =>
  body(client.POST("/v1/projects/{id}/erasures", { params: at(project), body: request }));

/** Months to keep beside the current one, or null for ever. */
export const setRetention = (project: string, retention_months: number | null): Promise<Project> =>
  body(client.PATCH("/v1/projects/{id}", { params: at(project), body: { retention_months } }));
