/** Calls about who is who: what is said of ids, and what that would change. */
import { at, body, client } from "./api";
import type { components } from "./api.gen";

type Schemas = components["schemas"];
/** An id, by what it is the id of. */
export type IdName = Schemas["IdName"];
/** `merge`: two ids are one person. `unmerge`: they are not. */
export type Verdict = Schemas["RulingVerdict"];
/** Which persons there would be, and numbers before and after. */
export type MergePreview = Schemas["MergePreview"];
export type PersonIds = Schemas["PersonIds"];

/** Two ids; which of them stands first means nothing. */
export interface IdPair {
  from: IdName;
  into: IdName;
}

export const preview = (project: string, verdict: Verdict, pair: IdPair, signal: AbortSignal): Promise<MergePreview> =>
  body(client.POST("/v1/projects/{id}/persons/preview", { params: at(project), body: { verdict, ...pair, days: 14 }, signal }));

export const say = (project: string, verdict: Verdict, pair: IdPair): Promise<Schemas["Persons"]> =>
  verdict === "merge"
    ? body(client.POST("/v1/projects/{id}/persons/merge", { params: at(project), body: pair }))
    : body(client.POST("/v1/projects/{id}/persons/unmerge", { params: at(project), body: pair }));
