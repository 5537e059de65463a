/** The schema in words. */
import type { Sample, SchemaProperty } from "../api-schema";
import * as format from "../format";

const TYPES: Record<string, string> = { string: "text", number: "number", boolean: "true or false", object: "object", array: "list" };

/** `text`, or `text, number` where senders do not agree. */
export const typesOf = (types: readonly string[]): string => types.map((one) => TYPES[one] ?? one).join(", ") || format.NONE;

/** Of a property's values: how many there are in the sample. */
export function valuesIn(property: Pick<SchemaProperty, "sample">): string {
  return property.sample ? format.count(property.sample.distinct) : format.NONE;
}

/** What shares and values were counted in. */
export function sampleWords(sample: Sample): string {
  if (sample.events === 0) return "There was nothing to count in.";
  return sample.sampled
    ? `Shares and values of the newest ${format.count(sample.events)} events, of ${format.count(sample.of)}.`
    : `Shares and values of all ${format.count(sample.events)} ${sample.events === 1 ? "event" : "events"}.`;
}

export const HIGH = "Nearly every event has another value, or there are very many: a breakdown by it tells little.";
export const MADE_UP = "A program makes such names up: they differ in a number or an id only. Send one name, and the number as a property.";
