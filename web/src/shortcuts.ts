/** Keyboard shortcuts: `g` then a letter goes to a page, `?` shows what there is. */
import type { ProjectPage } from "./routes";

export const GO: Record<string, ProjectPage> = {
  o: "overview",
  w: "web",
  t: "trends",
  a: "active",
  f: "funnels",
  p: "paths",
  r: "retention",
  c: "cohorts",
  b: "dashboards",
  q: "saved",
  e: "events",
  d: "schema",
  h: "health",
  s: "settings",
};

/** The second key of a sequence must follow within this time. */
const PATIENCE_MS = 1_200;

/** Turns key presses into actions; pure, so that typing in a field can be told apart by the caller. */
export class Shortcuts {
  #pressedG = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly go: (page: ProjectPage) => void,
    private readonly help: () => void,
  ) {}

  /** True: the key was ours. */
  press(key: string, nowMs: number): boolean {
    const follows = nowMs - this.#pressedG < PATIENCE_MS;
    this.#pressedG = Number.NEGATIVE_INFINITY;
    if (follows && GO[key]) {
      this.go(GO[key]);
      return true;
    }
    if (key === "g") this.#pressedG = nowMs;
    else if (key === "?") this.help();
    else return false;
    return true;
  }
}

/** Whether a key press belongs to a field, or to the browser. */
export function isTyping(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return true;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  // A switch or a slider takes no letters.
  const fields = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, dialog";
  return target.isContentEditable || target.closest(fields) !== null;
}
