/** What the dialog about who is who makes of its fields, and what it shows of a preview. */
import type { IdName, IdPair, MergePreview, Verdict } from "../api-identity";

export interface MergeFields {
  /** Which of the person's ids. */
  own: number;
  /** Which other one of them, when they are put apart. */
  apart: number;
  kind: "user" | "device";
  /** The other id, when they are merged. */
  other: string;
}

export const textOf = (id: IdName): string => ("user" in id ? id.user : id.device);

export const called = (id: IdName): string => ("user" in id ? id.user : `${id.device} (device)`);

/** The two ids that something is to be said about; null while that makes no sense. */
export function pairOf(ids: IdName[], verdict: Verdict, fields: MergeFields): IdPair | null {
  const from = ids[fields.own];
  if (!from) return null;
  const text = fields.other.trim();
  const into: IdName | undefined = verdict === "unmerge" ? ids[fields.apart] : fields.kind === "user" ? { user: text } : { device: text };
  if (!into || !textOf(into) || textOf(into) === textOf(from)) return null;
  // Devices are joined by their users only.
  return "device" in from && "device" in into ? null : { from, into };
}

/** Days on which another number of persons would be active. */
export function changedDays(preview: MergePreview): { date: string; before: number; after: number }[] {
  const after = new Map(preview.after.days.map((day) => [day.date, day.dau]));
  return preview.before.days
    .map((day) => ({ date: day.date, before: day.dau, after: after.get(day.date) ?? day.dau }))
    .filter((day) => day.before !== day.after);
}
