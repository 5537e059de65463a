/**
 * What editors suggest while one types: events, properties and values from the project's schema. Hidden names are left
 * out, verified ones come first. Where a list is longer than a page, what is being typed is looked for at the server.
 * Never a limit: free text stays possible everywhere.
 */
import { createContext } from "svelte";
import { SvelteMap } from "svelte/reactivity";
import type { Cohort } from "../api-cohorts";
import { schemaEvents, schemaProperties, schemaValues, type PropertyKind } from "../api-schema";
import { nameCohorts } from "../cohorts/names";
import { CAPTURED } from "../filter-query";
import { ofEvents, ofProperties, ofValues, type Suggested } from "../suggested";

/** Names and values that are fetched at once. */
const PAGE = { names: 200, values: 100 };
/** A pause in typing after which it is looked for. */
const PAUSE_MS = 200;

interface List {
  lines: Suggested[];
  /** Whether there are more than these. */
  more: boolean;
}
const NOTHING: List = { lines: [], more: false };

export class Suggestions {
  /** Of the project, once somebody asked for them. */
  cohorts = $state.raw<Pick<Cohort, "id" | "name">[]>([]);
  #askedForCohorts = false;
  /** Whether the names of events have come, or could not. */
  looked = $state(false);
  #project: string;
  #lists = new SvelteMap<string, List>();
  #asked = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(project: string) {
    this.#project = project;
  }

  get names(): Suggested[] {
    return this.#list("events").lines;
  }

  /** Fetches the names of events, once. */
  lookAtEvents(): void {
    this.#fetch("events", () => this.#events(""));
  }

  /** Fetches the properties of an event (empty: of any) and of persons, once. */
  look(event: string): void {
    for (const kind of ["event", "person"] as const) this.#fetch(key(kind, event), () => this.#properties(kind, event, ""));
  }

  /** Looks at the project's cohorts, once. */
  lookAtCohorts(): void {
    if (this.#askedForCohorts) return;
    this.#askedForCohorts = true;
    import("../api-cohorts")
      .then(({ cohorts }) => cohorts(this.#project))
      .then(
        (found) => (nameCohorts(found), (this.cohorts = found)),
        () => (this.#askedForCohorts = false),
      );
  }

  /** Fetches the values of a property, once. */
  lookAtValues(kind: PropertyKind, event: string, property: string): void {
    if (property) this.#fetch(key(kind, event, property), () => this.#values(kind, event, property, ""));
  }

  properties(kind: PropertyKind, event: string): Suggested[] {
    return this.#list(key(kind, event)).lines;
  }

  values(kind: PropertyKind, event: string, property: string): Suggested[] {
    return this.#list(key(kind, event, property)).lines;
  }

  /** While a name is typed that may lie beyond the first page. */
  searchEvents(text: string): void {
    this.#search("events", text, () => this.#events(text));
  }

  searchProperties(kind: PropertyKind, event: string, text: string): void {
    this.#search(key(kind, event), text, () => this.#properties(kind, event, text));
  }

  searchValues(kind: PropertyKind, event: string, property: string, text: string): void {
    this.#search(key(kind, event, property), text, () => this.#values(kind, event, property, text));
  }

  async #events(search: string): Promise<List> {
    const { data } = await schemaEvents(this.#project, { order: "suggested", limit: PAGE.names, search }, never());
    return { lines: ofEvents(data.events), more: data.has_more };
  }

  async #properties(kind: PropertyKind, event: string, search: string): Promise<List> {
    const { data } = await schemaProperties(this.#project, { kind, event, order: "suggested", limit: PAGE.names, search }, never());
    const captured = kind === "event" && search === "" ? CAPTURED : [];
    return { lines: ofProperties(data.properties, captured), more: data.has_more };
  }

  async #values(kind: PropertyKind, event: string, property: string, search: string): Promise<List> {
    const { data } = await schemaValues(this.#project, property, { kind, event, limit: PAGE.values, search }, never());
    return { lines: ofValues(data.values), more: data.values.length >= PAGE.values };
  }

  #list(of: string): List {
    return this.#lists.get(of) ?? NOTHING;
  }

  #fetch(of: string, fetch: () => Promise<List>): void {
    if (this.#asked.has(of)) return;
    this.#asked.add(of);
    fetch()
      .then(
        (list) => this.#lists.set(of, list),
        // Suggestions are a convenience: without them one writes.
        () => this.#asked.delete(of),
      )
      .finally(() => {
        if (of === "events") this.looked = true;
      });
  }

  /** Adds what is found to the lines that are there. */
  #search(of: string, text: string, fetch: () => Promise<List>): void {
    clearTimeout(this.#timer);
    if (text.trim() === "" || !this.#list(of).more) return;
    this.#timer = setTimeout(() => {
      void fetch().then(
        ({ lines }) => {
          const known = this.#list(of);
          const seen = new Set(known.lines.map(({ event }) => event));
          this.#lists.set(of, { ...known, lines: [...known.lines, ...lines.filter(({ event }) => !seen.has(event))] });
        },
        () => undefined,
      );
    }, PAUSE_MS);
  }
}

const key = (...parts: string[]) => JSON.stringify(parts);
/** A list that is fetched once is worth waiting for. */
const never = () => new AbortController().signal;

export const [getSuggestions, setSuggestions] = createContext<Suggestions>();
