/** Calls about what a team saves: questions, dashboards, annotations. */
import { at, body, client, type Answer, type Page } from "./api";
import type { components } from "./api.gen";

type Schemas = components["schemas"];
/** A question is kept as it was sent; the server took it for one. */
type Typed<C> = C extends { kind: "question" } ? Omit<C, "question"> & { question: Schemas["Question"] } : C;
export type SavedContent = Typed<Schemas["SavedContent"]>;
export type Saved = Omit<Schemas["Saved"], "content"> & { content: SavedContent };
export type SavedState = Omit<Schemas["SavedState"], "content"> & { content: SavedContent };
export type SavedRange = Schemas["SavedRange"];
export type Tile = Schemas["Tile"];
export type SavedQuestion = Extract<SavedContent, { kind: "question" }>;
export type Dashboard = Extract<SavedContent, { kind: "dashboard" }>;
export type Annotation = Extract<SavedContent, { kind: "annotation" }>;
/** Something saved whose kind is known. */
export type Of<C extends SavedContent> = Omit<Saved, "content"> & { content: C };
export type ContentOf = { question: SavedQuestion; dashboard: Dashboard; annotation: Annotation };

const typed = (saved: Promise<Schemas["Saved"]>): Promise<Saved> => saved as Promise<unknown> as Promise<Saved>;

const named = (id: string, saved_id: string) => ({ path: { id, saved_id } });
/** Nothing is overwritten that its writer did not see. */
const seen = (version: number | undefined) => (version === undefined ? {} : { header: { "If-Match": `"${version}"` } });

/** Everything of a kind, in its order. */
export async function savedList<K extends keyof ContentOf>(project: string, kind: K, deleted = false, signal?: AbortSignal): Promise<Of<ContentOf[K]>[]> {
  const found: Saved[] = [];
  let cursor: string | null | undefined;
  do {
    const query = { kind, limit: 1_000, ...(deleted ? { deleted } : {}), ...(cursor ? { cursor } : {}) };
    const page = (await body(client.GET("/v1/projects/{id}/saved", { params: { ...at(project), query }, signal }))) as unknown as Page<Saved>;
    found.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor);
  return found as Of<ContentOf[K]>[];
}

export const savedOne = (project: string, id: string, signal?: AbortSignal): Promise<Saved> =>
  typed(body(client.GET("/v1/projects/{id}/saved/{saved_id}", { params: named(project, id), signal })));

export const save = (project: string, content: SavedContent): Promise<Saved> =>
  typed(body(client.POST("/v1/projects/{id}/saved", { params: at(project), body: content })));

export const change = (project: string, id: string, content: SavedContent, version?: number): Promise<Saved> =>
  typed(body(client.PUT("/v1/projects/{id}/saved/{saved_id}", { params: { ...named(project, id), ...seen(version) }, body: content })));

export const remove = (project: string, id: string): Promise<unknown> =>
  body(client.DELETE("/v1/projects/{id}/saved/{saved_id}", { params: named(project, id) }));

export const undo = (project: string, id: string, version?: number): Promise<Saved> =>
  typed(body(client.POST("/v1/projects/{id}/saved/{saved_id}/undo", { params: { ...named(project, id), ...seen(version) } })));

/** Has something back that was deleted. */
export const restore = (project: string, id: string): Promise<Saved> =>
  typed(body(client.POST("/v1/projects/{id}/saved/{saved_id}/restore", { params: named(project, id) })));

/** Puts it before another one, or at the end. */
export const move = (project: string, id: string, before: string | null): Promise<unknown> =>
  body(client.POST("/v1/projects/{id}/saved/{saved_id}/move", { params: named(project, id), body: { before } }));

export const versions = async (project: string, id: string, signal?: AbortSignal): Promise<SavedState[]> =>
  (await body(client.GET("/v1/projects/{id}/saved/{saved_id}/versions", { params: named(project, id), signal }))).data as unknown as SavedState[];

export const restoreVersion = (project: string, saved_id: string, version: number): Promise<Saved> =>
  typed(
    body(
      client.POST("/v1/projects/{id}/saved/{saved_id}/versions/{version}/restore", {
        params: { path: { id: project, saved_id, version } },
      }),
    ),
  );

/** The answer to a saved question, of its own dates or of these. */
export type Result = Answer<unknown> & { kind: string };
export async function result(project: string, id: string, range: SavedRange | null, signal: AbortSignal): Promise<Result> {
  const query = Object.fromEntries(Object.entries(range ?? {}).filter(([, value]) => value != null)) as { last_days?: number; from?: string; to?: string };
  const answer = await body(client.GET("/v1/projects/{id}/saved/{saved_id}/result", { params: { ...named(project, id), query }, signal }));
  return answer as unknown as Result;
}
