// What services count, as charts. Each second the page asks every service for its metrics; how they have changed since then
// is a sample. Samples are kept here and nowhere else. Nothing that a service answers becomes markup.

"use strict";

const PAUSE_MS = 1000;
const ANSWER_MS_MAX = 3000;
const SHOWN_MS_MIN = 60_000;
const SHOWN_MS_MAX = 300_000;
const WIDTH = 300;
const HEIGHT = 100;
const NONE = "–";

// What is drawn of each service, if it has it: the lines of each chart, by their names and what they are of a sample.
const CHARTS = [
  { title: "Requests and errors a second", form: rate, lines: [["requests", "requests"], ["errors", "errors"]] },
  { title: "Response time", form: duration, lines: [["p50", "p50"], ["p99", "p99"]] },
  { title: "Connections and calls", form: rate, lines: [["connections", "connections"], ["calls in flight", "calls"]] },
  { title: "Commits a second", form: rate, lines: [["commits", "commits"]] },
  { title: "Time of a flush", form: duration, lines: [["p50", "flushP50"], ["p99", "flushP99"]] },
];
const API_CHARTS = CHARTS.slice(0, 2);
const API_COLUMNS = [["requests", rate], ["errors", rate], ["p50", duration], ["p99", duration]];
const OVERVIEW_COLUMNS = [
  ...API_COLUMNS,
  ["connections", rate],
  ["calls", rate],
  ["commits", rate],
  ["flushP99", duration],
];

// What a service says.

/** The values of each name in Prometheus's format, each with its labels. */
function parse(text) {
  const values = new Map();
  for (const line of text.split("\n")) {
    const [, name, labels, value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name) {
      const pairs = (labels ?? "").matchAll(/(\w+)="([^"]*)"/g);
      const entry = { labels: new Map(Array.from(pairs, ([, label, what]) => [label, what])), value: Number(value) };
      values.has(name) ? values.get(name).push(entry) : values.set(name, [entry]);
    }
  }
  return values;
}

/** What a service has counted until now, of what is shown here. Fails if it is none of the marketplace. */
function read(text) {
  const values = parse(text);
  const of = (name) => values.get(`marketplace_${name}`) ?? [];
  const total = (name) => (of(name).length > 0 ? sum(of(name).map((each) => each.value)) : null);
  const apis = new Map();
  for (const { labels, value } of of("requests_total")) {
    const api = apis.get(labels.get("api")) ?? { requests: 0, errors: 0, times: [] };
    api.requests += value;
    api.errors += labels.get("outcome") === "ok" ? 0 : value;
    apis.set(labels.get("api"), api);
  }
  for (const { labels, value } of of("request_duration_seconds_bucket")) {
    apis.get(labels.get("api"))?.times.push([bound(labels), value]);
  }
  const service = of("build_info")[0]?.labels.get("marketplace_service");
  if (!service) {
    throw new Error("what answers is no service of the marketplace");
  }
  return {
    service,
    began: values.get("process_start_time_seconds")?.[0]?.value,
    apis,
    connections: total("connections"),
    calls: total("calls_in_flight"),
    commits: total("commit_rows_count") ?? total("store_flights_total"),
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
function sample(before, after, seconds) {
  const apis = new Map();
  for (const [name, now] of after.apis) {
    const then = before.apis.get(name) ?? { requests: 0, errors: 0, times: now.times.map(([to]) => [to, 0]) };
    const times = changes(then.times, now.times);
    apis.set(name, {
      requests: (now.requests - then.requests) / seconds,
      errors: (now.errors - then.errors) / seconds,
      times,
      p50: quantile(times, 0.5),
      p99: quantile(times, 0.99),
    });
  }
  const all = [...apis.values()];
  const times = (all[0]?.times ?? []).map(([to], place) => [to, sum(all.map((api) => api.times[place]?.[1] ?? 0))]);
  const flushes = changes(before.flushes, after.flushes);
  return {
    apis,
    requests: sum(all.map((api) => api.requests)),
    errors: sum(all.map((api) => api.errors)),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    connections: after.connections,
    calls: after.calls,
    commits: after.commits === null ? null : (after.commits - before.commits) / seconds,
    flushP50: quantile(flushes, 0.5),
    flushP99: quantile(flushes, 0.99),
  };
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
  const [to, count] = counts[place];
  return to === Infinity ? from : from + ((to - from) * (wanted - below)) / (count - below);
}

// How it is written.

function rate(number) {
  return number.toLocaleString("en", { maximumFractionDigits: number < 10 ? 1 : 0 });
}

function duration(seconds) {
  const [unit, name] = seconds < 0.001 ? [1e-6, "µs"] : seconds < 1 ? [1e-3, "ms"] : [1, "s"];
  return `${rate(seconds / unit)} ${name}`;
}

function written(value, form) {
  return value === null || value === undefined ? NONE : form(value);
}

function clock(time) {
  return new Date(time).toLocaleTimeString("en-GB");
}

// How it is drawn.

/** An element of the page with a text in it. */
function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  Object.entries(attributes).forEach(([attribute, value]) => made.setAttribute(attribute, value));
  return made;
}

function copy(template) {
  return document.getElementById(template).content.firstElementChild.cloneNode(true);
}

/** The smallest of 1, 2, 5, 10, 20 and so on that is not less. */
function roundedUp(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * unit).find((step) => step >= value * 0.999);
}

