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

/** The tallest stack. */
export function tallest(lines: Line[]): number {
  const points = lines[0]?.values.length ?? 0;
  let most = 0;
  for (let point = 0; point < points; point++) {
    most = Math.max(most, lines.reduce((sum, line) => sum + (line.values[point] ?? 0), 0));
  }
  return most;
}

/** Bars from the ground up, in the order of the lines. `top`: the value at the upper edge. */
export function stack(lines: Line[], width: number, height: number, top: number): Piece[] {
  const points = lines[0]?.values.length ?? 0;
  if (points === 0 || width <= 0 || top <= 0) return [];
  const step = width / points;
  // A gap between bars while there is room for one.
  const gap = step >= 6 ? Math.min(10, step * 0.22) : step >= 3 ? 1 : 0;
  const pieces: Piece[] = [];
  for (let point = 0; point < points; point++) {
    let ground = height;
    for (const line of lines) {
      const value = line.values[point] ?? 0;
      if (value <= 0) continue;
      const tall = Math.min(ground, Math.max(LEAST_PX, (value / top) * height));
      ground -= tall;
      pieces.push({ point, color: line.color, x: point * step + gap / 2, y: ground, width: Math.max(0.5, step - gap), height: tall });
    }
  }
  return pieces;
}

/** The point under a place in the plot. */
export function pointAt(x: number, width: number, points: number): number | null {
  if (points === 0 || width <= 0 || x < 0 || x > width) return null;
  return Math.min(points - 1, Math.floor((x / width) * points));
}
