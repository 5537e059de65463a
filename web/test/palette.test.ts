import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("../src/app.css", import.meta.url), "utf8");

/** A token's colour in a theme, from the stylesheet itself. */
function token(name: string, theme: "light" | "dark"): [number, number, number] {
  const found = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(css);
  if (!found) throw new Error(`no token --${name}`);
  const hex = found[theme === "light" ? 1 : 2]!;
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as [number, number, number];
}

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function luminance(rgb: [number, number, number]): number {
  const [r, g, b] = rgb.map((part) => {
    const value = part / 255;
    return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
function contrast(a: string, b: string, theme: "light" | "dark"): number {
  const [dark, light] = [luminance(token(a, theme)), luminance(token(b, theme))].sort((x, y) => x - y);
  return (light! + 0.05) / (dark! + 0.05);
}

for (const theme of ["light", "dark"] as const) {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(`series %i stands out from the surface, ${theme}`, (number) => {
    expect(contrast(`series-${number}`, "surface", theme)).toBeGreaterThanOrEqual(3);
  });
  test.each([
    ["ink", "ground"],
    ["ink-soft", "ground"],
    ["ink-faint", "surface"],
    ["ink-faint", "raised"],
    ["accent", "accent-soft"],
    ["on-accent", "accent"],
    ["good", "surface"],
    ["bad", "bad-soft"],
    ["warn", "surface"],
    ["warn", "warn-soft"],
  ])(`text %s is readable on %s, ${theme}`, (text, ground) => {
    expect(contrast(text, ground, theme)).toBeGreaterThanOrEqual(4.5);
  });
  test(`borders of fields can be seen, ${theme}`, () => {
    expect(contrast("line-strong", "raised", theme)).toBeGreaterThanOrEqual(3);
  });
}
