/** Calls about persons and groups, typed by the OpenAPI document like those of `api.ts`. */
import { at, body, client, type Answer, type Page, type StoredEvent } from "./api";
import type { components } from "./api.gen";

type Schemas = components["schemas"];
export type PersonRow = Schemas["PersonRow"];
export type PersonsReport = Schemas["PersonsReport"];
export type PersonProfile = Schemas["PersonProfile"];
export type GroupProfile = Schemas["GroupProfile"];

export const persons = async (
  project: string,
  question: Omit<Schemas["PersonsQuery"], "kind">,
  signal: AbortSignal,
): Promise<Answer<PersonsReport>> => {
  const answer = await body(
    client.POST("/v1/projects/{id}/query", { params: at(project), body: { kind: "persons", ...question }, signal }),
  );
  return answer as unknown as Answer<PersonsReport>;
};

/** Which person: any of their ids; of a shared device also what happened on it after a second user came. */
export interface Who {
  id: string;
  fresh: boolean;
}

const path = (project: string, who: Who) => ({ id: project, distinct_id: who.id });

export const person = (project: string, who: Who, signal: AbortSignal): Promise<Answer<PersonProfile>> =>
  body(
    client.GET("/v1/projects/{id}/persons/{distinct_id}", {
      params: { path: path(project, who), query: { fresh: who.fresh } },
      signal,
    }),
  );

/** Newest first. */
export const timeline = (
  project: string,
  who: Who,
  page: { limit: number; cursor?: string },
  signal: AbortSignal,
): Promise<Page<StoredEvent>> =>
  body(
    client.GET("/v1/projects/{id}/persons/{distinct_id}/events", {
      params: { path: path(project, who), query: { fresh: who.fresh, ...page } },
      signal,
    }),
  );

export const group = (project: string, type: string, key: string, signal: AbortSignal): Promise<GroupProfile> =>
  body(client.GET("/v1/projects/{id}/groups/{type}/{key}", { params: { path: { id: project, type, key } }, signal }));
