/** A list that comes in pages, as far as one cohort or one table takes it. Pure but for what `page` does. */

/** So many pages of the longest that the API gives: of a funnel and of paths that is 50,000 rows. */
export const MOST_PAGES = 50;

export interface Page<T> {
  rows: T[];
  next: string | null;
}

export interface Whole<T> {
  rows: T[];
  /** Whether there were more than these. */
  cut: boolean;
}

/** All rows, page by page, from the first on. */
export async function wholeList<T>(page: (cursor: string | null) => Promise<Page<T>>, pages = MOST_PAGES): Promise<Whole<T>> {
  const rows: T[] = [];
  let cursor: string | null = null;
  for (let turn = 0; turn < pages; turn += 1) {
    const got: Page<T> = await page(cursor);
    rows.push(...got.rows);
    cursor = got.next;
    if (!cursor) break;
  }
  return { rows, cut: cursor !== null };
}

export interface Ids {
  /** Each once, in their order. */
  ids: string[];
  /** People whom no id names any more. */
  unnamed: number;
  cut: boolean;
}

/** The ids of a list of people. */
export function idsOfRows(whole: Whole<string | null | undefined>): Ids {
  const named = whole.rows.filter((id): id is string => id != null && id !== "");
  return { ids: [...new Set(named)], unnamed: whole.rows.length - named.length, cut: whole.cut };
}

/** A name within what the API takes, of what the list is called. */
export function proposedName(title: string): string {
  const line = title.replace(/\s+/g, " ").trim();
  return [...line].length > 100 ? `${[...line].slice(0, 99).join("")}…` : line;
}
