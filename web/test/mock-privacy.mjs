/** The mock's erasures: one done, one failed, and new ones that go through all states while one looks. */
const STATES = ["requested", "waiting", "removing", "rebuilding", "verifying", "done"];
const STEP_MS = 2_000;
const counts = (events) => ({ events, actor_days: Math.round(events / 40), dead_letters: events > 0 ? 2 : 0, rejected_samples: events > 0 ? 1 : 0 });
const ago = (ms) => new Date(Date.now() - ms).toISOString();
const hash = (seed) => Array.from({ length: 64 }, (_, index) => ((seed * 31 + index * index * 7 + index) % 16).toString(16)).join("");

function certificate(events, requested_at, finished_at, persons) {
  return {
    subject_hashes: Array.from({ length: persons }, (_, index) => hash(index + 3)),
    counts_before: counts(events),
    counts_after: counts(0),
    requested_at,
    finished_at,
    shards: 4,
    digest: hash(11),
  };
}

function finished(erasure, events) {
  return {
    ...erasure,
    state: "done",
    detail: "Nothing of it is left.",
    counts: { before: counts(events), after: counts(0) },
    certificate: certificate(events, erasure.requested_at, erasure.finished_at, erasure.persons),
  };
}

const blank = { from: null, to: null, persons: 0, detail: null, requested_by: "demo@example.com", finished_at: null, counts: { before: null, after: null }, certificate: null };

export const erasures = (project) => [
  { ...blank, id: "0197d000-0000-7000-8000-000000000003", project_id: project, kind: "person", persons: 1, state: "requested", requested_at: ago(3_000) },
  {
    ...blank,
    id: "0197d000-0000-7000-8000-000000000002",
    project_id: project,
    kind: "range",
    from: "2026-10-03",
    to: "2026-10-05",
    state: "failed",
    detail: "ClickHouse did not answer while the counts were rebuilt. It is tried again when the worker starts.",
    requested_at: ago(30 * 3_600_000),
  },
  finished({ ...blank, id: "0197d000-0000-7000-8000-000000000001", project_id: project, kind: "person", persons: 3, requested_at: ago(9 * 86_400_000), finished_at: ago(9 * 86_400_000 - 41_000) }, 10_000),
];

/** What an erasure looks like by now. */
export function grown(erasure) {
  if (erasure.state === "done" || erasure.state === "failed") return erasure;
  const step = Math.floor((Date.now() - Date.parse(erasure.requested_at)) / STEP_MS);
  if (step >= STATES.length - 1) return finished({ ...erasure, finished_at: new Date(Date.parse(erasure.requested_at) + 5 * STEP_MS).toISOString() }, 412);
  return { ...erasure, state: STATES[step], detail: step === 2 ? "Shard 2 of 4." : null };
}

export function requested(project, body) {
  const persons = body.kind === "person" ? body.distinct_ids.length : 0;
  return { ...blank, id: crypto.randomUUID(), project_id: project, kind: body.kind, from: body.from ?? null, to: body.to ?? null, persons, state: "requested", requested_at: new Date().toISOString() };
}
