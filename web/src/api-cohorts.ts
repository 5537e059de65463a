/** Calls about cohorts: what they mean, who belongs to them, and why. */
import { at, body, client, type Answer, type Page } from "./api";
import type { components } from "./api.gen";

type Schemas = components["schemas"];
export type Cohort = Schemas["Cohort"];
export type Rules = Schemas["RuleQuery"];
export type Verdict = Schemas["RuleVerdict"];
export type Membership = Schemas["Membership"];
export type Member = Schemas["CohortMember"];

/** All of a project: at most 200, which one page holds. */
export const cohorts = async (project: string, signal?: AbortSignal): Promise<Cohort[]> =>
  (await body(client.GET("/v1/projects/{id}/cohorts", { params: { ...at(project), query: { limit: 1000 } }, ...(signal ? { signal } : {}) }))).data;

const one = (id: string, cohort_id: string) => ({ path: { id, cohort_id } });

export const createCohort = (project: string, cohort: Schemas["NewCohort"]): Promise<Cohort> =>
  body(client.POST("/v1/projects/{id}/cohorts", { params: at(project), body: cohort }));

export const changeCohort = (project: string, cohort: string, change: Schemas["CohortPatch"]): Promise<Cohort> =>
  body(client.PATCH("/v1/projects/{id}/cohorts/{cohort_id}", { params: one(project, cohort), body: change }));

export const deleteCohort = (project: string, cohort: string) =>
  body(client.DELETE("/v1/projects/{id}/cohorts/{cohort_id}", { params: one(project, cohort) }));

/** Finds its members now. */
export const refreshCohort = (project: string, cohort: string): Promise<Cohort> =>
  body(client.POST("/v1/projects/{id}/cohorts/{cohort_id}/refresh", { params: one(project, cohort) }));

/** How many people rules mean, without saving them. */
export const previewCohort = (project: string, definition: Rules, signal: AbortSignal): Promise<Answer<{ size: number }>> =>
  body(client.POST("/v1/projects/{id}/cohorts/preview", { params: at(project), body: { definition }, signal }));

export const cohortMembers = (project: string, cohort: string, cursor: string | null, limit: number, signal: AbortSignal): Promise<Page<Member>> =>
  body(
    client.GET("/v1/projects/{id}/cohorts/{cohort_id}/members", {
      params: { ...one(project, cohort), query: { limit, ...(cursor ? { cursor } : {}) } },
      signal,
    }),
  );

/** Why somebody belongs to it, or does not. */
export const membership = (project: string, cohort: string, distinct_id: string, signal: AbortSignal): Promise<Answer<Membership>> =>
  body(
    client.GET("/v1/projects/{id}/cohorts/{cohort_id}/members/{distinct_id}", {
      params: { path: { id: project, cohort_id: cohort, distinct_id } },
      signal,
    }),
  );

/** Ids that one call takes. */
export const MAX_IDS = 20_000;

export const uploadIds = (project: string, cohort: string, distinct_ids: string[], mode: "append" | "replace"): Promise<Cohort> =>
  body(
    client.PUT("/v1/projects/{id}/cohorts/{cohort_id}/members", {
      params: { ...one(project, cohort), query: { mode } },
      body: { distinct_ids },
    }),
  );
