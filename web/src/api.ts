/**
 * Calls to the server, typed by the OpenAPI document: accounts, projects, questions. Only this file, `api-health.ts` and
 * `api-privacy.ts` know paths and the shapes of requests: pages know their functions and types.
 */
import createClient from "openapi-fetch";
import { authorizedFetch, setToken } from "./access";
import type { components, paths } from "./api.gen";
import type { FunnelQuestion } from "./funnel/question";
import { shownPast } from "./past/shown";
import type { DateRange } from "./range";

type Schemas = components["schemas"];
type RetentionBody = Extract<Schemas["Question"], { kind: "retention" }>;
type PathsBody = Extract<Schemas["Question"], { kind: "paths" }>;
type TrendBody = Extract<Schemas["Question"], { kind: "trends" }>;
export type Me = Schemas["Me"];
export type Project = Schemas["Project"];
export type Key = Schemas["ApiKey"];
export type Member = Schemas["Member"];
export type NewMember = Schemas["AddMemberRequest"];
export type Envelope = Schemas["Envelope"];
export type ActiveUsersReport = Schemas["ActiveUsersReport"];
export type ActiveDay = Schemas["ActiveDay"];
export type TrendReport = Schemas["TrendReport"];
export type LifecycleReport = Schemas["LifecycleReport"];
export type StickinessReport = Schemas["StickinessReport"];
export type FunnelReport = Schemas["FunnelReport"];
export type FunnelStepReport = Schemas["FunnelStepReport"];
export type ConversionReport = Schemas["ConversionReport"];
export type PathsReport = Schemas["PathsReport"];
export type RetentionReport = Schemas["RetentionReport"];
export type WebReport = Schemas["WebReport"];
export type VisitFigures = Schemas["VisitFigures"];
export type StoredEvent = Schemas["StoredEvent"];
export type EventName = Schemas["EventTotal"];
export type EventNames = Schemas["EventNames"];
export type Now = Schemas["Now"];

/** An analytics answer: the report, and how far it can be trusted. */
export interface Answer<T> {
  data: T;
  meta: Envelope;
}

/** One page of a list. */
export interface Page<T> {
  data: T[];
  next_cursor?: string | null;
  has_more: boolean;
}

/** Member of an organization, and what they may do. */
export const ROLES = ["owner", "admin", "member", "viewer"] as const;

/** A refusal, from the server's problem document (RFC 9457). `status` 0: the server could not be reached. */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    detail: string,
    readonly errors: { pointer: string; code: string; detail: string }[] = [],
  ) {
    super(detail);
  }

  /** Reads whatever an error answer holds. */
  static of(status: number, body: unknown): ApiProblem {
    const problem = (typeof body === "object" && body !== null ? body : {}) as Partial<Schemas["Problem"]>;
    return new ApiProblem(
      status,
      problem.code ?? "unknown",
      problem.title ?? `The server answered ${status}`,
      problem.detail ?? "The answer holds no explanation; the server's log may.",
      problem.errors ?? [],
    );
  }

  /** What any failure of a call means to a person. */
  static from(error: unknown): ApiProblem {
    if (error instanceof ApiProblem) return error;
    return new ApiProblem(
      0,
      "unreachable",
      "The server cannot be reached",
      "Check that footfall is running and that this device is online, then try again.",
    );
  }
}

export const client = createClient<paths>({
  baseUrl: location.origin,
  fetch: authorizedFetch,
  querySerializer: { array: { style: "form", explode: true } },
});

/** The body of a successful answer; throws an [`ApiProblem`] otherwise. */
export async function body<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let answer;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw ApiProblem.from(error);
  }
  if (!answer.response.ok) throw ApiProblem.of(answer.response.status, answer.error);
  return answer.data as T;
}

/** The parameters of a path that names one thing. */
export const at = (id: string) => ({ path: { id } });

// Accounts

export const authStatus = () => body(client.GET("/v1/auth/status"));

export async function login(email: string, password: string): Promise<void> {
  const answer = await body(client.POST("/v1/auth/login", { body: { email, password, cookie: true } }));
  setToken(answer.access_token);
}

/** The first person of an installation; also signs them in. */
export async function register(account: Omit<Schemas["RegisterRequest"], "cookie">): Promise<void> {
  const answer = await body(client.POST("/v1/auth/register", { body: { ...account, cookie: true } }));
  setToken(answer.access_token);
}

export async function logout(): Promise<void> {
  await body(client.POST("/v1/auth/logout", { body: {} })).finally(() => setToken(null));
}

export const me = (): Promise<Me> => body(client.GET("/v1/me"));

export const members = async (organization: string): Promise<Member[]> =>
  (await body(client.GET("/v1/organizations/{id}/members", { params: at(organization) }))).data;

/** `account_created` false: they had an account already, whose name and password stay as they were. */
export const addMember = (organization: string, member: NewMember): Promise<Schemas["AddedMember"]> =>
  body(client.POST("/v1/organizations/{id}/members", { params: at(organization), body: member }));

export const removeMember = (organization: string, user_id: string) =>
  body(
    client.DELETE("/v1/organizations/{id}/members/{user_id}", { params: { path: { id: organization, user_id } } }),
  );

export const changeRole = (organization: string, user_id: string, role: Member["role"]): Promise<Member> =>
  body(
    client.PATCH("/v1/organizations/{id}/members/{user_id}", {
      params: { path: { id: organization, user_id } },
      body: { role },
    }),
  );

/** Ends all other sessions of the caller. */
export const changePassword = (current_password: string, new_password: string) =>
  body(client.POST("/v1/me/password", { body: { current_password, new_password } }));

export const createOrganization = (name: string): Promise<Me["organizations"][number]> =>
  body(client.POST("/v1/organizations", { body: { name } }));

