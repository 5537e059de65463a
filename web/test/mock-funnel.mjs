/** A funnel that looks like a shop's, in every view, with people behind its numbers and reasons for those who left. */
import { chance, names } from "./mock-world.mjs";

const DAY = 86_400_000;
const UNIT = { s: 1_000, m: 60_000, h: 3_600_000, d: DAY, w: 7 * DAY, mo: 30 * DAY };
const LEAK = [1, 0.412, 0.61, 0.483, 0.79, 0.7, 0.66, 0.6];
const MEDIAN = [null, 184_000, 96_000, 412_000, 71_000, 3_600_000, 86_400_000 * 1.4, 2_000];
const REASONS = [["step_missing", 0.62], ["window_over", 0.2], ["excluded", 0.11], ["same_event", 0.07]];

const lengthMs = (text) => (text === "session" ? DAY : Number.parseInt(text, 10) * UNIT[text.replace(/^\d+/, "")]);
const eventsOf = (step) => step.any_of?.map((one) => one.event) ?? step.events ?? [step.event];
const over = (part, whole) => (whole ? part / whole : null);

/** What the API refuses, as far as a page has to show it. */
export function refused({ steps, order, tie_ms, max_gap, exclusions = [] }) {
  const errors = [];
  if (steps.length > 20) errors.push({ pointer: "/steps", code: "too_many", detail: "a funnel has 2 to 20 steps" });
  if (order === "any" && tie_ms > 0) errors.push({ pointer: "/tie_ms", code: "unsupported", detail: "in any order there are no ties to break" });
  if (order === "any" && max_gap) errors.push({ pointer: "/max_gap", code: "unsupported", detail: "steps in any order have no gaps" });
  if (max_gap && exclusions.length > 0) errors.push({ pointer: "/max_gap", code: "unsupported", detail: "max_gap and exclusions cannot be asked together" });
  return errors;
}

export function funnel(question) {
  const { steps, from, to, order } = question;
  const window_ms = lengthMs(question.window);
  const known = names({ from, to }).find((name) => name.event === eventsOf(steps[0])[0]);
  const entered = Math.round((known?.count ?? 0) / 3.1);
  const report = {
    ...through(steps, entered, order),
    window_ms,
    from: `${from}T00:00:00Z`,
    to: `${to}T00:00:00Z`,
    final: false,
    counted: question.hold?.length ? "pairs" : question.count === "total" ? "attempts" : question.entity === "session" ? "sessions" : "persons",
  };
  const { converted } = report.overall;
  if (question.view === "trend") report.trend = trend(question, entered, report, window_ms);
  if (question.view === "time") report.time = times(question, converted, entered);
  if (question.view === "sweep") report.sweep = sweep(question, converted, entered, window_ms);
  if (question.breakdown) report.breakdown = breakdown(question, entered);
  if (question.why_not) report.why_not = reasons(report.steps);
  if (question.actors) report.actors = people(question, report);
  if (question.preset) report.preset_limits = ["this is the nearest that can be expressed, not its own algorithm", "sampling and its own rules for sessions"];
  return report;
}

function through(steps, entered, order) {
  let reached = entered;
  let sum = 0;
  const report = steps.map((step, index) => {
    const previous = reached;
    const came = index > 0 ? Math.round(reached * LEAK[index % LEAK.length] * (step.optional ? 0.3 : 1)) : reached;
    if (!step.optional) reached = came;
    const median = index > 0 ? MEDIAN[index % MEDIAN.length] : null;
    sum += median ?? 0;
    return {
      index: index + 1,
      name: order === "any" ? `${index + 1} of ${steps.length} completed` : (step.name ?? eventsOf(step).join(" or ")),
      events: order === "any" ? [] : eventsOf(step),
      optional: step.optional ?? false,
      reached: came,
      dropped: 0,
      rate_from_start: over(came, entered),
      rate_from_previous: index > 0 ? over(came, previous) : null,
      drop_off_rate: null,
      median_from_previous_ms: median,
      median_from_start_ms: index > 0 ? sum : null,
    };
  });
  // Who left is counted at the last mandatory step they reached.
  const mandatory = report.filter((step) => !step.optional);
  mandatory.slice(0, -1).forEach((step, index) => {
    step.dropped = step.reached - mandatory[index + 1].reached;
    step.drop_off_rate = over(step.dropped, step.reached);
  });
  return { steps: report, overall: { entered, converted: reached, rate: over(reached, entered), median_ms: reached ? sum : null } };
}

function trend({ interval, from, to, steps, order }, entered, report, window_ms) {
  const width = { hour: 3_600_000, day: DAY, week: 7 * DAY, month: 30 * DAY }[interval ?? "day"];
  const [start, end] = [Date.parse(`${from}T00:00:00Z`), Date.parse(`${to}T00:00:00Z`)];
  const buckets = Array.from({ length: Math.max(1, Math.ceil((end - start) / width)) }, (_, index) => start + index * width);
  return buckets.map((at) => {
    const share = at > Date.now() ? 0 : (0.7 + 0.6 * chance(`t${at}`)) / buckets.length;
    const one = through(steps, Math.round(entered * share), order);
    const reached = one.steps.filter((step) => !step.optional).map((step) => step.reached);
    return {
      start: new Date(at).toISOString(),
      date: interval === "hour" ? null : new Date(at).toISOString().slice(0, 10),
      reached,
      entered: one.overall.entered,
      converted: one.overall.converted,
      rate: one.overall.rate === null ? null : Math.min(1, one.overall.rate * (0.8 + 0.4 * chance(`r${at}`))),
      final: at + width + window_ms <= Date.now(),
    };
  });
}

