/** The arithmetic of stacked bars, apart from drawing. */
import type { Line } from "./series";

/** A piece of a bar, in pixels from the top left of the plot. */
export interface Piece {
  point: number;
  color: Line["color"];
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A few rejected events among thousands must not vanish: pieces of something are at least this tall. */
export const LEAST_PX = 2;

/** One day alone is a bar, not a wall. */
const WIDEST_PX = 72;

/** How far the stacks reach up, and how far down. */
export function reach(lines: Line[]): { up: number; down: number } {
  const points = lines[0]?.values.length ?? 0;
  const found = { up: 0, down: 0 };
  for (let point = 0; point < points; point++) {
    const sum = (sign: 1 | -1) => lines.reduce((all, line) => all + Math.max(0, sign * (line.values[point] ?? 0)), 0);
    found.up = Math.max(found.up, sum(1));
    found.down = Math.max(found.down, sum(-1));
  }
  return found;
}

/** The tallest stack. */
export const tallest = (lines: Line[]): number => reach(lines).up;

/**
 * Bars from the ground up, in the order of the lines; negative values go down from the ground. `top` and `bottom`: the
 * values at the upper and the lower edge.
 */
export function stack(lines: Line[], width: number, height: number, top: number, bottom = 0): Piece[] {
  const points = lines[0]?.values.length ?? 0;
  const span = top - bottom;
  if (points === 0 || width <= 0 || span <= 0) return [];
  const step = width / points;
  // A gap between bars while there is room for one.
  const gap = step >= 6 ? Math.min(10, step * 0.22) : step >= 3 ? 1 : 0;
  const wide = Math.min(WIDEST_PX, Math.max(0.5, step - gap));
  const zero = (top / span) * height;
  const pieces: Piece[] = [];
  for (let point = 0; point < points; point++) {
    let up = zero;
    let down = zero;
    for (const line of lines) {
      const value = line.values[point] ?? 0;
      if (value === 0) continue;
      const room = value > 0 ? up : height - down;
      const tall = Math.min(room, Math.max(LEAST_PX, (Math.abs(value) / span) * height));
      if (value > 0) up -= tall;
      const y = value > 0 ? up : down;
      if (value < 0) down += tall;
      pieces.push({ point, color: line.color, x: point * step + (step - wide) / 2, y, width: wide, height: tall });
    }
  }
  return pieces;
}

/** The point under a place in the plot. */
export function pointAt(x: number, width: number, points: number): number | null {
  if (points === 0 || width <= 0 || x < 0 || x > width) return null;
  return Math.min(points - 1, Math.floor((x / width) * points));
}
