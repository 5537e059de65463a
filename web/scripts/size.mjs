/** Holds the budgets of the first load (gzip): 90 kB of scripts, 15 kB of styles. Run after `npm run build`. */
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = { js: 90_000, css: 15_000 };
const dist = new URL("../dist/", import.meta.url);
const files = readdirSync(new URL("assets/", dist)).filter((name) => /\.(js|css)$/.test(name));
const size = new Map(files.map((name) => [name, gzipSync(readFileSync(new URL(`assets/${name}`, dist)), { level: 9 }).length]));
const text = (name) => readFileSync(new URL(`assets/${name}`, dist), "utf8");

/** A script, what it imports at once, and their styles as Vite lists them for preloading. */
function closure(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, next] of text(name).matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) closure(next, found);
  return found;
}

const html = readFileSync(new URL("index.html", dist), "utf8");
const entry = [...html.matchAll(/assets\/([^"]+\.(?:js|css))/g)].map(([, name]) => name);
const base = new Set(entry.flatMap((name) => (name.endsWith(".js") ? [...closure(name)] : [name])));
const main = text(entry.find((name) => name.endsWith(".js")));
// Vite's table of preloads, then `import("./Page.js"), __vite__mapDeps([…])` for every page.
const table = [...(/m\.f=\[([^\]]*)\]/.exec(main)?.[1] ?? "").matchAll(/"assets\/([^"]+)"/g)].map(([, name]) => name);

let failed = false;
const weigh = (names, kind) => [...names].filter((name) => name.endsWith(`.${kind}`)).reduce((sum, name) => sum + size.get(name), 0);
console.log("first load, gzip bytes".padEnd(28), "js".padStart(8), "css".padStart(8));
for (const page of ["", "Login", "Setup", "Overview", "Web", "Trends", "Active", "Funnels", "Paths", "Retention", "Cohorts", "Dashboards", "Saved", "Events", "Schema", "Health", "Settings"]) {
  const names = new Set(base);
  if (page) {
    const call = new RegExp(`import\\([\`"']\\./(${page}-[^\`"']+\\.js)[\`"']\\)(?:\\.then\\([^)]*\\))?(?:,__vite__mapDeps\\(\\[([\\d,]*)\\]\\))?`).exec(main);
    if (!call) throw new Error(`no lazily loaded ${page} in the entry script`);
    closure(call[1]).forEach((name) => names.add(name));
    for (const index of (call[2] ?? "").split(",").filter(Boolean)) names.add(table[Number(index)]);
  }
  const [js, css] = [weigh(names, "js"), weigh(names, "css")];
  const over = js > BUDGET.js || css > BUDGET.css;
  failed ||= over;
  console.log((page || "entry alone").padEnd(28), String(js).padStart(8), String(css).padStart(8), over ? "  OVER BUDGET" : "");
}
console.log("budget".padEnd(28), String(BUDGET.js).padStart(8), String(BUDGET.css).padStart(8));
if (failed) process.exit(1);
