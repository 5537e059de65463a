import { expect, test } from "vitest";
import { carried, href, match, returnPath } from "../src/routes";
import { Shortcuts } from "../src/shortcuts";

test("addresses mean pages", () => {
  expect(match("/")).toEqual({ page: "home" });
  expect(match("/login")).toEqual({ page: "login" });
  expect(match("/funnels")).toEqual({ page: "funnels", project: null });
  expect(match("/p/12")).toEqual({ page: "overview", project: 12 });
  expect(match("/p/12/events/")).toEqual({ page: "events", project: 12 });
  for (const path of ["/p", "/p/x/events", "/p/1/nowhere", "/p/1/events/2", "/docs", "/overview/1"]) {
    expect(match(path)).toEqual({ page: "missing", path });
  }
});

test("a page's address leads back to it", () => {
  const address = href(7, "funnels", [["step", "a b"], ["step", "c&d"]]);
  const url = new URL(address, "http://localhost");
  expect(match(url.pathname)).toEqual({ page: "funnels", project: 7 });
  expect(url.searchParams.getAll("step")).toEqual(["a b", "c&d"]);
});

test("the dates follow to the next page, filters do not", () => {
  expect(carried(new URLSearchParams("range=7d&event=x&step=y"))).toEqual([["range", "7d"]]);
});

test("after signing in, only an address of ours", () => {
  const next = (to: string) => returnPath(new URLSearchParams({ next: to }));
  expect(next("/p/1/funnels?step=a")).toBe("/p/1/funnels?step=a");
  for (const evil of ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]) {
    expect(next(evil)).toBe("/");
  }
});

test("g then a letter goes; too late or another key does not", () => {
  const gone: string[] = [];
  const keys = new Shortcuts((page) => gone.push(page), () => gone.push("help"));
  expect([keys.press("g", 0), keys.press("f", 300)]).toEqual([true, true]);
  keys.press("g", 1_000);
  expect(keys.press("o", 9_000)).toBe(false);
  keys.press("g", 10_000);
  expect(keys.press("x", 10_100)).toBe(false);
  expect(keys.press("e", 10_200)).toBe(false);
  keys.press("?", 11_000);
  expect(gone).toEqual(["funnels", "help"]);
});
