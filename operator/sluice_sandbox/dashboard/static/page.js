// What a rollout does, from Prometheus alone. ?deployment=namespace/name, ?minutes=5, ?still=1 draws once.

import { bands, lines } from "./chart.js";

const EVERY_MS = 1000;
const MINUTES = [2, 5, 15, 60];
const POINTS = 300;
const chosen = new URLSearchParams(location.search);
const byId = (id) => document.getElementById(id);

async function ask(path, parameters) {
  const answer = await fetch(`api/v1/${path}?${new URLSearchParams(parameters)}`);
  const body = await answer.json();
  if (body.status !== "success") throw new Error(`${parameters.query}: ${body.error}`);
  return body.data.result;
}

const now = (query) => ask("query", { query });
const number = (result) => (result.length ? Number(result[0].value[1]) : null);

function range(query, { from, to }) {
  const step = Math.max(1, Math.ceil((to - from) / POINTS));
  return ask("query_range", { query, start: from, end: to, step });
}

const points = (item) => item.values.map(([time, value]) => [time, Number(value)]);

async function deployments() {
  const found = await now("group by (namespace, name) (max_over_time(sluice_deployment_info[1h]))");
  const names = found.map(({ metric }) => `${metric.namespace}/${metric.name}`).sort();
  const select = byId("deployment");
  if (names.join() !== [...select.options].map((option) => option.value).join()) {
    const wanted = [select.value, chosen.get("deployment"), await liveliest(), names[0]];
    const before = wanted.find((name) => names.includes(name));
    select.replaceChildren(...names.map((name) => new Option(name, name, false, name === before)));
  }
  return select.value;
}

/** The Deployment that had a rollout most recently: the one that a person came to see. */
async function liveliest() {
  const steps = await now("topk(1, max by (namespace, name) (timestamp(sluice_rollout_step) or last_over_time(timestamp(sluice_rollout_step)[1h:10s])))");
  return steps.length ? `${steps[0].metric.namespace}/${steps[0].metric.name}` : "";
}

/** Merge a series of one sample per label value into bands: which value held from when to when. */
function toBands(result, { text, kind, step }) {
  const found = [];
  for (const item of result) {
    let open = null;
    for (const [time, value] of points(item)) {
      if (open && time - open.to <= 2 * step && open.value === value) open.to = time;
      else found.push((open = { from: time, to: time, value, text: text(item.metric), kind: kind(item.metric, value) }));
    }
  }
  return found.map((band) => ({ ...band, to: band.to + step })).sort((one, other) => one.from - other.from);
}

/** Return a mark for each rise of a counter; a series that begins later than `known` began with an event. */
function marksOf(result, known) {
  const marks = [];
  for (const item of result) {
    let before = item.values[0][0] > known ? 0 : Infinity;
    for (const [time, value] of points(item)) {
      if (value > before) marks.push({ time, text: `rolled back: ${item.metric.reason}` });
      before = value;
    }
  }
  return marks;
}

/** Fill in the share of a slot that is not in the weights: none, whenever another slot is. */
function whole(result) {
  const times = new Map();
  for (const { metric, values } of result) {
    const known = times.get(metric.kind) ?? times.set(metric.kind, new Set()).get(metric.kind);
    values.forEach(([time]) => known.add(time));
  }
  return result.map(({ metric, values }) => {
    const own = new Map(values);
    const moments = [...times.get(metric.kind)].sort((one, other) => one - other);
    return { metric, values: moments.map((time) => [time, own.get(time) ?? "0"]) };
  });
}

function figures(list) {
  byId("figures").replaceChildren(
    ...list.map(([name, value, tone = ""]) => {
      const box = document.createElement("div"), big = document.createElement("b"), small = document.createElement("span");
      box.className = `figure ${tone}`;
      big.dataset.figure = name;
      big.textContent = value;
      small.textContent = name;
      box.append(big, small);
      return box;
    }),
  );
}

const seconds = (value) => (value === null || Number.isNaN(value) ? "–" : `${value.toFixed(value < 10 ? 2 : 0)} s`);
const percent = (share) => `${Math.round(share * 1000) / 10} %`;

