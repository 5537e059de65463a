/** A retention table that looks like a shop's: people fade, the last rows are not complete. */
const DAY = 86_400_000;
const LENGTH = { hour: 3_600_000, day: DAY, week: 7 * DAY, month: 30 * DAY };
const LAST = { hour: 24, day: 14, week: 8, month: 6 };

export function retention({ start, unit = "day", entry, rule, clock, minimum = 1, periods = LAST[unit], brackets, breakdown, from, to }) {
  const length = LENGTH[unit];
  const columns = brackets
    ? brackets.slice(1).map((to, k) => ({ from: brackets[k], to }))
    : Array.from({ length: periods + 1 }, (_, k) => ({ from: k, to: k + 1 }));
  const cohorts = [];
  const first = Date.parse(`${from}T00:00:00Z`);
  // Weeks begin on Mondays; 1970 began on a Thursday.
  const aligned = unit === "week" ? first - ((first / DAY + 3) % 7) * DAY : first;
  for (let at = aligned; at < Date.parse(`${to}T00:00:00Z`); at += length) {
    const size = start?.event === "unheard_of" ? 0 : 400 + Math.round(180 * Math.sin(at / DAY));
    const cells = columns.map(({ from: k, to: end }) => {
      const begins = at + k * length;
      const share = k === 0 ? 1 : (0.34 * 0.82 ** k) / minimum;
      const retained = begins > Date.now() ? 0 : Math.round(size * share);
      return { retained, rate: size ? retained / size : null, complete: at + end * length <= Date.now() };
    });
    const date = unit === "hour" ? {} : { date: new Date(at).toISOString().slice(0, 10) };
    cohorts.push({ start: new Date(at).toISOString(), ...date, size, partial: at < first, complete: at + length <= Date.now(), cells });
  }
  const mean = columns.map((_, k) => {
    const complete = cohorts.filter((cohort) => cohort.cells[k].complete);
    const size = complete.reduce((sum, cohort) => sum + cohort.size, 0);
    const retained = complete.reduce((sum, cohort) => sum + cohort.cells[k].retained, 0);
    return { size, retained, rate: size ? retained / size : null };
  });
  const size = cohorts.reduce((sum, one) => sum + one.size, 0);
  const splits = ["free", "club", "Other"].map((value) => ({ of: value === "Other" ? "other" : "value", value, size, cohorts, mean }));
  return { unit, entry, rule, clock, minimum, columns, cohorts, size, mean, ...(breakdown ? { breakdown: splits } : {}) };
}
