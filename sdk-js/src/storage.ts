/**
 * Small texts under names: in localStorage, which all tabs of the origin share, or, where that is refused (private
 * windows, sandboxed frames, a full quota), in this page's memory. Nothing here ever throws.
 */

const memory = new Map<string, string>();

export function read(name: string): string | null {
  try {
    return memory.get(name) ?? localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** The words of the text under `name`; none when there is no text. */
export function words(name: string): string[] {
  return read(name)?.split(' ') ?? [];
}

export function write(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
    memory.delete(name);
  } catch {
    remove(name); // an older value must not outlive this one
    memory.set(name, value);
  }
}

export function remove(name: string): void {
  memory.delete(name);
  try {
    localStorage.removeItem(name);
  } catch {
    // refused to us as a whole, so the name is not in there either
  }
}

/** The names that start with `prefix`, sorted. */
export function names(prefix: string): string[] {
  let all = [...memory.keys()];
  try {
    all = all.concat(Object.keys(localStorage));
  } catch {
    // memory only
  }
  return all.filter((name) => name.startsWith(prefix)).sort();
}
