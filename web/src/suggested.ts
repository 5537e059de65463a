/** What a list of suggestions offers for a name: the schema's rows, in the words of a list. */
import type { SchemaEvent, SchemaProperty } from "./api-schema";

/** A line of a list: a name or a value, how often it occurs (0: not said), and what people say about it. */
export interface Suggested {
  event: string;
  count: number;
  note?: string;
  verified?: boolean;
}

const noted = ({ description, verified }: { description: string; verified: boolean }) => ({
  ...(description ? { note: description } : {}),
  ...(verified ? { verified } : {}),
});

export const ofEvents = (events: SchemaEvent[]): Suggested[] =>
  events.map((event) => ({ event: event.event, count: event.volume, ...noted(event) }));

/** Those that clients send first, then what capture finds out; each as the schema orders them. */
export const ofProperties = (properties: SchemaProperty[], captured: readonly string[]): Suggested[] => {
  const line = (property: SchemaProperty): Suggested => ({ event: property.name, count: 0, ...noted(property) });
  const own = properties.filter((property) => !property.name.startsWith("$"));
  const other = properties.filter((property) => property.name.startsWith("$"));
  const lines = [...own, ...other].map(line);
  const known = new Set(lines.map(({ event }) => event));
  return [...lines, ...captured.filter((name) => !known.has(name)).map((event) => ({ event, count: 0 }))];
};

export const ofValues = (values: { value: string; count: number }[]): Suggested[] =>
  values.filter(({ value }) => value !== "").map(({ value, count }) => ({ event: value, count }));
