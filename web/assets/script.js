"use strict";
(() => {
const body = document.body, all = (selector, of = document) => [...of.querySelectorAll(selector)];
const isFile = document.documentElement.classList.contains("file");
const toast = document.getElementById("toast");
let hideToast;
toast.addEventListener("click", () => { toast.hidden = true; });
function say(text, keep) {
  clearTimeout(hideToast);
  toast.textContent = text;
  toast.hidden = false;
  if (!keep) hideToast = setTimeout(() => { toast.hidden = true; }, 6000);
}

// Durations as the pages write them.
function duration(ns) {
  const digits = (x) => x < 9.995 ? x.toFixed(2) : x < 99.95 ? x.toFixed(1) : x.toFixed(0);
  if (ns < 999.5) return ns.toFixed(0) + "ns";
  if (ns < 999.5e3) return digits(ns / 1e3) + "µs";
  if (ns < 999.5e6) return digits(ns / 1e6) + "ms";
  return digits(ns / 1e9) + "s";
}
const seconds = (ns) => (ns / 1e9).toFixed(6) + "s";
function amount(x, unit) {
  if (unit !== "B") return x >= 100 ? x.toFixed(0) : x.toPrecision(2);
  for (const [size, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) if (x >= size) return (x / size).toPrecision(3) + " " + name;
  return x + " B";
}

// Tables: sort by a column, filter by typing.
const key = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.v ?? cell.textContent.trim();
};
for (const table of all("table[data-sort]")) {
  const head = all("thead th", table), rows = table.tBodies[0];
  head.forEach((th, column) => th.querySelector("button")?.addEventListener("click", () => {
    const numeric = th.classList.contains("num");
    const was = th.getAttribute("aria-sort");
    const descending = was ? was === "ascending" : numeric;
    for (const other of head) other.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const list = [...rows.rows].map((row) => [numeric ? Number(key(row, column)) || 0 : key(row, column), row]);
    list.sort(([a], [b]) => (numeric ? a - b : a < b ? -1 : a > b ? 1 : 0) * (descending ? -1 : 1));
    rows.append(...list.map(([, row]) => row));
  }));
}
for (const input of all("input[data-filter]")) {
  const rows = [...document.getElementById(input.dataset.filter).tBodies[0].rows];
  const count = document.querySelector(`[data-count="${input.dataset.filter}"]`);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase() + " " + [...row.cells].map((c) => c.title).join(" ").toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = input.value ? `${shown} of ${rows.length}` : "";
  });
}

// Plots: what was there under the mouse, and a range by dragging or with the keys.
function show(from, to) {
  from = Math.max(0, Math.round(from)); to = Math.round(to);
  if (isFile) {
    say(`From ${seconds(from)} to ${seconds(to)}, ${duration(to - from)}. For pages of only that: ${body.dataset.command} --from ${from}ns --to ${to}ns`, true);
    return;
  }
  const url = new URL(location.href);
  url.searchParams.set("from", from + "ns");
  url.searchParams.set("to", to + "ns");
  location.href = url;
}
const timelines = all("[data-timeline]").map((line) => {
  const from = Number(line.dataset.from), to = Number(line.dataset.to);
  const plot = line.querySelector(".lane-plot"), chosen = line.querySelector(".chosen"), cursor = line.querySelector(".cursor");
  const values = JSON.parse(line.querySelector(".values").textContent);
  const outputs = all("output[data-series]", line);
  const pin = line.closest("[data-strip]")?.dataset;
  let anchor = null, at = null, dragging = false;
  const time = (x) => {
    const box = plot.getBoundingClientRect();
    return from + (to - from) * Math.min(1, Math.max(0, (x - box.left) / box.width));
  };
  const left = (t) => 100 * (t - from) / Math.max(to - from, 1);
  const place = (a, b) => {
    chosen.hidden = a === null;
    if (a === null) return;
    chosen.style.left = left(Math.min(a, b)) + "%";
    chosen.style.width = Math.abs(left(b) - left(a)) + "%";
  };
  const reset = () => pin?.from ? place(Number(pin.from), Number(pin.to)) : place(null);
  const read = (t) => {
    at = t;
    cursor.hidden = t === null;
    if (t !== null) {
      cursor.style.left = left(t) + "%";
      cursor.firstElementChild.textContent = anchor === null || anchor === t ? seconds(t) : `${seconds(Math.min(anchor, t))} + ${duration(Math.abs(t - anchor))}`;
    }
    const column = t === null ? -1 : Math.floor((t - values.from) / values.step);
    for (const output of outputs) {
      const v = values.series?.[output.dataset.series]?.[column];
      output.textContent = v === undefined ? "" : amount(v, values.unit[output.dataset.series]);
    }
  };
  const finish = () => {
    const a = Math.min(anchor, at), b = Math.max(anchor, at);
    anchor = null;
    if (b - a >= 1) show(a, b); else reset();
  };
  line.addEventListener("pointerdown", (e) => {
    if (e.button !== 0 || !e.target.closest(".lane-plot") || e.target.closest("a")) return;
    e.preventDefault();
    line.focus({preventScroll: true});
    dragging = true;
    anchor = time(e.clientX);
    line.setPointerCapture(e.pointerId);
    read(anchor);
  });
  line.addEventListener("pointermove", (e) => {
    if (!dragging && !e.target.closest(".lane-plot")) return read(null);
    read(time(e.clientX));
    if (dragging) place(anchor, at);
  });
  line.addEventListener("pointerup", (e) => {
    if (!dragging) return;
    dragging = false;
    const box = plot.getBoundingClientRect();
    if (Math.abs(left(at) - left(anchor)) / 100 * box.width < 4) { anchor = null; reset(); return; } // a click
    finish();
  });
  line.addEventListener("pointercancel", () => { dragging = false; anchor = null; reset(); });
  line.addEventListener("pointerleave", () => { if (!dragging && document.activeElement !== line) read(null); });
  line.addEventListener("blur", () => { if (!dragging) { anchor = null; read(null); reset(); } });
  line.addEventListener("keydown", (e) => {
    const step = (to - from) / 100 * (e.ctrlKey || e.altKey ? 0.1 : 1);
    const target = {ArrowLeft: (at ?? from) - step, ArrowRight: (at ?? from) + step, Home: from, End: to}[e.key];
    if (target !== undefined) {
      if (e.shiftKey && anchor === null) anchor = at ?? from;
      if (!e.shiftKey) anchor = null;
      read(Math.min(to, Math.max(from, target)));
      line.querySelector(".where").textContent = cursor.firstElementChild.textContent;
      anchor === null ? reset() : place(anchor, at);
    } else if (e.key === "Enter" && anchor !== null) finish();
    else if (e.key === "Escape") { anchor = null; read(null); reset(); } else return;
    e.preventDefault();
  });
  reset();
  return line;
});