/** A picture of lines over the time that is shown. */
class Chart {
  constructor({ title, form, lines }, svg) {
    Object.assign(this, { title, form, lines, svg });
    const names = ["rule", "moment", ...lines.map((_, place) => (place > 0 ? "second" : "first"))];
    this.paths = names.map((name) => document.createElementNS("http://www.w3.org/2000/svg", "path"));
    this.paths.forEach((path, place) => path.setAttribute("class", names[place]));
    svg.replaceChildren(...this.paths);
    svg.setAttribute("role", "img");
  }

  /** Draws samples, some of which are missing, and tells the greatest value that there is room for. */
  draw(samples, view) {
    const values = this.lines.map(([, field]) => samples.map((sample) => sample?.[field] ?? null));
    const most = Math.max(...values.flat().filter((value) => value !== null), 0);
    const top = most > 0 ? roundedUp(most) : 1;
    const x = (time) => (WIDTH * (1 - (view.now - time) / view.shown)).toFixed(1);
    const y = (value) => (HEIGHT * (1 - value / top)).toFixed(1);
    const line = (values) => {
      let gap = true;
      const steps = values.map((value, place) => {
        const step = value === null ? "" : `${gap ? "M" : "L"}${x(view.times[place])} ${y(value)}`;
        // A value that stands alone is a dot.
        const isAlone = gap && (values[place + 1] ?? null) === null;
        gap = value === null;
        return step && isAlone ? `${step}h1` : step;
      });
      return steps.join("");
    };
    const at = x(view.times[view.place] ?? view.now);
    const drawn = [`M0 0H${WIDTH}M0 ${HEIGHT}H${WIDTH}`, view.isNow ? "" : `M${at} 0V${HEIGHT}`, ...values.map(line)];
    drawn.forEach((steps, place) => this.paths[place].setAttribute("d", steps));
    const told = this.lines.map(([name], place) => {
      const greatest = Math.max(...values[place].filter((value) => value !== null));
      const shown = written(values[place][view.place], this.form);
      return `${name} ${shown}, ${greatest >= 0 ? this.form(greatest) : NONE} at most`;
    });
    this.svg.setAttribute("aria-label", `${this.title}: ${told.join("; ")}`);
    return { top, has: values.map((values) => values.some((value) => value !== null)) };
  }
}

/** A chart with its title, its scale and its present values. */
class Figure {
  constructor(chart) {
    this.root = copy("chart");
    this.chart = new Chart(chart, this.root.querySelector("svg"));
    this.root.querySelector("b").textContent = chart.title;
    this.values = chart.lines.map(() => element("span", ""));
    this.root.querySelector("figcaption").append(...this.values);
  }

  draw(samples, view) {
    const { top, has } = this.chart.draw(samples, view);
    // A frontend commits nothing, and a database calls nobody.
    this.root.hidden = !has.includes(true);
    this.chart.lines.forEach(([name, field], place) => {
      this.values[place].hidden = !has[place];
      this.values[place].textContent = `${name} ${written(samples[view.place]?.[field], this.chart.form)}`;
    });
    this.root.querySelector(".most").textContent = this.chart.form(top);
    this.root.querySelector(".since").textContent = `${rate(view.shown / 1000)} s ago`;
    this.root.querySelector(".now").textContent = clock(view.now);
  }
}

/** A row of a table: a title, a value for each column, and pictures. */
class Row {
  constructor(table, title, columns, charts = []) {
    this.columns = columns;
    this.root = element("tr", "", { role: "row" });
    this.title = element("th", title, { role: "rowheader", scope: "row" });
    const titles = Array.from(table.querySelectorAll("thead th"), (header) => header.textContent).slice(1);
    const cells = titles.map((title) => element("td", "", { role: "cell", "data-title": title }));
    this.cells = cells.slice(0, columns.length);
    this.charts = charts.map((chart, place) => {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
      svg.setAttribute("preserveAspectRatio", "none");
      cells[columns.length + place].classList.add("picture");
      cells[columns.length + place].append(svg);
      return new Chart({ ...chart, title: `${title}, ${chart.title}` }, svg);
    });
    this.root.append(this.title, ...cells);
    table.querySelector("tbody").append(this.root);
  }

  show(samples, view) {
    this.columns.forEach(([field, form], place) => {
      const text = written(samples[view.place]?.[field], form);
      this.cells[place].textContent = text;
      this.cells[place].classList.toggle("none", text === NONE);
    });
    this.charts.forEach((chart) => chart.draw(samples, view));
  }
}

