// What services count, as charts. Each second the page asks every service for its metrics; how they have changed since then
// is a sample. Samples are kept here and nowhere else. Nothing that a service answers becomes markup, and none of them, however
// slow, long or wrong its answer is, keeps the page from showing the others.

import { APIS_MAX, read, sample } from "./figures.js";

const PAUSE_MS = 1000;
// What is there after so long is shown; a later answer comes with the next one.
const WAIT_MS_MAX = 500;
const ANSWER_MS_MAX = 3000;
const ANSWER_BYTES_MAX = 1 << 20;
const SHOWN_MS_MIN = 30_000;
const SHOWN_MS_MAX = 300_000;
const WIDTH = 300;
const HEIGHT = 100;
const NONE = "–";

// What is drawn of each service, if it has it: the lines of each chart, by their names and what they are of a sample.
const CHARTS = [
  { title: "Requests and errors/s", form: rate, lines: [["requests", "requests"], ["errors", "errors"]] },
  { title: "Response time", form: duration, lines: [["p50", "p50"], ["p99", "p99"]] },
  { title: "Connections and calls", form: rate, lines: [["connections", "connections"], ["calls in flight", "calls"]] },
  { title: "Commits/s", form: rate, lines: [["commits", "commits"]] },
  { title: "Time of a flush", form: duration, lines: [["p50", "flushP50"], ["p99", "flushP99"]] },
];
const API_CHARTS = CHARTS.slice(0, 2);
const COLUMNS = [
  ["Requests/s", "requests", rate],
  ["Errors/s", "errors", rate],
  ["p50", "p50", duration],
  ["p99", "p99", duration],
  ["Connections", "connections", rate],
  ["In flight", "calls", rate],
  ["Commits/s", "commits", rate],
  ["Flush p99", "flushP99", duration],
];
const API_COLUMNS = COLUMNS.slice(0, 4);
// What parts of a table are, also where its rows are drawn as blocks.
const ROLES = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", th: "columnheader", td: "cell" };

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

// How it is asked for.

function sleep(ms) {
  return new Promise((resume) => setTimeout(resume, ms));
}

