/** The colour theme: the system's, unless the person chose. `public/theme.js` applies the choice before first paint. */

export const THEMES = ["system", "light", "dark"] as const;
export type ThemeName = (typeof THEMES)[number];

const STORED = "footfall.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

class Theme {
  chosen = $state<ThemeName>((document.documentElement.dataset.theme as ThemeName | undefined) ?? "system");
  #system = $state<"light" | "dark">(dark.matches ? "dark" : "light");
  /** What is on screen. Canvas charts read their colours again when it changes. */
  readonly shown: "light" | "dark" = $derived(this.chosen === "system" ? this.#system : this.chosen);

  constructor() {
    dark.addEventListener("change", () => (this.#system = dark.matches ? "dark" : "light"));
  }

  choose(name: ThemeName): void {
    this.chosen = name;
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    try {
      if (name === "system") localStorage.removeItem(STORED);
      else localStorage.setItem(STORED, name);
    } catch {
      // Storage is blocked: the choice lasts until the reload.
    }
  }
}

export const theme = new Theme();