function times({ steps, time_from = 1, time_to = steps.length }, converted, entered) {
  const shares = Array.from({ length: 24 }, (_, index) => Math.exp(-(((index - 7) / 5) ** 2)) + 0.05 * chance(`b${index}`));
  const sum = shares.reduce((all, share) => all + share, 0);
  const bins = shares.map((share, index) => ({ from_ms: 20_000 * index, to_ms: 20_000 * (index + 1), count: Math.round((converted * share) / sum) }));
  return {
    from_step: time_from,
    to_step: time_to,
    count: converted,
    left_out: entered - converted,
    mean_ms: 171_400,
    median_ms: 152_000,
    p75_ms: 221_000,
    p90_ms: 307_000,
    p95_ms: 352_000,
    bins: converted ? bins : [],
  };
}

function sweep({ windows }, converted, entered, window_ms) {
  const lengths = windows.map(lengthMs).sort((a, b) => a - b);
  const share = (ms) => Math.min(1.35, Math.log10(ms / 5_000) / Math.log10(window_ms / 5_000));
  const within = (ms) => Math.max(0, Math.min(entered, Math.round(converted * share(ms))));
  const count = within(lengths.at(-1)) - converted;
  return {
    windows: lengths.map((ms) => ({ window_ms: ms, converted: within(ms), rate: over(within(ms), entered) })),
    near_misses: count > 0 ? { count, median_over_ms: 7_980_000, least_over_ms: 42_000 } : { count: 0, median_over_ms: null, least_over_ms: null },
  };
}

function breakdown({ steps, attribution = "first" }, entered) {
  const values = [["desktop", 0.46], ["mobile", 0.38], ["tablet", 0.07], ["Other", 0.03], ["(none)", 0.04], ...(attribution.startsWith("step") ? [["(did not reach)", 0.02]] : [])];
  return values.map(([value, share]) => {
    const one = through(steps, Math.round(entered * share * (0.9 + 0.2 * chance(value))));
    return {
      value,
      reached: one.steps.map((step) => step.reached),
      rates: one.steps.map((step) => step.rate_from_previous),
      overall: one.overall,
    };
  });
}

/** Those who left before each mandatory step, shared out by reason. */
function reasons(steps) {
  const mandatory = steps.filter((step) => !step.optional);
  const at = (share) =>
    mandatory.slice(1).map((step, index) => ({ step: step.index, count: Math.round(mandatory[index].dropped * share) })).filter((one) => one.count > 0);
  return REASONS.map(([reason, share]) => ({ reason, count: at(share).reduce((sum, one) => sum + one.count, 0), steps: at(share) })).filter((one) => one.count > 0);
}

function people({ actors: { step, outcome, reason: only, cursor, limit = 100 }, why_not, steps, hold = [] }, report) {
  const of = report.steps[step - 1];
  const left = { converted: of.reached, dropped: of.dropped, not_converted: of.reached - report.overall.converted }[outcome ?? "converted"];
  const total = only ? (report.why_not?.find((one) => one.reason === only)?.count ?? 0) : left;
  const first = cursor ? Number(cursor.split("-")[1]) : 0;
  const size = Math.max(0, Math.min(limit, total - first));
  const begun = Date.now() - 20 * DAY;
  const actors = Array.from({ length: size }, (_, index) => {
    const seed = `a${first + index}`;
    let at = begun + Math.round(chance(seed) * 18 * DAY);
    const chain = Array.from({ length: step }, (_, done) => {
      at += done === 0 ? 0 : Math.round(200_000 * chance(`${seed}.${done}`));
      return { step: done + 1, at: new Date(at).toISOString(), event_id: `0197c000-0000-7000-8000-${String(first + index).padStart(12, "0")}` };
    });
    const reason = only ?? REASONS[Math.floor(chance(`w${seed}`) * REASONS.length)][0];
    return {
      actor: (first + index).toString(16).padStart(16, "0"),
      distinct_id: chance(`k${seed}`) < 0.4 ? `customer-${first + index}` : `0197b3c1-${String(first + index).padStart(4, "0")}-7a4e-9b1d-5f0c2e6a8d31`,
      held: hold.map(() => "mobile"),
      depth: step,
      chain,
      ...(why_not ? { why_not: { reason, step: Math.min(step + 1, steps.length), ...(reason === "window_over" ? { over_by_ms: 7_980_000 } : {}), ...(reason === "excluded" ? { exclusion: 1 } : {}) } } : {}),
    };
  });
  return { total, actors, next: first + size < total ? `0-${first + size}` : null };
}
