/** The mock's erasures: one done, one failed, and new ones that go through all states while one looks. */
const STATES = ["requested", "waiting", "removing", "rebuilding", "verifying", "done"];
const DETAILS = [
  "",
  "what was received before the request is on its way into the tables",
  "rows are being deleted, shard by shard",
  "the affected days are being counted again",
  "deleted rows are being taken off the disk",
];
const STEP_MS = 2_000;
const counts = (events) => ({ events, actor_days: Math.round(events / 40), dead_letters: events > 0 ? 2 : 0, rejected_samples: events > 0 ? 1 : 0, id_pairs: events > 0 ? 3 : 0 });
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
    log_rewritten: true,
    digest: hash(11),
  };
}

function finished(erasure, events) {
  return {
    ...erasure,
    state: "done",
    detail: "nothing is left",
    counts: { before: counts(events), after: counts(0) },
    certificate: certificate(events, erasure.requested_at, erasure.finished_at, erasure.persons),
  };
}

const blank = { from: null, to: null, persons: 0, detail: "", requested_by: "demo@example.com", finished_at: null, counts: { before: null, after: null }, certificate: null };

/** Oldest first, as the API lists them. */
export const erasures = (project) => [
  finished({ ...blank, id: "0197d000-0000-7000-8000-000000000001", project_id: project, kind: "person", persons: 3, requested_at: ago(9 * 86_400_000), finished_at: ago(9 * 86_400_000 - 41_000) }, 10_000),
  finished({ ...blank, id: "0197d000-0000-7000-8000-000000000004", project_id: project, kind: "retention", to: "2024-10-31T23:00:00Z", requested_by: null, requested_at: ago(3 * 86_400_000), finished_at: ago(3 * 86_400_000 - 90_000) }, 41_208),
  {
    ...blank,
    id: "0197d000-0000-7000-8000-000000000002",
    project_id: project,
    kind: "range",
    from: "2026-10-02T22:00:00Z",
    to: "2026-10-04T22:00:00Z",
    state: "failed",
    detail: "something came back 5 times: 3 raw events",
    requested_at: ago(30 * 3_600_000),
  },
  { ...blank, id: "0197d000-0000-7000-8000-000000000003", project_id: project, kind: "person", persons: 1, state: "requested", requested_at: ago(3_000) },
];

/** What an erasure looks like by now. */
export function grown(erasure) {
  if (erasure.state === "done" || erasure.state === "failed") return erasure;
  const step = Math.floor((Date.now() - Date.parse(erasure.requested_at)) / STEP_MS);
  if (step >= STATES.length - 1) return finished({ ...erasure, finished_at: new Date(Date.parse(erasure.requested_at) + 5 * STEP_MS).toISOString() }, 412);
  return { ...erasure, state: STATES[step], detail: DETAILS[step] };
}

export function requested(project, body) {
  const persons = body.kind === "person" ? body.distinct_ids.length : 0;
  return { ...blank, id: crypto.randomUUID(), project_id: project, kind: body.kind, from: body.from ?? null, to: body.to ?? null, persons, state: "requested", requested_at: new Date().toISOString() };
}
