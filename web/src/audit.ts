/** What an audit found, in words. Pure. */
import type { AuditCheck, AuditDay, AuditReport } from "./api-health";
import * as format from "./format";

const NAMES: Record<AuditCheck["name"], { title: string; meaning: string }> = {
  stream_counters: { title: "Stream", meaning: "Every row taken in must be stored, a dead letter, discarded, or still in the stream." },
  pending_rows: { title: "Waiting rows", meaning: "What is noted as waiting must be what the stream holds." },
  dead_letters: { title: "Dead letters", meaning: "There must be as many as were counted." },
  raw_rows: { title: "Raw events", meaning: "The table must hold what was stored and not removed, no more and no less." },
  batch_numbers: { title: "Batches", meaning: "No table may hold a batch that the stream did not plan." },
  counts: { title: "Counts", meaning: "The counts behind the charts must equal a recount of the raw events." },
  sketches: { title: "Sketches", meaning: "Those behind the active users must equal sketches made anew from the raw events." },
  active_days: { title: "Active days", meaning: "Who was active on which day must be what the raw events show." },
};

/** An invariant for people; one that a newer server adds keeps its name. */
export function invariant(name: string): { title: string; meaning: string } {
  return NAMES[name as AuditCheck["name"]] ?? { title: name.replaceAll("_", " "), meaning: "" };
}

/** `open`: nothing broken, but not all of it could be looked at right now. */
export type Verdict = "holds" | "broken" | "open";

export function checkVerdict(check: Pick<AuditCheck, "holds" | "judged">): Verdict {
  if (!check.holds) return "broken";
  return check.judged ? "holds" : "open";
}

/** The whole report in a sentence. */
export function auditVerdict(report: Pick<AuditReport, "holds" | "checks">): { verdict: Verdict; text: string } {
  const verdicts = report.checks.map(checkVerdict);
  const number = (wanted: Verdict) => verdicts.filter((one) => one === wanted).length;
  const broken = number("broken");
  if (!report.holds || broken > 0) return { verdict: "broken", text: `${format.plural(broken, "check")} found a difference.` };
  const open = number("open");
  if (open > 0) {
    return { verdict: "open", text: `Nothing differs, but ${format.plural(open, "check")} could not look at everything. Try again in a moment.` };
  }
  return { verdict: "holds", text: "Everything agrees." };
}

/** The days on which the raw events and the counts behind the charts differ. */
export function differing(days: AuditDay[]): AuditDay[] {
  return days.filter((one) => one.events !== one.counted);
}
