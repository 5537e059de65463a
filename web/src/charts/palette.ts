/** The theme's colours for a canvas, which knows no custom properties. */

/** Resolves colour tokens (`--series-1`) as the element sees them right now, `light-dark()` included. */
export function resolveColors<Name extends string>(element: HTMLElement, names: readonly Name[]): Record<Name, string> {
  const probe = document.createElement("span");
  probe.hidden = true;
  element.append(probe);
  const colors = {} as Record<Name, string>;
  for (const name of names) {
    probe.style.color = `var(${name})`;
    colors[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return colors;
}
