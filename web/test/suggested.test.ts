import { expect, test } from "vitest";
import type { SchemaEvent, SchemaProperty } from "../src/api-schema";
import { ofEvents, ofProperties, ofValues } from "../src/suggested";

const property = (name: string, said: Partial<SchemaProperty> = {}) => ({ name, description: "", verified: false, ...said }) as SchemaProperty;

test("what clients send comes before what capture finds out, each name once, in the schema's order", () => {
  const lines = ofProperties(
    [property("plan", { verified: true }), property("$browser"), property("cart", { description: "Items in it" }), property("$url")],
    ["$path", "$browser"],
  );
  expect(lines).toEqual([
    { event: "plan", count: 0, verified: true },
    { event: "cart", count: 0, note: "Items in it" },
    { event: "$browser", count: 0 },
    { event: "$url", count: 0 },
    { event: "$path", count: 0 },
  ]);
});

test("events carry their volume and what is said about them; the empty value is nothing to choose", () => {
  const buy = { event: "buy", volume: 12, description: "An order was paid", verified: true } as SchemaEvent;
  expect(ofEvents([buy])).toEqual([{ event: "buy", count: 12, note: "An order was paid", verified: true }]);
  expect(ofValues([{ value: "pro", count: 3 }, { value: "", count: 9 }])).toEqual([{ event: "pro", count: 3 }]);
});
