// How long after the 200 is an event in an answer of the API?
//   make run            (in another shell: prints address, e-mail and password)
//   node benches/freshness.mjs http://127.0.0.1:8080 EMAIL PASSWORD [EVENTS]
// Sends events one by one, each with a name of its own, and asks for its trend (rollups) until the event is in
// it. Prints percentiles of the time between the endpoint's answer and the first answer that counts it; the
// question's own time (a few milliseconds) is included.
const [url, email, password, count = "200"] = process.argv.slice(2);

async function json(path, init) {
  const answer = await fetch(`${url}${path}`, init);
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
const body = (value) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

const { access_token } = await json("/v1/auth/login", body({ email, password }));
const headers = { authorization: `Bearer ${access_token}` };
const project = (await json("/v1/me", { headers })).projects[0];
const run = Date.now().toString(36);
const taken = [];
const acknowledged = [];
for (let n = 0; n < Number(count); n += 1) {
  const event = `freshness_${run}_${n}`;
  const sent = performance.now();
  await json("/v1/events", body({ write_key: project.write_key, batch: [{ event, user_id: `u-${n}` }] }));
  const answered = performance.now();
  acknowledged.push(answered - sent);
  const give = answered + 30_000;
  for (;;) {
    const { data } = await json(`/v1/projects/${project.id}/trends?event=${event}`, { headers });
    if (data.series[0].total === 1) break;
    if (performance.now() > give) throw new Error(`${event} is not visible after 30 s`);
  }
  taken.push(performance.now() - answered);
}
const percentiles = (times) => {
  times.sort((a, b) => a - b);
  const at = (q) => times[Math.min(times.length - 1, Math.floor(times.length * q))].toFixed(1);
  return `p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, max ${times.at(-1).toFixed(1)} ms`;
};
console.log(`${count} events\nsent to 200:         ${percentiles(acknowledged)}\n200 to visible:      ${percentiles(taken)}`);
