/**
 * Written by hand after the HTTP contract, in the shape of openapi-typescript. `npm run api:generate` replaces this
 * file by the one generated from `openapi/footfall.json`; only `api.ts` imports it.
 */
export interface paths {
  "/v1/auth/status": { get: Op<None, None, None, { needs_setup: boolean; open_signup: boolean }> };
  "/v1/auth/register": { post: Op<None, None, components["schemas"]["Register"], components["schemas"]["Login"], 201> };
  "/v1/auth/login": { post: Op<None, None, components["schemas"]["Credentials"], components["schemas"]["Login"]> };
  "/v1/auth/refresh": { post: Op<None, None, { refresh_token?: string }, components["schemas"]["Login"]> };
  "/v1/auth/logout": { post: Op<None, None, { refresh_token?: string }, Record<string, never>, 204> };
  "/v1/me": { get: Op<None, None, None, components["schemas"]["Me"]> };
  "/v1/organizations/{id}/members": {
    get: Op<None, Id, None, { data: components["schemas"]["Member"][] }>;
    post: Op<None, Id, components["schemas"]["NewMember"], components["schemas"]["Member"], 201>;
  };
  "/v1/organizations/{id}/members/{user_id}": {
    patch: Op<None, Id & { user_id: string }, { role: string }, components["schemas"]["Member"]>;
    delete: Op<None, Id & { user_id: string }, None, Record<string, never>, 204>;
  };
  "/v1/projects": {
    get: Op<None, None, None, { data: components["schemas"]["Project"][] }>;
    post: Op<
      None,
      None,
      { organization_id: string; name: string; timezone: string },
      components["schemas"]["Project"],
      201
    >;
  };
  "/v1/projects/{id}": {
    get: Op<None, Id, None, components["schemas"]["Project"]>;
    patch: Op<None, Id, { name?: string; timezone?: string }, components["schemas"]["Project"]>;
    delete: Op<None, Id, None, Record<string, never>, 204>;
  };
  "/v1/projects/{id}/keys": {
    get: Op<None, Id, None, { data: components["schemas"]["Key"][] }>;
    post: Op<None, Id, { kind: "write" | "secret"; name: string }, components["schemas"]["Key"], 201>;
  };
  "/v1/projects/{id}/keys/{key_id}": {
    delete: Op<None, Id & { key_id: string }, None, Record<string, never>, 204>;
  };
  "/v1/projects/{id}/active-users": {
    get: Op<
      { from?: string; to?: string; event?: string; exact?: boolean; week_start?: string },
      Id,
      None,
      { data: components["schemas"]["ActiveUsersReport"]; meta: components["schemas"]["Envelope"] }
    >;
  };
  "/v1/projects/{id}/trends": {
    get: Op<
      { event: string[]; from?: string; to?: string; interval?: "hour" | "day" | "week" | "month" },
      Id,
      None,
      { data: components["schemas"]["TrendReport"]; meta: components["schemas"]["Envelope"] }
    >;
  };
  "/v1/projects/{id}/events/names": {
    get: Op<
      { from?: string; to?: string; limit?: number },
      Id,
      None,
      { data: { events: { event: string; count: number }[] }; meta: components["schemas"]["Envelope"] }
    >;
  };
  "/v1/projects/{id}/events": {
    get: Op<
      { event?: string; distinct_id?: string; limit?: number; cursor?: string },
      Id,
      None,
      { data: components["schemas"]["StoredEvent"][]; next_cursor: string | null; has_more: boolean }
    >;
  };
  "/v1/projects/{id}/query": {
    post: Op<
      None,
      Id,
      components["schemas"]["Query"],
      { kind: string; data: unknown; meta: components["schemas"]["Envelope"] }
    >;
  };
}

