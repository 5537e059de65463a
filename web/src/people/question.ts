/** The list of people that an address asks for. */
import type { components } from "../api.gen";
import { everything, filterFromApi, filterWords } from "../filter-query";
import { parsed } from "../trend-query";

type FilterQuery = components["schemas"]["FilterQuery"];

export const ORDERS = { last_seen: "Last seen", first_seen: "Newest", id: "Id" } as const;
export type Order = keyof typeof ORDERS;

export interface PeopleQuestion {
  search: string;
  order: Order;
  filter?: FilterQuery;
  /** Properties that are shown as columns; null: those that most people have. */
  columns: string[] | null;
}

/** So many columns fit. */
export const MAX_COLUMNS = 6;

export function peopleFromUrl(query: URLSearchParams): PeopleQuestion {
  const order = query.get("order") ?? "";
  const filter = parsed(query.get("filter"));
  return {
    search: query.get("search") ?? "",
    order: Object.hasOwn(ORDERS, order) ? (order as Order) : "last_seen",
    ...(typeof filter === "object" && filter !== null ? { filter: filter as FilterQuery } : {}),
    columns: query.has("column") ? query.getAll("column").filter(Boolean).slice(0, MAX_COLUMNS) : null,
  };
}

export function peopleToUrl({ search, order, filter, columns }: PeopleQuestion): [string, string][] {
  return [
    ...(search.trim() ? [["search", search.trim()] as [string, string]] : []),
    ...(order === "last_seen" ? [] : [["order", order] as [string, string]]),
    ...(filter ? [["filter", JSON.stringify(filter)] as [string, string]] : []),
    ...(columns ?? []).map((name): [string, string] => ["column", name]),
  ];
}

/** The question in a line. */
export function peopleWords({ search, filter }: PeopleQuestion): string {
  const found = search.trim() ? `“${search.trim()}”` : "";
  const where = filter ? filterWords(filterFromApi(filter) ?? everything()) : "";
  const words = [found, where].filter(Boolean).join(", ");
  return words ? `People: ${words}` : "All people";
}

/** The properties that most of these people have, the most frequent first. */
export function usualColumns(people: { properties: Record<string, unknown> }[], limit = 4): string[] {
  const counts = new Map<string, number>();
  for (const { properties } of people) for (const name of Object.keys(properties)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, limit).map(([name]) => name);
}

/** A property's value as a line of text. */
export function valueText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The parameters of an address that lead to a person. */
export const toPerson = (id: string, fresh = false): [string, string][] => [["person", id], ...(fresh ? [["fresh", "1"] as [string, string]] : [])];
