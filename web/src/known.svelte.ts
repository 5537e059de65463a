/** Names that a project knows: its events, and the properties that its newest events carry. Suggestions, not limits. */
import * as api from "./api";
import type { Project } from "./api";
import { presetRange, type LocalDate } from "./range";
import { Resource } from "./resource.svelte";

/** Properties that capture finds out by itself. */
export const FOUND_OUT = [
  "$path", "$host", "$referrer_host", "$utm_source", "$utm_medium", "$utm_campaign", "$country", "$region", "$city",
  "$browser", "$os", "$device", "$lib", "$amount", "$currency",
];

export interface KnownNames {
  events: api.EventName[];
  /** Of events, the own ones first. */
  properties: string[];
  /** Of persons. */
  person: string[];
}

/** Own names, then what capture found out. `$set` and its like are how persons get their properties. */
export function namesOf(sample: Pick<api.StoredEvent, "properties">[]): Pick<KnownNames, "properties" | "person"> {
  const own = new Set<string>();
  const person = new Set<string>();
  for (const { properties } of sample) {
    for (const [name, value] of Object.entries((properties ?? {}) as Record<string, unknown>)) {
      if (!name.startsWith("$")) own.add(name);
      else if ((name === "$set" || name === "$set_once") && typeof value === "object" && value !== null) {
        for (const one of Object.keys(value)) person.add(one);
      }
    }
  }
  return { properties: [...[...own].sort(), ...FOUND_OUT], person: [...person].sort() };
}

export class Known {
  readonly #names = new Resource<KnownNames>();

  /** Looks at the last quarter: a question may name an event that the chosen dates do not hold. */
  look(project: Project, today: LocalDate): void {
    void this.#names.ask(async (signal) => {
      const { data } = await api.eventNames(project.id, presetRange("90d", today), 200, signal);
      // A few of each frequent event: the newest hundred alone may be of one kind.
      const pages = await Promise.all(
        data.events.slice(0, 12).map((name) => api.events(project.id, { event: name.event, limit: 20 }, signal)),
      );
      return { events: data.events, ...namesOf(pages.flatMap((page) => page.data)) };
    });
  }

  get events(): api.EventName[] {
    return this.#names.value?.events ?? [];
  }

  get properties(): string[] {
    return this.#names.value?.properties ?? FOUND_OUT;
  }

  get person(): string[] {
    return this.#names.value?.person ?? [];
  }

  /** Whether the names have come (or could not). */
  get looked(): boolean {
    return this.#names.value !== null || this.#names.problem !== null;
  }
}
