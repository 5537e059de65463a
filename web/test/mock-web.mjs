/** A web overview of the mock server: believable, never true. */
import * as world from "./mock-world.mjs";

const VALUES = {
  source: [null, "search.example", "news", "social.example", "a.very.long.host.name.that.nobody.would.ever.type.example"],
  campaign: [null, "spring-sale", "autumn"],
  medium: [null, "email", "cpc"],
  page: ["/", "/products", "/products/enamel-mug-with-a-very-long-name-that-does-not-fit", "/pricing", "/about"],
  entry_page: ["/", "/products", "/pricing"],
  exit_page: ["/checkout", "/", "/products"],
  country: ["US", "DE", "GB", "FR", null],
  device: ["desktop", "mobile", "tablet"],
  browser: ["Chrome", "Safari", "Firefox"],
  os: ["Windows", "macOS", "iOS"],
};

const figures = (sessions, bounce_rate = 0.41) => ({
  visitors: Math.round(sessions * 0.8), sessions, views: Math.round(sessions * 2.7), views_per_session: sessions ? 2.7 : null,
  bounces: Math.round(sessions * bounce_rate), bounce_rate: sessions ? bounce_rate : null,
  mean_duration_ms: sessions ? 134_000 : null, median_duration_ms: sessions ? 41_000 : null,
});

export function web({ from, to, interval = "day", tables, only }) {
  const share = only ? 0.3 ** only.length : 1;
  const nobody = only?.some((one) => one.values.includes("/unheard-of"));
  const series = world.trends(["page_view"], { from, to }, interval).series[0];
  const points = series.points.map((point) => {
    const sessions = nobody ? 0 : Math.round((point.count / 3) * share);
    const { start, date, final } = point;
    return { start, date, final, partial: false, ...figures(sessions), previous: figures(Math.round(sessions * 0.9), 0.44) };
  });
  const sessions = points.reduce((sum, point) => sum + point.sessions, 0);
  return {
    interval, bounce: "one page view and under 10 seconds", page_views: ["page_view", "pageview", "$pageview", "page"],
    total: figures(sessions), points,
    previous: { from, to: from, until: from, total: figures(Math.round(sessions * 0.9), 0.44) },
    tables: tables.map((by) => ({
      by,
      values: nobody ? 0 : VALUES[by].length + 12,
      rows: nobody ? [] : VALUES[by].map((value, place) => {
        const { visitors, sessions: visits, views, bounce_rate, mean_duration_ms } = figures(Math.round(sessions * 0.5 ** (place + 1)));
        return { value, visitors, visits, views, bounce_rate, mean_duration_ms };
      }),
    })),
  };
}
