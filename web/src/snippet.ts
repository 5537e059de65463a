/** What a site pastes to send its events: the very text that the SDK's build writes. */
import template from "../../sdk-js/dist/snippet.txt?raw";

/** The snippet for one installation and one write key. */
export function snippet(host: string, key: string): string {
  return template.trim().replaceAll("{{host}}", host).replaceAll("{{key}}", key);
}

/** The same without a browser: one event from a shell. */
export function curl(host: string, key: string): string {
  return [
    `curl ${host}/v1/events \\`,
    `  -H 'Authorization: Bearer ${key}' \\`,
    `  -d '{"event":"hello","distinct_id":"me"}'`,
  ].join("\n");
}