export interface components {
  schemas: {
    Register: {
      email: string;
      password: string;
      name: string;
      organization: string;
      project?: string;
      timezone?: string;
      cookie?: boolean;
    };
    Credentials: { email: string; password: string; cookie?: boolean };
    Login: {
      access_token: string;
      token_type: string;
      expires_in: number;
      refresh_token?: string;
      user: components["schemas"]["User"];
    };
    User: { id: string; email: string; name: string };
    Me: {
      user: components["schemas"]["User"];
      organizations: { id: string; name: string; role: string }[];
      projects: components["schemas"]["Project"][];
    };
    Member: { user_id: string; email: string; name: string; role: string };
    NewMember: { email: string; role: string; password?: string; name?: string };
    Project: {
      id: string;
      number: number;
      organization_id: string;
      name: string;
      timezone: string;
      created_at: string;
      role: string;
      write_key?: string | null;
    };
    Key: {
      id: string;
      kind: "write" | "secret";
      name: string;
      prefix: string;
      last4: string;
      created_at: string;
      last_used_at?: string | null;
      key?: string | null;
    };
    Envelope: {
      as_of: string;
      complete: boolean;
      approximate: boolean;
      error?: number | null;
      rows_read: number;
      elapsed_ms: number;
      cached: boolean;
      timezone: string;
      warnings: { code: string; detail: string }[];
    };
    ActiveUsersReport: {
      days: components["schemas"]["ActiveDay"][];
      weeks: components["schemas"]["ActivePeriod"][];
      months: components["schemas"]["ActivePeriod"][];
      summary: {
        active: number;
        complete_days: number;
        mean_dau?: number | null;
        mau?: number | null;
        ratio?: number | null;
      };
    };
    ActivePeriod: { start: string; end: string; active: number; final: boolean };
    ActiveDay: {
      date: string;
      dau: number;
      wau: number;
      mau: number;
      stickiness?: number | null;
      final: boolean;
    };
    TrendReport: {
      interval: "hour" | "day" | "week" | "month";
      series: {
        event: string;
        total: number;
        points: { start: string; date?: string | null; count: number; final: boolean }[];
      }[];
    };
    StoredEvent: {
      id: string;
      event: string;
      timestamp: string;
      received_at: string;
      distinct_id: string;
      device_id: string;
      user_id: string;
      session_id?: string | null;
      path: string;
      host: string;
      referrer_host: string;
      browser: string;
      os: string;
      device: string;
      lib: string;
      properties: Record<string, unknown>;
    };
    FunnelReport: {
      steps: components["schemas"]["FunnelStepReport"][];
      overall: { entered: number; converted: number; rate?: number | null; median_ms?: number | null };
      window_ms: number;
      from: string;
      to: string;
      final: boolean;
    };
    FunnelStepReport: {
      index: number;
      name: string;
      events: string[];
      reached: number;
      dropped: number;
      rate_from_start?: number | null;
      rate_from_previous?: number | null;
      drop_off_rate?: number | null;
      median_from_previous_ms?: number | null;
      median_from_start_ms?: number | null;
    };
    ConversionReport: {
      days: { date: string; entered: number; converted: number; rate?: number | null; final: boolean }[];
      total: { entered: number; converted: number; rate?: number | null; median_ms?: number | null };
      window_ms: number;
    };
    Query:
      | { kind: "funnel"; steps: components["schemas"]["FunnelStep"][]; window: string; from: string; to: string }
      | { kind: "conversion"; goal: string; after: string; window: string; from: string; to: string };
    FunnelStep: { event: string } | { events: string[]; name?: string };
    Problem: {
      type: string;
      title: string;
      status: number;
      detail: string;
      code: string;
      message: string;
      errors?: { pointer: string; code: string; detail: string }[];
      retry_after?: number | null;
    };
  };
}

type None = undefined;
type Id = { id: string };
type Op<Query, Path, Body, Answer, Status extends number = 200> = {
  parameters: {
    query?: Query extends None ? never : Query;
    header?: never;
    cookie?: never;
  } & (Path extends None ? { path?: never } : { path: Path });
  requestBody?: Body extends None ? never : { content: { "application/json": Body } };
  responses: { [status in Status]: { headers: Record<string, unknown>; content: { "application/json": Answer } } } & {
    default: {
      headers: Record<string, unknown>;
      content: { "application/problem+json": components["schemas"]["Problem"] };
    };
  };
};
