/**
 * What a site pastes into its pages. The stub notes every call with its time and address until `f.js` is there.
 * The build writes this text to `dist/snippet.txt`, from where server and dashboard print it.
 */

/** The snippet with `{{host}}` and `{{key}}` in place of the values. */
export const TEMPLATE = `<script>
!function(w,d,f,s){if(w.footfall)return;f=w.footfall={q:[]};
"init track page identify set setOnce unset add group alias reset flush".split(" ").map(function(m){f[m]=function(){f.q.push([m,[].slice.call(arguments),Date.now(),location.href])}});
s=d.createElement("script");s.async=1;s.src="{{host}}/f.js";d.head.appendChild(s)}(window,document);
footfall.init("{{key}}",{host:"{{host}}"});
</script>`;

/**
 * The snippet for one project. Throws a `TypeError` for a host that is no http(s) address and for a key that is none,
 * so that nothing else can get into the page.
 */
export function snippet(host: string, key: string): string {
  const { href, protocol } = new URL(host);
  if (!/^https?:$/.test(protocol)) throw new TypeError(`not an http(s) address: ${host}`);
  if (!/^\w+$/.test(key)) throw new TypeError(`not a write key: ${key}`);
  const base = href.replace(/\/+$/, '').replace(/['"<>\\]/g, encodeURIComponent);
  return TEMPLATE.replaceAll('{{host}}', base).replaceAll('{{key}}', key);
}
