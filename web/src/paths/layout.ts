/** Where a graph of paths is drawn: a column for each position, a bar for each node, a band for each edge. Pure. */
import type { PathNode, PathsReport } from "./query";

export interface Size {
  width: number;
  /** Height of a bar that stands for every path. */
  height: number;
}

export interface Box {
  /** Position, from 1, and place in it, from 0. */
  position: number;
  place: number;
  node: PathNode;
  x: number;
  y: number;
  /** Of the bar: true to the count. Its slot may be higher, for its name. */
  height: number;
  slot: number;
}

export interface Band {
  from: Box;
  to: Box;
  count: number;
  /** The outline of the band, for `<path d>`. */
  path: string;
}

/** What ends at a node: a stub that falls off behind it. */
export interface Stub {
  box: Box;
  count: number;
  path: string;
}

export interface Drawing {
  boxes: Box[];
  bands: Band[];
  stubs: Stub[];
  /** From one column to the next. */
  column: number;
  height: number;
}

/** A bar's width, the room of a name, and what keeps two slots apart. */
export const BAR = 10;
export const SLOT = 36;
const GAP = 8;
const STUB = 16;

/** Columns from left to right; `backward`: from right to left, the anchor at the right end. */
export function layout(report: Pick<PathsReport, "positions" | "edges" | "paths">, { width, height }: Size, backward: boolean): Drawing {
  const columns = report.positions.length;
  const column = columns > 0 ? width / columns : width;
  const scale = report.paths > 0 ? height / report.paths : 0;
  const boxes = new Map<string, Box>();
  let lowest = 0;
  for (const { position, nodes } of report.positions) {
    let y = 0;
    nodes.forEach((node, place) => {
      const bar = Math.max(2, node.count * scale);
      const slot = Math.max(SLOT, bar);
      const x = backward ? width - (position - 1) * column - BAR : (position - 1) * column;
      boxes.set(`${position} ${place}`, { position, place, node, x, y, height: bar, slot });
      y += slot + GAP;
      lowest = Math.max(lowest, y - GAP);
    });
  }
  // Bands leave a bar in the order of their ends, and come in the order of their starts: none crosses without need.
  const edges = [...report.edges].sort((a, b) => a.position - b.position || a.from - b.from || a.to - b.to);
  const left = new Map<Box, number>();
  const came = new Map<Box, number>();
  const side = (box: Box, out: boolean) => box.x + (out === backward ? 0 : BAR);
  const bands: Band[] = [];
  const starts = new Map<(typeof edges)[number], number>();
  for (const edge of edges) {
    const from = boxes.get(`${edge.position} ${edge.from}`);
    if (!from) continue;
    starts.set(edge, from.y + (left.get(from) ?? 0));
    left.set(from, (left.get(from) ?? 0) + edge.count * scale);
  }
  for (const edge of [...edges].sort((a, b) => a.position - b.position || a.to - b.to || a.from - b.from)) {
    const from = boxes.get(`${edge.position} ${edge.from}`);
    const to = boxes.get(`${edge.position + 1} ${edge.to}`);
    if (!from || !to) continue;
    const thick = Math.max(1, edge.count * scale);
    const y2 = to.y + (came.get(to) ?? 0);
    came.set(to, (came.get(to) ?? 0) + edge.count * scale);
    bands.push({ from, to, count: edge.count, path: band(side(from, true), starts.get(edge)!, side(to, false), y2, thick) });
  }
  const stubs: Stub[] = [];
  for (const box of boxes.values()) {
    const count = box.node.drop_off;
    if (count === 0) continue;
    const x = side(box, true);
    const y = box.y + (left.get(box) ?? 0);
    const thick = Math.max(2, count * scale);
    const end = backward ? x - STUB : x + STUB;
    stubs.push({ box, count, path: `M${at(x, y)}Q${at(end, y)} ${at(end, y + thick)}L${at(x, y + thick)}Z` });
  }
  return { boxes: [...boxes.values()], bands, stubs, column, height: Math.max(lowest, 1) };
}

const at = (x: number, y: number) => `${round(x)},${round(y)}`;
const round = (number: number) => Math.round(number * 10) / 10;

function band(x1: number, y1: number, x2: number, y2: number, thick: number): string {
  const middle = (x1 + x2) / 2;
  return `M${at(x1, y1)}C${at(middle, y1)} ${at(middle, y2)} ${at(x2, y2)}L${at(x2, y2 + thick)}C${at(middle, y2 + thick)} ${at(middle, y1 + thick)} ${at(x1, y1 + thick)}Z`;
}
