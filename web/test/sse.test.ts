import { afterEach, expect, test, vi } from "vitest";
import { backoffMs, follow, MessageParser, type Message } from "../src/sse";

afterEach(() => vi.useRealTimers());

const WIRE = ': hello\r\nevent: now\r\ndata: {"a":1}\r\n\r\nevent:events\ndata: {\ndata:  "b":2}\n\nid: 7\n\ndata: last\r\r';
const MESSAGES: Message[] = [
  { event: "now", data: '{"a":1}' },
  { event: "events", data: '{\n "b":2}' },
  { event: "message", data: "last" },
];

test("messages come out whole, wherever the network cuts", () => {
  for (let size = 1; size <= WIRE.length; size++) {
    const parser = new MessageParser();
    const got: Message[] = [];
    for (let at = 0; at < WIRE.length; at += size) got.push(...parser.push(WIRE.slice(at, at + size)));
    // The final CR might be half of a CRLF: the next byte tells.
    got.push(...parser.push("\n"));
    expect(got).toEqual(MESSAGES);
  }
});

test("a message without its blank line is not given out", () => {
  expect(new MessageParser().push("data: half\n")).toEqual([]);
});

test("waiting doubles up to half a minute, and is never nothing", () => {
  expect([1, 2, 3, 9].map((attempt) => backoffMs(attempt, 1))).toEqual([1_000, 2_000, 4_000, 30_000]);
  expect(backoffMs(1, 0)).toBe(500);
});

test("a refused and a cut stream are opened again until the reader goes", async () => {
  vi.useFakeTimers();
  const stop = new AbortController();
  const got: string[] = [];
  const states: string[] = [];
  const answers = [
    () => new Response("no", { status: 503 }),
    () => new Response("data: one\n\n"),
    () => new Response("data: two\n\n"),
  ];
  const done = follow({
    open: async () => (answers.shift() ?? (() => new Response(null, { status: 500 })))(),
    onMessage: (message) => {
      got.push(message.data);
      if (got.length === 2) stop.abort();
    },
    onState: (state) => states.push(state),
    signal: stop.signal,
  });
  await vi.advanceTimersByTimeAsync(60_000);
  await done;
  expect(got).toEqual(["one", "two"]);
  expect(states.slice(0, 4)).toEqual(["waiting", "open", "waiting", "open"]);
});
