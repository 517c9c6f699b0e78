"use strict";
const TICK_MS = 2000;

// Times by the clock of whoever looks, UTC on hover.
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const hours = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const nearby = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
function spoken(at) {
  const midnight = (date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  const days = (midnight(at) - midnight(new Date())) / 86_400_000;
  return Math.abs(days) > 1 ? clock.format(at) : `${nearby.format(days, "day")}, ${hours.format(at)}`;
}
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    time.title = time.textContent;
    time.textContent = spoken(new Date(time.dateTime));
  }
}

// Plots: bars of counts by an even scale, and times by one that shows the short ones beside the long.
const minutes = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dates = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
function whens(splits) {
  let before = "";
  return splits.map((each) => {
    const at = new Date(each * 1000), date = dates.format(at);
    const isNew = date !== before;
    before = date;
    return minutes.format(at) + (isNew ? `\n${date}` : "");
  });
}
const lasting = (ms) => (ms === null ? null : ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`);
const decade = (ms, round) => round(Math.log10(ms));
const decades = (least, most) => {
  const first = decade(least, Math.round), last = decade(most, Math.round);
  return Array.from({ length: last - first + 1 }, (_, n) => 10 ** (first + n));
};
const KINDS = {
  counts: {
    axis: { values: (_, splits) => splits.map((n) => (Number.isInteger(n) ? n.toLocaleString() : null)) },
    scale: { range: (_, __, most) => [0, Math.max(1, most)] },
  },
  times: {
    axis: { splits: (_, __, least, most) => decades(least, most), values: (_, splits) => splits.map(lasting) },
    scale: { distr: 3, range: (_, least, most) => [10 ** decade(least ?? 1, Math.floor), 10 ** (decade(most ?? 100, Math.floor) + 1)] },
  },
};
function draw(root) {
  for (const place of root.querySelectorAll("[data-plot]")) {
    const moments = JSON.parse(place.dataset.plot);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const kind = place.dataset.kind;
    const isCounts = kind === "counts", shape = isCounts ? KINDS.counts : KINDS.times;
    const bars = uPlot.paths.bars({ size: [0.7, 40] });
    const axis = { stroke: colour("--pico-muted-color"), grid: { stroke: colour("--pico-muted-border-color"), width: 1 } };
    const series = (label, name) => ({ label, stroke: colour(name), fill: colour(name), paths: bars, points: { show: false } });
    const line = (label, name) => ({ label, stroke: colour(name), width: 2, spanGaps: true, points: { show: true, size: 4 } });
    const at = moments.map((each) => Date.parse(each.at) / 1000);
    const half = (at[1] - at[0]) / 2;
    const options = {
      width: place.clientWidth, height: isCounts ? 200 : 160, legend: { live: false }, cursor: { show: false },
      series: [{}, ...(isCounts
        ? [series("completed", "--done"), series("failed", "--bad")]
        : [line("p50", "--done"), line("p95", "--late"), line("p99", "--bad")])],
      axes: [
        { ...axis, values: (_, splits) => whens(splits) },
        { ...axis, size: 68, ...shape.axis },
      ],
      scales: { x: { range: (_, first, last) => [first - half, last + half] }, y: shape.scale },
    };
    place.replaceChildren();
    const values = isCounts
      ? [(each) => each.completed + each.failed, (each) => each.failed].map((count) => moments.map((each) => count(each) || null))
      : ["p50", "p95", "p99"].map((name) => moments.map((each) => each[kind][name]));
    new uPlot(options, [at, ...values], place);
  }
}

// Parts that refresh themselves, unless the page is hidden, paused, or somebody is at work in them.
let paused = false;
function isAtWork(part) {
  const selection = document.getSelection();
  return part.contains(document.activeElement) || (selection && !selection.isCollapsed && part.contains(selection.anchorNode));
}
async function tick() {
  const part = document.querySelector("[data-live]");
  if (!part || paused || document.hidden || isAtWork(part)) return;
  const open = [...part.querySelectorAll("details")].map((each) => each.open);
  await htmx.ajax("GET", location.href, { source: part, target: part, select: "#live", swap: "outerHTML" });
  const fresh = document.querySelector("#live");
  if (fresh) [...fresh.querySelectorAll("details")].forEach((each, i) => { if (i < open.length) each.open = open[i]; });
}
setInterval(tick, TICK_MS);

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-live-toggle]");
  if (toggle) {
    paused = !paused;
    toggle.setAttribute("aria-pressed", String(paused));
    toggle.textContent = paused ? "Resume updates" : "Pause updates";
  }
  if (event.target.closest("[data-theme-toggle]")) {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    draw(document);
  }
});

// Choosing rows.
function countTicked() {
  const count = document.querySelectorAll("input[name=id]:checked").length;
  for (const place of document.querySelectorAll("[data-ticked]")) place.textContent = count;
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]"))
    for (const box of document.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
  countTicked();
});

// Changes that are worth a question.
document.addEventListener("submit", (event) => {
  const form = event.target, pressed = event.submitter;
  const asked = form.dataset.confirmValue;
  let question = !asked || (pressed && pressed.value === asked) ? form.dataset.confirm : "";
  if (form.dataset.confirmMany && pressed) {
    const all = form.elements.scope.value === "all";
    const count = all ? form.dataset.confirmMany : document.querySelectorAll("input[name=id]:checked").length;
    question = `${pressed.textContent} ${count} ${count === 1 ? "job" : "jobs"}?`;
  }
  if (question && !confirm(question)) event.preventDefault();
});

// Keys: / to search; j and k through the rows, x to choose one.
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("[data-shortcut='/']");
  if (event.key === "/" && search) { event.preventDefault(); search.focus(); }
  if (!["j", "k", "x"].includes(event.key)) return;
  const rows = [...document.querySelectorAll("tbody tr")];
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  if (event.key === "x") {
    const box = rows[here]?.querySelector("input[name=id]");
    if (box) { box.checked = !box.checked; countTicked(); }
  } else {
    const next = rows[Math.min(rows.length - 1, Math.max(0, here + (event.key === "j" ? 1 : -1)))];
    next?.querySelector("td.number a, td.name a")?.focus();
  }
});

document.addEventListener("htmx:configRequest", (event) => {
  const field = document.querySelector("input[name=csrf]");
  if (field) event.detail.headers["X-CSRF-Token"] = field.value;
});
document.addEventListener("htmx:afterSettle", (event) => { localise(document); draw(event.detail.elt.ownerDocument); });
localise(document);
draw(document);
document.querySelector(".bar nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