/** One service: what it was asked, and where it is shown. */
class Service {
  constructor(address, isOwn, main) {
    // The own service is asked under whatever name the page was found.
    Object.assign(this, { address, url: isOwn ? "metrics" : `http://${address}/metrics` });
    Object.assign(this, { name: address, before: null, since: null, why: "", samples: [], apis: new Map() });
    this.root = copy("service");
    this.figures = CHARTS.map((chart) => new Figure(chart));
    this.root.querySelector(".charts").append(...this.figures.map((figure) => figure.root));
    this.row = new Row(document.getElementById("overview"), address, OVERVIEW_COLUMNS);
    main.append(this.root);
  }

  /** Asks once: a sample, or nothing where there is nothing to compare. */
  async ask() {
    const { before } = this;
    this.before = null;
    try {
      const options = { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(ANSWER_MS_MAX) };
      const response = await fetch(this.url, options);
      const at = performance.now();
      this.before = { at, read: read(await response.text()) };
      [this.name, this.since] = [this.before.read.service, null];
      // A service that was started anew counts from the beginning.
      const isSame = before?.read.began === this.before.read.began;
      return isSame ? sample(before.read, this.before.read, (at - before.at) / 1000) : null;
    } catch (error) {
      this.since ??= Date.now();
      this.why = error.name === "TypeError" ? `no answer that a page of ${location.host} may read` : error.message;
      return null;
    }
  }

  show(view) {
    const away = this.root.querySelector(".away");
    const isAway = this.since !== null;
    this.root.querySelector("h2").textContent = `${this.name} at ${this.address}`;
    this.row.title.replaceChildren(this.name, element("small", this.address));
    this.row.root.classList.toggle("away", isAway);
    away.hidden = !isAway;
    away.textContent = isAway ? `Away since ${clock(this.since)}: ${this.why}. It is asked each second.` : "";
    this.figures.forEach((figure) => figure.draw(this.samples, view));
    this.row.show(this.samples, view);
    const table = this.root.querySelector(".apis");
    table.querySelector("caption").textContent = `APIs of ${this.name} that were called`;
    for (const [name, { requests }] of this.samples[view.place]?.apis ?? []) {
      if (requests > 0 && !this.apis.has(name)) {
        this.apis.set(name, new Row(table, name, API_COLUMNS, API_CHARTS));
      }
    }
    this.apis.forEach((row, name) => row.show(this.samples.map((sample) => sample?.apis.get(name)), view));
    table.hidden = this.apis.size === 0;
  }
}

/** All services, and the moments at which they were asked. */
class Page {
  constructor() {
    const main = document.querySelector("main");
    const peers = main.dataset.peers.split(",").filter((peer) => peer !== "");
    const isOwn = (address) => address.replace(/:80$/, "") === location.host;
    const addresses = peers.some(isOwn) ? peers : [location.host, ...peers];
    this.services = addresses.map((address) => new Service(address, isOwn(address), main));
    [this.times, this.isPaused] = [[], false];
    [this.moment, this.pause] = ["moment", "pause"].map((id) => document.getElementById(id));
    this.moment.addEventListener("input", () => this.show());
    this.pause.addEventListener("click", () => this.toggle());
    this.run();
  }

  async run() {
    for (;;) {
      const began = performance.now();
      if (!this.isPaused) {
        await this.turn();
      }
      const left = PAUSE_MS + began - performance.now();
      await new Promise((resume) => setTimeout(resume, Math.max(left, PAUSE_MS / 4)));
    }
  }

  /** Asks all at once, and shows it. */
  async turn() {
    const samples = await Promise.all(this.services.map((service) => service.ask()));
    this.services.forEach((service, place) => service.samples.push(samples[place]));
    this.times.push(Date.now());
    while (this.times[0] < this.times.at(-1) - SHOWN_MS_MAX) {
      this.times.shift();
      this.services.forEach((service) => service.samples.shift());
    }
    this.show();
  }

  /** Stops asking, or goes on, with a gap where nobody has asked. */
  toggle() {
    this.isPaused = !this.isPaused;
    this.pause.setAttribute("aria-pressed", this.isPaused);
    this.services.forEach((service) => (service.before = null));
    this.show();
  }

  show() {
    const { times } = this;
    this.moment.min = Math.min(1 - times.length, 0);
    const place = Math.max(times.length - 1 + Number(this.moment.value), 0);
    const [now, isNow] = [times.at(-1) ?? Date.now(), Number(this.moment.value) === 0];
    const shown = Math.min(Math.max(now - (times[0] ?? now), SHOWN_MS_MIN), SHOWN_MS_MAX);
    document.getElementById("when").textContent = isNow && !this.isPaused ? "now" : clock(times[place] ?? now);
    this.services.forEach((service) => service.show({ times, place, now, shown, isNow }));
    const away = this.services.filter((service) => service.since !== null).map((service) => service.name);
    const state = document.getElementById("state");
    const all = this.services.length > 1 ? `All ${this.services.length} services answer.` : "The service answers.";
    const text = away.length > 0 ? `Away: ${away.join(", ")}.` : all;
    state.classList.toggle("bad", away.length > 0);
    // It is read out when it changes.
    if (state.textContent !== text) {
      state.textContent = text;
    }
  }
}

new Page();
