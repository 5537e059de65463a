/** A list of people as a table for a spreadsheet: one line each, a column for every step. */
import type { components } from "../api.gen";
import { propertyWords } from "../filter-query";
import { stepName, type FunnelQuery } from "./query";
import { whyWords } from "./words";

type ActorRow = components["schemas"]["ActorRow"];

export function peopleCsv(rows: ActorRow[], funnel: FunnelQuery): string {
  const anyOrder = funnel.order === "any";
  const steps = funnel.steps.map((step, index) => ({ number: index + 1, title: `${index + 1}. ${stepName(step)}` }));
  const head = [funnel.entity === "group" ? "group" : "distinct_id", ...funnel.hold.map(propertyWords), anyOrder ? "steps completed" : "steps reached", ...steps.map((step) => step.title), "why not"];
  const lines = rows.map((row) => [
    row.group ?? row.distinct_id ?? row.actor,
    ...funnel.hold.map((_, index) => row.held?.[index] ?? ""),
    String(row.depth),
    ...steps.map((step) => row.chain.find((link) => link.step === step.number)?.at ?? ""),
    row.why_not ? whyWords(row.why_not, funnel) : "",
  ]);
  return [head, ...lines].map((cells) => cells.map(cell).join(",")).join("\r\n") + "\r\n";
}

// A spreadsheet would run a text that begins like a formula: ids and properties come from outside.
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
