/** The views of the data health page and their names in the address. */
export const VIEWS = [
  { name: "ledger", label: "Ledger" },
  { name: "rejected", label: "Rejected" },
  { name: "letters", label: "Dead letters" },
  { name: "audit", label: "Audit" },
] as const;
export type View = (typeof VIEWS)[number]["name"];

/** Which view an address means. */
export function viewOf(query: URLSearchParams): View {
  const wanted = query.get("view");
  return VIEWS.find((one) => one.name === wanted)?.name ?? "ledger";
}
