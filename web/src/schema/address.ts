/** The page of names and its address: which list, in which order, what is looked for, what is open. */
import type { EventOrder, PropertyKind, PropertyOrder } from "../api-schema";

export const VIEWS = { events: "Events", properties: "Event properties", persons: "Person properties" } as const;
export type View = keyof typeof VIEWS;

export const EVENT_ORDERS: Partial<Record<EventOrder, string>> = { volume: "Most frequent first", name: "By name", last_seen: "Seen last first" };
export const PROPERTY_ORDERS: Partial<Record<PropertyOrder, string>> = { share: "Most common first", name: "By name", last_seen: "Seen last first" };

export interface Look {
  view: View;
  /** Empty: the list's own order. */
  order: string;
  search: string;
  hidden: boolean;
  /** The name whose details are open. */
  open: string | null;
}

export const ordersOf = (view: View): Partial<Record<string, string>> => (view === "events" ? EVENT_ORDERS : PROPERTY_ORDERS);

export const kindOf = (view: View): PropertyKind => (view === "persons" ? "person" : "event");

export function lookFromUrl(query: URLSearchParams): Look {
  const view = query.get("view") ?? "events";
  const known = Object.hasOwn(VIEWS, view) ? (view as View) : "events";
  const order = query.get("order") ?? "";
  return {
    view: known,
    order: Object.hasOwn(ordersOf(known), order) ? order : "",
    search: query.get("search") ?? "",
    hidden: query.get("hidden") === "true",
    open: query.get("open"),
  };
}

/** What differs from the usual; null takes a parameter away. */
export function lookToUrl(look: Look): Record<string, string | null> {
  return {
    view: look.view === "events" ? null : look.view,
    order: look.order || null,
    search: look.search.trim() || null,
    hidden: look.hidden ? "true" : null,
    open: look.open,
  };
}
