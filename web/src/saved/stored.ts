/**
 * How a page's question is saved: the question in the API's words, the page's address beside it, so that opening it
 * shows the page as it was. Pure.
 */
import type { Dashboard, SavedQuestion, SavedRange, Tile } from "../api-saved";
import { PRESETS, type DateRange, type Preset } from "../range";
import { isProjectPage, type ProjectPage } from "../routes";

/** Parameters that belong to the moment, not to the question. */
const OF_THE_MOMENT = ["range", "from", "to", "saved", "people", "as_of", "identity"];

/** An address's parameters without the moment's, in one order. */
export function addressOf(query: URLSearchParams): string {
  const kept = [...query].filter(([name]) => !OF_THE_MOMENT.includes(name));
  return new URLSearchParams(kept).toString();
}

/** Dates as they are saved: those that move along with today go on to do so. A question about no dates has none. */
export function savedRange(range: DateRange): SavedRange;
export function savedRange(range: DateRange | null): SavedRange | null;
export function savedRange(range: DateRange | null): SavedRange | null {
  if (!range) return null;
  return range.preset ? { last_days: PRESETS[range.preset] } : { from: range.from, to: range.to };
}

/** Saved dates as parameters of an address. */
export function rangeParameters(range: SavedRange | null | undefined): [string, string][] {
  if (!range) return [];
  const preset = (Object.keys(PRESETS) as Preset[]).find((one) => PRESETS[one] === range.last_days);
  if (preset) return [["range", preset]];
  return Object.entries({ from: range.from, to: range.to }).flatMap(([name, value]): [string, string][] => (value ? [[name, value]] : []));
}

const same = (a: SavedRange | null | undefined, b: SavedRange | null): boolean =>
  (["last_days", "from", "to"] as const).every((one) => (a?.[one] ?? null) === (b?.[one] ?? null));

/** Whether the page shows something else than what is saved. */
export function isChanged(saved: SavedQuestion, address: string, range: SavedRange | null): boolean {
  return saved.display?.address !== address || !same(saved.range, range);
}

const PAGE_OF: Record<string, ProjectPage> = {
  trends: "trends",
  funnel: "funnels",
  retention: "retention",
  active_users: "active",
  lifecycle: "active",
  stickiness: "active",
  web: "web",
  paths: "paths",
  persons: "people",
};

/** The page that shows a saved question; null: none does yet. */
export function pageOf(saved: SavedQuestion): ProjectPage | null {
  const page = saved.display?.page;
  if (typeof page === "string" && isProjectPage(page)) return page;
  return null;
}

/** Which page a kind of question belongs to, whoever saved it. */
export const homeOf = (saved: SavedQuestion): ProjectPage | null => pageOf(saved) ?? PAGE_OF[saved.question.kind] ?? null;

/** The parameters that open a saved question on its page. */
export function opening(id: string, saved: SavedQuestion): [string, string][] {
  const address = typeof saved.display?.address === "string" ? saved.display.address : "";
  return [...new URLSearchParams(address), ...rangeParameters(saved.range), ["saved", id]];
}

/** Dates in words. */
export function rangeWords(range: SavedRange | null | undefined): string {
  if (!range) return "its own dates";
  if (range.last_days) return range.last_days === 1 ? "today" : `last ${range.last_days} days`;
  return `${range.from ?? "…"} to ${range.to ?? "today"}`;
}

/** The dates of a saved question in words; null: it is about no dates. */
export function datesWords({ question, range }: SavedQuestion, other: SavedRange | null = null): string | null {
  return question.kind === "persons" ? null : rangeWords(other ?? range);
}

/** Columns of a dashboard. */
export const COLUMNS = 12;

const within = (value: number) => Math.min(COLUMNS, Math.max(1, Math.round(value)));

/** The dashboard with a tile changed in size. */
export function resized(board: Dashboard, index: number, width: number, height: number): Dashboard {
  return { ...board, tiles: tilesOf(board).map((tile, at) => (at === index ? { ...tile, width: within(width), height: within(height) } : tile)) };
}

/** The dashboard with a tile moved to another place. */
export function moved(board: Dashboard, from: number, to: number): Dashboard {
  const tiles = [...tilesOf(board)];
  const [tile] = tiles.splice(from, 1);
  if (tile) tiles.splice(Math.min(tiles.length, Math.max(0, to)), 0, tile);
  return { ...board, tiles };
}

/** The dashboard without a tile. */
export const without = (board: Dashboard, index: number): Dashboard => ({ ...board, tiles: tilesOf(board).filter((_, at) => at !== index) });

export const tilesOf = (board: Dashboard): Tile[] => board.tiles ?? [];

/** Where an annotation's days lie among a chart's points: the first and the last, null when outside. */
export function placeOf(dates: string[], first: string, last: string): [number, number] | null {
  if (dates.length === 0 || last < dates[0]!) return null;
  const at = (day: string) => dates.findLastIndex((date) => date <= day);
  const end = at(last);
  // Points of weeks and months are as long as the one before them.
  const span = dates.length > 1 ? Date.parse(dates[dates.length - 1]!) - Date.parse(dates[dates.length - 2]!) : 0;
  if (Date.parse(first) > Date.parse(dates[dates.length - 1]!) + Math.max(0, span - 86_400_000)) return null;
  const begin = at(first);
  // Several points of one day: it begins with the first.
  return [begin < 0 ? 0 : dates.indexOf(dates[begin]!), end];
}
