// What a service has counted, from its metrics, and what it does, from two such readings. It draws nothing.

// Services have some twenty.
export const APIS_MAX = 64;
const NOTHING = { requests: 0, errors: 0, times: [] };

/** The values of each name in Prometheus's format, each with its labels. */
function parse(text) {
  const values = new Map();
  for (const line of text.split("\n")) {
    const [, name, labels, value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name && Number.isFinite(Number(value))) {
      // Nothing is looked for twice, however long a line is.
      const pairs = (labels ?? "").matchAll(/(\w+)="([^"]*)"(?:,|$)/gy);
      const entry = { labels: new Map(Array.from(pairs, ([, label, what]) => [label, what])), value: Number(value) };
      values.has(name) ? values.get(name).push(entry) : values.set(name, [entry]);
    }
  }
  return values;
}

/** What a service has counted until now, of what is shown here. Fails if it is none of the marketplace. */
export function read(text) {
  const values = parse(text);
  const of = (name) => values.get(`marketplace_${name}`) ?? [];
  const total = (name) => (of(name).length > 0 ? sum(of(name).map((each) => each.value)) : null);
  const apis = new Map();
  for (const { labels, value } of of("requests_total")) {
    const name = labels.get("api");
    if (!apis.has(name) && apis.size === APIS_MAX) {
      continue;
    }
    const api = apis.get(name) ?? { ...NOTHING, times: [] };
    api.requests += value;
    api.errors += labels.get("outcome") === "ok" ? 0 : value;
    apis.set(name, api);
  }
  for (const { labels, value } of of("request_duration_seconds_bucket")) {
    apis.get(labels.get("api"))?.times.push([bound(labels), value]);
  }
  const service = of("build_info")[0]?.labels.get("marketplace_service");
  if (!service) {
    throw new Error("what answers is no service of the marketplace");
  }
  const each = [...apis.values()];
  const times = each[0]?.times.map(([to], place) => [to, sum(each.map((api) => api.times[place]?.[1] ?? 0))]) ?? [];
  return {
    service,
    all: { requests: sum(each.map((api) => api.requests)), errors: sum(each.map((api) => api.errors)), times },
    began: values.get("process_start_time_seconds")?.[0]?.value,
    apis,
    connections: total("connections"),
    calls: total("calls_in_flight"),
    commits: total("commit_rows_count") ?? total("store_group_writes_count"),
    flushes: of("flush_duration_seconds_bucket").map(({ labels, value }) => [bound(labels), value]),
  };
}

function bound(labels) {
  return labels.get("le") === "+Inf" ? Infinity : Number(labels.get("le"));
}

function sum(numbers) {
  return numbers.reduce((all, number) => all + number, 0);
}

/** What has happened between two readings, so many seconds apart. */
export function sample(before, after, seconds) {
  const apis = [...after.apis].map(([name, now]) => [name, figures(before.apis.get(name) ?? NOTHING, now, seconds)]);
  const flushes = changes(before.flushes, after.flushes);
  return {
    apis: new Map(apis),
    ...figures(before.all, after.all, seconds),
    connections: after.connections,
    calls: after.calls,
    commits: after.commits === null ? null : rate(before.commits, after.commits, seconds),
    flushP50: quantile(flushes, 0.5),
    flushP99: quantile(flushes, 0.99),
  };
}

function figures(then, now, seconds) {
  const times = changes(then.times, now.times);
  const [requests, errors] = ["requests", "errors"].map((what) => rate(then[what], now[what], seconds));
  return { requests, errors, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** What was added in a second; nothing where that cannot be. */
function rate(before, after, seconds) {
  const added = (after - before) / seconds;
  return added >= 0 && Number.isFinite(added) ? added : null;
}

/** How many more there are up to each bound. */
function changes(before, after) {
  return after.map(([to, count], place) => [to, count - (before[place]?.[1] ?? 0)]);
}

/** The value up to which this part of all lies, if they lie evenly between the bounds, as Prometheus takes it. */
function quantile(counts, part) {
  const wanted = part * (counts.at(-1)?.[1] ?? 0);
  if (wanted <= 0) {
    return null;
  }
  const place = counts.findIndex(([, count]) => count >= wanted);
  const [from, below] = counts[place - 1] ?? [0, 0];
  const [to, count] = counts[place] ?? [Infinity, 0];
  const value = to === Infinity ? from : from + ((to - from) * (wanted - below)) / (count - below);
  return value >= 0 && Number.isFinite(value) ? value : null;
}
