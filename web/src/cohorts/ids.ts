/** The ids of a text: one a line, or the first column of a table. Each once, in their order. */
export function idsOf(text: string): string[] {
  const names = ["distinct_id", "user_id", "id"];
  const fields = text.replace(/^\uFEFF/, "").split(/\r?\n/).map(firstField).filter(Boolean);
  const ids = names.includes(fields[0]?.toLowerCase() ?? "") ? fields.slice(1) : fields;
  return [...new Set(ids)];
}

function firstField(line: string): string {
  const text = line.trim();
  if (!text.startsWith('"')) return (text.split(/[,;\t]/)[0] ?? "").trim();
  const quoted = /^"((?:[^"]|"")*)"/.exec(text)?.[1] ?? text.slice(1);
  return quoted.replaceAll('""', '"');
}
