/**
 * What the project's cohorts are called: questions and answers hold their ids. Whoever shows one asks here; names that
 * are not known yet are fetched once, and whatever shows them follows.
 */
import { SvelteMap } from "svelte/reactivity";

interface Named {
  id: string;
  name: string;
}

const names = new SvelteMap<string, string>();
/** Ids that somebody wants to show and that nobody fetched yet. */
const wanted = new Set<string>();
/** Ids that were looked for; those without a name are no cohorts any more. */
const sought = new Set<string>();
let project: string | null = null;

/** The name of a cohort; undefined while it is not known, and of one that is gone. */
export function cohortName(id: string): string | undefined {
  const name = names.get(id);
  if (name === undefined && id !== "" && !sought.has(id)) {
    wanted.add(id);
    fetchWanted();
  }
  return name;
}

/** Remembers what somebody fetched anyway. */
export function nameCohorts(cohorts: Named[]): void {
  for (const { id, name } of cohorts) if (names.get(id) !== name) names.set(id, name);
}

/** Of which project the ids are from now on. */
export function namesOf(id: string): void {
  if (project !== id) sought.clear();
  project = id;
  fetchWanted();
}

function fetchWanted(): void {
  const of = project;
  if (of === null || wanted.size === 0) return;
  for (const id of wanted) sought.add(id);
  wanted.clear();
  import("../api-cohorts").then(({ cohorts }) => cohorts(of)).then(nameCohorts, () => sought.clear());
}
