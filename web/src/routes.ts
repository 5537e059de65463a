/**
 * The pages and their addresses. Pure: which page an address means, and the address of a page. What the browser is
 * showing right now is in `router.svelte.ts`.
 */

/** Pages inside a project, in the order of the navigation. */
export const PROJECT_PAGES = ["overview", "web", "trends", "active", "funnels", "paths", "retention", "people", "cohorts", "dashboards", "saved", "events", "schema", "health", "settings"] as const;
export type ProjectPage = (typeof PROJECT_PAGES)[number];

export type Route =
  | { page: "home" }
  | { page: "login" }
  | { page: "setup" }
  /** `project` is the project's number; null: whichever was looked at last. */
  | { page: ProjectPage; project: number | null }
  | { page: "missing"; path: string };

/** Which page a path means. */
export function match(path: string): Route {
  const parts = path.split("/").filter(Boolean);
  const [first, second, third, ...more] = parts;
  if (!first) return { page: "home" };
  if (parts.length === 1 && (first === "login" || first === "setup")) return { page: first };
  if (parts.length === 1 && isProjectPage(first)) return { page: first, project: null };
  if (first === "p" && second && /^\d{1,10}$/.test(second) && more.length === 0) {
    const page = third ?? "overview";
    if (isProjectPage(page)) return { page, project: Number(second) };
  }
  return { page: "missing", path };
}

/** The address of a project's page. Repeated parameters keep their order. */
export function href(project: number, page: ProjectPage, query: Iterable<[string, string]> = []): string {
  const text = new URLSearchParams([...query]).toString();
  return `/p/${project}/${page}${text ? `?${text}` : ""}`;
}

export function isProjectPage(text: string): text is ProjectPage {
  return (PROJECT_PAGES as readonly string[]).includes(text);
}

/** Parameters that follow a person from page to page: the dates, and as of when. */
export function carried(query: URLSearchParams): [string, string][] {
  return [...query].filter(([name]) => ["range", "from", "to", "as_of", "identity"].includes(name));
}

/** Where to go after signing in: only an address of our own, never another site's. */
export function returnPath(query: URLSearchParams): string {
  const next = query.get("next");
  return next && /^\/(?![/\\])/.test(next) ? next : "/";
}

/** A page's name for people. */
export const PAGE_NAMES: Record<ProjectPage, string> = {
  overview: "Overview",
  web: "Web",
  trends: "Trends",
  active: "Active users",
  funnels: "Funnels",
  paths: "Paths",
  retention: "Retention",
  cohorts: "Cohorts",
  dashboards: "Dashboards",
  saved: "Saved",
  people: "People",
  events: "Events",
  schema: "Data",
  health: "Data health",
  settings: "Settings",
};

/** The name where the pages share a phone's width. */
export const SHORT_NAMES: Partial<Record<ProjectPage, string>> = { active: "Users", dashboards: "Boards", health: "Health" };
