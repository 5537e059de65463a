/** UUIDv7 (RFC 9562, section 5.7): sortable ids, so that stored records sort by the time they were made. */

let lastMs = 0;
let counter = 0;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/**
 * A UUIDv7 of the instant `atMs`. Ids of one page only ever grow, also within a millisecond and when the clock
 * steps back: the 12 bits after the version are a counter (RFC 9562, section 6.2, method 1).
 * `crypto.randomUUID` is not used: it does not exist on plain http pages.
 */
export function uuid7(atMs: number): string {
  if (atMs > lastMs) {
    lastMs = atMs;
    counter = 0;
  } else if (++counter > 0xfff) {
    lastMs++;
    counter = 0;
  }
  const time = hex(lastMs, 12);
  const random = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte, index) =>
    hex(index ? byte : (byte & 0x3f) | 0x80, 2),
  ).join('');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(counter, 3)}-${random.slice(0, 4)}-${random.slice(4)}`;
}
