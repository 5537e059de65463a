/** The names that a project knows, for the editors of a page. */
import { untrack } from "svelte";
import type { Project } from "./api";
import { setSuggestions, Suggestions } from "./components/suggestions.svelte";
import type { Suggested } from "./suggested";

export interface Known {
  readonly events: Suggested[];
  /** Whether the names have come, or could not. */
  readonly looked: boolean;
}

/** Looks at the schema, and lets the editors below suggest from it. Call it while a page is being set up. */
export function knownNames(project: () => Project): Known {
  // A project's page is mounted anew for every project.
  const suggestions = untrack(() => new Suggestions(project().id));
  setSuggestions(suggestions);
  suggestions.lookAtEvents();
  return {
    get events() {
      return suggestions.names;
    },
    get looked() {
      return suggestions.looked;
    },
  };
}
