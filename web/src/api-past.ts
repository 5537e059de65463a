/** Calls about answers as they were, and what has become of them. */
import { at, body, client } from "./api";
import type { components } from "./api.gen";

type Schemas = components["schemas"];

/** The numbers of an earlier state beside those of now, and what made the difference. */
export const changesSince = (project: string, question: Schemas["Question"], from: Schemas["DiffPoint"], signal: AbortSignal): Promise<Schemas["DiffReport"]> =>
  body(client.POST("/v1/projects/{id}/query/diff", { params: at(project), body: { question, from }, signal }));
