/** The names that a project knows, for the editors of a page. */
import { untrack } from "svelte";
import * as api from "./api";
import type { Project } from "./api";
import { setSuggestions, Suggestions } from "./components/suggestions.svelte";
import { presetRange, type LocalDate } from "./range";
import { Resource } from "./resource.svelte";

export interface Known {
  readonly events: api.EventName[];
  /** Whether the names have come, or could not. */
  readonly looked: boolean;
}

/**
 * Looks at the last quarter (a question may name an event that the chosen dates do not hold), and lets the editors
 * below suggest from it. Call it while a page is being set up.
 */
export function knownNames(project: () => Project, today: () => LocalDate): Known {
  const suggestions = untrack(() => new Suggestions(project().id));
  setSuggestions(suggestions);
  const names = new Resource<api.Answer<api.EventNames>>();
  const quarter = $derived([project().id, today()].join());
  $effect(() => {
    void quarter;
    untrack(() => void names.ask((signal) => api.eventNames(project().id, presetRange("90d", today()), 200, signal)));
  });
  $effect(() => {
    suggestions.names = names.value?.data.events ?? [];
  });
  return {
    get events() {
      return names.value?.data.events ?? [];
    },
    get looked() {
      return names.value !== null || names.problem !== null;
    },
  };
}