async function draw() {
  const name = await deployments();
  if (!name) throw new Error("Prometheus knows no Deployment yet");
  const [namespace, deployment] = name.split("/");
  const to = Math.floor(Date.now() / 1000), from = to - 60 * Number(byId("minutes").value);
  const span = { from, to }, step = Math.max(1, Math.ceil((to - from) / POINTS));
  const mine = `namespace="${namespace}",name="${deployment}"`;
  const [weights, tasks, ready, stalled, stage, alerts, rollbacks, isReady, done, steps, count, mean, proven] = await Promise.all([
    range(`sum by (slot, kind) (sluice_route_weight{namespace="${namespace}",backend="${deployment}"}) / on () group_left () count(group by (route) (sluice_route_weight{namespace="${namespace}",backend="${deployment}"}))`, span),
    range(`sluice_deployment_tasks{${mine}}`, span),
    range(`sluice_object_ready{kind="Deployment",${mine}}`, span),
    range(`sluice_object_stalled{kind="Deployment",${mine}}`, span),
    range(`sluice_rollout_stage_info{${mine}}`, span),
    range(`ALERTS{alertstate="firing",namespace=~"${namespace}|sluice-system"}`, span),
    range("sum by (reason) (sluice_rollback_seconds_count)", span),
    now(`max(sluice_object_ready{kind="Deployment",${mine}})`),
    now(`max(sluice_rollout_step{${mine}})`),
    now(`max(sluice_rollout_steps{${mine}})`),
    now("sum(sluice_rollback_seconds_count)"),
    now("sum(sluice_rollback_seconds_sum) / (sum(sluice_rollback_seconds_count) > 0)"),
    now(`min(sluice_route_weights_proven{namespace="${namespace}",backend="${deployment}"})`),
  ]);
  const marks = marksOf(rollbacks, Math.min(...ready.map((item) => item.values[0][0])) + 2 * step);
  lines(byId("weights"), {
    ...span, marks, max: 1, format: percent,
    series: whole(weights)
      .map((item) => ({ name: `${item.metric.slot} ${item.metric.kind}`, classes: `${item.metric.slot} ${item.metric.kind}`, points: points(item) }))
      .sort((one, other) => one.name.localeCompare(other.name)),
  });
  // Healthy where the load balancer's health is read, else running; what is asked for as the dashed line.
  const read = new Set(tasks.filter((item) => item.metric.state === "healthy").map((item) => item.metric.slot));
  const drawn = tasks
    .filter(({ metric }) => metric.state !== "running" || !read.has(metric.slot))
    .map((item) => ({ name: `${item.metric.slot} ${item.metric.state} tasks`, classes: `${item.metric.slot} ${item.metric.state}`, points: points(item) }))
    .sort((one, other) => one.name.localeCompare(other.name));
  const most = Math.max(1, ...drawn.flatMap((series) => series.points.map(([, value]) => value)));
  lines(byId("tasks"), { ...span, max: most, format: (value) => String(Math.round(value * 10) / 10), series: drawn });
  const hopeless = new Set(stalled.map((item) => item.metric.reason));
  bands(byId("states"), {
    ...span,
    rows: [
      { name: "Ready", bands: toBands(ready, { text: (metric) => metric.reason, kind: (metric, value) => (value ? "good" : hopeless.has(metric.reason) ? "bad" : ""), step }) },
      { name: "rollout", bands: toBands(stage, { text: (metric) => metric.stage, kind: (metric) => (metric.stage === "RollingBack" ? "bad" : ""), step }) },
      { name: "alerts", bands: toBands(alerts, { text: (metric) => metric.alertname, kind: () => "bad", step }) },
    ],
  });
  const at = number(isReady), back = number(count);
  figures([
    ["Ready", at === null ? "–" : at ? "yes" : "no", at ? "good" : "bad"],
    ["step of the rollout", number(steps) ? `${number(done) ?? 0} of ${number(steps)}` : "at rest"],
    ["weights proved", number(proven) === null ? "–" : number(proven) ? "yes" : "no", number(proven) ? "good" : "bad"],
    ["rollbacks", back === null ? "0" : String(back), back ? "bad" : ""],
    ["decision to proof, mean", seconds(number(mean))],
    ["alerts firing", String(new Set(alerts.filter((item) => item.values.at(-1)[0] >= to - 2 * step).map((item) => item.metric.alertname)).size)],
  ]);
  document.body.dataset.drawn = name;
}

async function keepDrawing() {
  const trouble = byId("trouble");
  try {
    await draw();
    trouble.hidden = true;
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
  if (!chosen.get("still")) setTimeout(keepDrawing, EVERY_MS);
}

const minutes = Number(chosen.get("minutes")) || 5;
for (const value of new Set([...MINUTES, minutes])) byId("minutes").append(new Option(`${value} min`, value, false, value === minutes));
keepDrawing();