// Projects and keys

export const createProject = (organization_id: string, name: string, timezone: string): Promise<Project> =>
  body(client.POST("/v1/projects", { body: { organization_id, name, timezone } }));

export const updateProject = (id: string, change: { name?: string; timezone?: string }): Promise<Project> =>
  body(client.PATCH("/v1/projects/{id}", { params: at(id), body: change }));

/** `confirm`: the project's exact name. */
export const deleteProject = (id: string, confirm: string) =>
  body(client.DELETE("/v1/projects/{id}", { params: { ...at(id), query: { confirm } } }));

export const keys = async (project: string): Promise<Key[]> =>
  (await body(client.GET("/v1/projects/{id}/keys", { params: at(project) }))).data;

export const createKey = (project: string, kind: Key["kind"], name: string): Promise<Key> =>
  body(client.POST("/v1/projects/{id}/keys", { params: at(project), body: { kind, name } }));

export const revokeKey = (project: string, key_id: string) =>
  body(client.DELETE("/v1/projects/{id}/keys/{key_id}", { params: { path: { id: project, key_id } } }));

// Questions

const dates = ({ from, to }: DateRange) => ({ from, to });

export const activeUsers = (
  project: string,
  range: DateRange,
  exact: boolean,
  signal: AbortSignal,
): Promise<Answer<ActiveUsersReport>> =>
  body(
    client.GET("/v1/projects/{id}/active-users", {
      params: { ...at(project), query: { ...dates(range), ...(exact ? { exact } : {}) } },
      signal,
    }),
  );

export const trends = (
  project: string,
  event: string[],
  range: DateRange,
  interval: TrendReport["interval"],
  signal: AbortSignal,
): Promise<Answer<TrendReport>> =>
  body(
    client.GET("/v1/projects/{id}/trends", {
      params: { ...at(project), query: { event, ...dates(range), interval } },
      signal,
    }),
  );

/** A trend in the API's own words: several series, measures, filters, a breakdown, a formula. */
export const trend = (project: string, question: TrendBody, signal: AbortSignal): Promise<Answer<TrendReport>> =>
  query<TrendReport>(project, question, signal);

export const lifecycle = (
  project: string,
  question: Omit<Schemas["LifecycleQuery"], "from" | "to">,
  range: DateRange,
  signal: AbortSignal,
): Promise<Answer<LifecycleReport>> => query<LifecycleReport>(project, { kind: "lifecycle", ...question, ...dates(range) }, signal);

export const stickiness = (
  project: string,
  question: Omit<Schemas["StickinessQuery"], "from" | "to">,
  range: DateRange,
  signal: AbortSignal,
): Promise<Answer<StickinessReport>> => query<StickinessReport>(project, { kind: "stickiness", ...question, ...dates(range) }, signal);

export const active = (
  project: string,
  question: Omit<Schemas["ActiveUsersQuery"], "from" | "to">,
  range: DateRange,
  signal: AbortSignal,
): Promise<Answer<ActiveUsersReport>> => query<ActiveUsersReport>(project, { kind: "active_users", ...question, ...dates(range) }, signal);

export const eventNames = (
  project: string,
  range: DateRange,
  limit: number,
  signal: AbortSignal,
): Promise<Answer<EventNames>> =>
  body(
    client.GET("/v1/projects/{id}/events/names", {
      params: { ...at(project), query: { ...dates(range), limit } },
      signal,
    }),
  );

/** Newest first. Empty filters do not filter. */
export const events = (
  project: string,
  filter: { event?: string; distinct_id?: string; cursor?: string; limit: number },
  signal: AbortSignal,
): Promise<Page<StoredEvent>> => {
  const query = Object.fromEntries(Object.entries(filter).filter(([, value]) => value)) as typeof filter;
  return body(client.GET("/v1/projects/{id}/events", { params: { ...at(project), query }, signal }));
};

export const funnel = (
  project: string,
  question: FunnelQuestion,
  range: DateRange,
  signal: AbortSignal,
): Promise<Answer<FunnelReport>> =>
  query<FunnelReport>(project, { kind: "funnel", ...question, ...dates(range) }, signal);

export const conversion = (
  project: string,
  after: string,
  goal: string,
  window: string,
  range: DateRange,
  signal: AbortSignal,
): Promise<Answer<ConversionReport>> =>
  query<ConversionReport>(project, { kind: "conversion", after, goal, window, ...dates(range) }, signal);

export const pathsOf = (project: string, question: PathsBody, signal: AbortSignal): Promise<Answer<PathsReport>> =>
  query<PathsReport>(project, question, signal);

export const retention = (project: string, question: RetentionBody, signal: AbortSignal): Promise<Answer<RetentionReport>> =>
  query<RetentionReport>(project, question, signal);

export const web = (project: string, question: Schemas["WebQuery"], signal: AbortSignal): Promise<Answer<WebReport>> =>
  query<WebReport>(project, { kind: "web", ...question }, signal);

// One route answers every kind of question; the report's type follows from the kind that was asked.
// An address that says as of when means all that its page asks.
async function query<T>(project: string, question: Schemas["Question"], signal: AbortSignal): Promise<Answer<T>> {
  const past = shownPast();
  const answer = await body(
    client.POST("/v1/projects/{id}/query", { params: { ...at(project), ...(past ? { query: past } : {}) }, body: question, signal }),
  );
  return answer as unknown as Answer<T>;
}

/** The live stream of a project (`text/event-stream`): messages `events` and `now`. */
export const openLive = (project: string, signal: AbortSignal): Promise<Response> =>
  authorizedFetch(
    new Request(`${location.origin}/v1/projects/${project}/live`, {
      headers: { Accept: "text/event-stream" },
      signal,
    }),
  );