// Perfetto: the window is fetched from here and posted to the UI in a new tab.
async function perfetto(link) {
  const ui = body.dataset.ui, origin = new URL(ui).origin;
  // Before anything is awaited, while the browser still sees the user's click.
  const tab = window.open("about:blank");
  if (!tab) return say("Your browser does not let this page open a tab. Allow that, or open the file by hand: the link downloads it.");
  try {
    say("Converting for Perfetto…", true);
    const answer = await fetch(link.href, {cache: "no-store"});
    if (!answer.ok) throw new Error((await answer.text()).trim() || `the server answers ${answer.status}`);
    const buffer = await answer.arrayBuffer();
    const args = answer.headers.get("Trace2x-UI-Arguments") ?? "";
    const title = decodeURIComponent(answer.headers.get("Trace2x-Title") ?? body.dataset.name);
    tab.location.replace(ui + (args ? "?" + args : ""));
    say(`Waiting for ${origin}…`, true);
    await answers(tab, origin);
    tab.postMessage({perfetto: {buffer, title, fileName: link.pathname.split("/").pop()}}, origin);
    const leftOut = decodeURIComponent(answer.headers.get("Trace2x-Left-Out") ?? "");
    say("The Perfetto UI has it." + (leftOut ? ` Left out, so that it loads fast: ${leftOut}. A shorter range has more.` : ""), leftOut);
  } catch (e) {
    if (!tab.closed) { try { tab.close(); } catch { /* it is the user's now */ } }
    say(`It was not handed over: ${e.message}.`);
  }
}
// A message to a tab that is still loading is lost, so ask until it answers.
const answers = (tab, origin) => new Promise((resolve, reject) => {
  const start = Date.now();
  const end = (settle, value) => { clearInterval(timer); removeEventListener("message", listen); settle(value); };
  const listen = (e) => { if (e.source === tab && e.origin === origin && e.data === "PONG") end(resolve); };
  const timer = setInterval(() => {
    if (tab.closed) end(reject, new Error("its tab was closed"));
    else if (Date.now() - start > 60e3) end(reject, new Error(`${origin} does not answer`));
    else { try { tab.postMessage("PING", origin); } catch { /* not there yet */ } }
  }, 100);
  addEventListener("message", listen);
});
document.addEventListener("click", (e) => {
  const link = e.target.closest("a[data-perfetto]");
  if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  perfetto(link);
});

// What a page is made of may have to be read first.
let reading;
addEventListener("beforeunload", () => { reading = setTimeout(() => say("Reading the trace…", true), 400); });
addEventListener("pageshow", (e) => { clearTimeout(reading); if (e.persisted) toast.hidden = true; });

// Keys.
const keys = document.getElementById("keys");
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select")) return;
  const pages = all("nav a");
  const go = (element) => { if (element) { e.preventDefault(); element.click(); } };
  if (e.key === "/") { const input = document.querySelector("input[data-filter]"); if (input) { e.preventDefault(); input.focus(); } }
  else if (e.key === "?") keys.showModal();
  else if (e.key === "w") go(document.getElementById("whole"));
  else if (e.key === "p") go(document.getElementById("open-range"));
  else if (e.key >= "1" && e.key <= "9") go(pages[e.key - 1]);
});
})();