/** The text at an address. What leads elsewhere is not followed. */
async function textAt(url) {
  const options = { signal: AbortSignal.timeout(ANSWER_MS_MAX), redirect: "error", credentials: "omit" };
  const response = await fetch(url, options);
  if (!response.ok) {
    throw new Error(`it answers with the HTTP status ${response.status}`);
  }
  const [reader, decoder] = [response.body.getReader(), new TextDecoder()];
  let [text, bytes] = ["", 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return text;
    }
    bytes += value.length;
    if (bytes > ANSWER_BYTES_MAX) {
      reader.cancel();
      throw new Error(`its answer has more than ${ANSWER_BYTES_MAX} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Why there is no answer. */
function reason(error) {
  const reasons = {
    TypeError: `no answer, or none that a page of ${location.host} may read`,
    TimeoutError: `no answer in ${ANSWER_MS_MAX / 1000} s`,
  };
  return reasons[error.name] ?? error.message;
}

// How it is drawn.

/** An element of the page with texts or other elements in it. */
function element(name, attributes, ...inside) {
  const made = document.createElement(name);
  made.append(...inside);
  Object.entries({ role: ROLES[name], ...attributes }).forEach(([key, value]) => value && made.setAttribute(key, value));
  return made;
}

function copy(template) {
  return document.getElementById(template).content.firstElementChild.cloneNode(true);
}

/** The smallest of 1, 2, 5, 10, 20 and so on that is not less; 1 of nothing. */
function roundedUp(value) {
  if (value <= 0) {
    return 1;
  }
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
  }

  /** Draws samples, some of which are missing, and tells the greatest value that there is room for. */
  draw(samples, view) {
    const values = this.lines.map(([, field]) => samples.map((sample) => sample?.[field] ?? null));
    const known = values.flat().filter((value) => value !== null);
    const top = roundedUp(Math.max(...known, 0));
    // Half of the requests and the slowest of a hundred may differ by a factor of a thousand.
    const least = Math.min(...known.filter((value) => value > 0), top);
    const bottom = this.form === duration ? roundedUp(least / 5) : 0;
    const part = (value) => Math.log(Math.max(value, bottom) / bottom) / Math.log(top / bottom);
    const height = (value) => (bottom > 0 ? part(value) : value / top);
    const x = (time) => (WIDTH * (1 - (view.now - time) / view.shown)).toFixed(1);
    const y = (value) => (HEIGHT * (1 - height(value))).toFixed(1);
    const line = (values) => {
      let gap = true;
      const steps = values.map((value, place) => {
        const step = value === null ? "" : `${gap ? "M" : "L"}${x(view.times[place])} ${y(value)}`;
        // A value that stands alone is a dot.
        const isAlone = gap && (values[place + 1] ?? null) === null;
        gap = value === null;
        return step && isAlone ? `${step}h0` : step;
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
    return { top, bottom, has: values.map((values) => values.some((value) => value !== null)) };
  }
}

/** A chart with its title, its scale and its present values. */
class Figure {
  constructor(chart) {
    this.root = copy("chart");
    this.chart = new Chart(chart, this.root.querySelector("svg"));
    this.root.querySelector("b").textContent = chart.title;
    this.values = chart.lines.map(() => element("span"));
    this.root.querySelector("figcaption").append(...this.values);
  }

  draw(samples, view) {
    const { top, bottom, has } = this.chart.draw(samples, view);
    // A frontend commits nothing, and a database calls nobody.
    this.root.hidden = !has.includes(true);
    this.chart.lines.forEach(([name, field], place) => {
      this.values[place].hidden = !has[place];
      this.values[place].textContent = `${name} ${written(samples[view.place]?.[field], this.chart.form)}`;
    });
    const { form } = this.chart;
    const told = { most: form(top), least: form(bottom), since: `${rate(view.shown / 1000)} s ago`, now: clock(view.now) };
    Object.entries(told).forEach(([name, text]) => (this.root.querySelector(`.${name}`).textContent = text));
  }
}

/** A table, of whose columns all but the first are figures and pictures. */
class Table {
  constructor(name, first, columns, charts = []) {
    Object.assign(this, { columns, charts, body: element("tbody") });
    this.titles = [...columns, ...charts.map(({ title }) => [title])].map(([title]) => title);
    const head = [first, ...this.titles].map((title) => element("th", { scope: "col" }, title));
    this.root = element("table", { "aria-label": name }, element("thead", {}, element("tr", {}, ...head)), this.body);
  }
}

/** A row: a title, a value for each column, and pictures. */
class Row {
  constructor({ body, columns, charts, titles }, title) {
    this.columns = columns;
    this.title = element("th", { role: "rowheader", scope: "row" }, title);
    this.cells = titles.map((each) => element("td", { "data-title": each }));
    this.charts = charts.map((chart, place) => {
      const svg = copy("chart").querySelector("svg");
      this.cells[columns.length + place].classList.add("picture");
      this.cells[columns.length + place].append(svg);
      return new Chart({ ...chart, title: `${title}, ${chart.title}` }, svg);
    });
    this.root = element("tr", {}, this.title, ...this.cells);
    body.append(this.root);
  }

  show(samples, view) {
    this.columns.forEach(([, field, form], place) => {
      const text = written(samples[view.place]?.[field], form);
      this.cells[place].textContent = text;
      this.cells[place].classList.toggle("none", text === NONE);
    });
    this.charts.forEach((chart) => chart.draw(samples, view));
  }
}

/** One service: what it was asked, and where it is shown. */
class Service {
  constructor(address, isOwn, isAlone, overview) {
    // The own service is asked under whatever name the page was found.
    Object.assign(this, { address, url: isOwn ? "metrics" : `http://${address}/metrics` });
    Object.assign(this, { name: address, before: null, since: null, why: "", samples: [], apis: new Map() });
    // What the last answer came to. It is not there yet while the service is asked.
    this.sample = undefined;
    this.isAsked = false;
    // It has answered once, or failed to.
    this.wasAsked = false;
    this.root = copy("service");
    this.figures = CHARTS.map((chart) => new Figure(chart));
    this.root.querySelector(".charts").append(...this.figures.map((figure) => figure.root));
    this.row = new Row(overview, address);
    this.table = new Table(`APIs at ${address}`, "API", API_COLUMNS, API_CHARTS);
    this.details = this.root.querySelector("details");
    this.details.append(this.table.root);
    // Below several services they would be a long way down, and on a telephone.
    this.details.open = isAlone && matchMedia("(min-width: 44rem)").matches;
  }

  /** Asks once, unless an answer is still waited for. */
  async ask() {
    if (this.isAsked) {
      return;
    }
    this.isAsked = true;
    const { before } = this;
    this.before = null;
    try {
      const text = await textAt(this.url);
      const now = { at: performance.now(), read: read(text) };
      // A service that was started anew counts from the beginning.
      const isSame = before?.read.began === now.read.began;
      this.sample = isSame ? sample(before.read, now.read, (now.at - before.at) / 1000) : null;
      [this.before, this.name, this.since] = [now, now.read.service, null];
    } catch (error) {
      this.since ??= Date.now();
      [this.sample, this.why] = [null, reason(error)];
    }
    [this.isAsked, this.wasAsked] = [false, true];
  }

  /** Takes what has come. A sample is of all the time since the one before, so also of the moments without an answer. */
  take() {
    const { samples, sample: taken } = this;
    samples.push(taken);
    for (let place = samples.length - 2; taken !== undefined && place >= 0 && samples[place] === undefined; place -= 1) {
      samples[place] = taken;
    }
    this.sample = undefined;
  }

  show(seen) {
    // While an answer is waited for, the one before is shown.
    const place = this.samples.findLastIndex((each, place) => place <= seen.place && each !== undefined);
    const view = { ...seen, place: Math.max(place, 0) };
    const away = this.root.querySelector(".away");
    const isAway = this.since !== null;
    // Who has never answered has no name but its address.
    const address = this.name === this.address ? [] : [this.address];
    this.root.querySelector("h2").textContent = [this.name, ...address].join(" at ");
    this.row.title.replaceChildren(this.name, element("small", {}, [...address, ...(isAway ? ["away"] : [])].join(", ")));
    this.row.root.classList.toggle("away", isAway);
    away.hidden = !isAway;
    away.textContent = isAway ? `Away since ${clock(this.since)}: ${this.why}. It is asked each second.` : "";
    this.figures.forEach((figure) => figure.draw(this.samples, view));
    this.row.show(this.samples, view);
    this.showApis(view);
  }

  showApis(view) {
    const called = Array.from(this.samples[view.place]?.apis ?? []).filter(([, { requests }]) => requests > 0);
    const unseen = called.map(([name]) => name).filter((name) => !this.apis.has(name));
    unseen.slice(0, APIS_MAX - this.apis.size).forEach((name) => this.apis.set(name, new Row(this.table, name)));
    if (unseen.length > 0) {
      const rows = Array.from(this.apis.keys()).sort().map((name) => this.apis.get(name).root);
      this.table.body.replaceChildren(...rows);
    }
    this.apis.forEach((row, name) => row.show(this.samples.map((sample) => sample?.apis.get(name)), view));
    this.details.hidden = this.apis.size === 0;
    this.details.querySelector("summary").textContent = `APIs that were called: ${this.apis.size}`;
  }
}

/** All services, and the moments at which they were asked. */
class Page {
  constructor() {
    const main = document.querySelector("main");
    const peers = main.dataset.peers.split(",").filter((peer) => peer !== "");
    const isOwn = (address) => address.replace(/:80$/, "") === location.host;
    const addresses = peers.some(isOwn) ? peers : [location.host, ...peers];
    const overview = new Table("All services", "Service", COLUMNS);
    overview.root.id = "overview";
    this.services = addresses.map((address) => new Service(address, isOwn(address), addresses.length === 1, overview));
    main.append(overview.root, ...this.services.map((service) => service.root));
    if (peers.length > 0 && !peers.some(isOwn)) {
      const links = peers.flatMap((peer) => [" ", element("a", { href: `http://${peer}/` }, peer)]);
      const why = `The services let in no page of ${location.host}. Open it at one of`;
      main.prepend(element("p", { class: "away" }, why, ...links));
    }
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
      await sleep(Math.max(left, PAUSE_MS / 4));
    }
  }

  /** Asks all at once, and shows it. */
  async turn() {
    const answers = Promise.all(this.services.map((service) => service.ask()));
    await Promise.race([answers, sleep(WAIT_MS_MAX)]);
    this.services.forEach((service) => service.take());
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
    const isKnown = this.services.every((service) => service.wasAsked);
    const text = away.length > 0 ? `Away: ${away.join(", ")}.` : isKnown ? all : state.textContent;
    state.classList.toggle("bad", away.length > 0);
    // It is read out when it changes.
    if (state.textContent !== text) {
      state.textContent = text;
    }
  }
}

new Page();
