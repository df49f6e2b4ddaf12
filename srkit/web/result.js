"use strict";
// What came of a job: before and after, and the downloads. page.js has the small tools.

const view = { size: [1, 1], x: 0.5, y: 0.5, zoom: 1, divider: 0.5, part: null, versions: [], of: "" };
const MOST_ZOOM = 24;

function showResult(id, result, asked, lacks) {
  const at = (name) => `api/jobs/${id}/files/${encodeURIComponent(name)}`;
  view.size = result.size;
  view.part = result.look;
  keepVersions(at, result, asked);
  fit($("stage"), ...view.size, 66);
  const first = view.versions.findIndex((one) => one.at === at);
  for (const [name, chosen] of [["left", 0], ["right", first]]) {
    const chips = view.versions.map((one, k) => chip(name, k, one.name, k === chosen));
    $(`${name}s`).replaceChildren(...chips);
    choose(name, chosen);
  }
  $("sides").hidden = view.versions.length < 3;
  backToResult();
  $("to-part").hidden = isWhole(view.part);
  view.divider = 0.5;
  zoomToPart();
  listFiles(at, result, lacks);
  state.unsaved = true;
  $("stage").scrollIntoView({ block: "nearest" });
  $("stage").focus({ preventScroll: true });
}
function keepVersions(at, result, asked) {
  // Of the same pixels earlier results stay, to be compared: with other settings, or of other models.
  const of = JSON.stringify([asked.photo, asked.scale, asked.only && asked.part]);
  const before = { name: "before", url: `${at(result.before)}?shown` };
  const made = result.results.map((one) => {
    const name = `${one.model}${listed(one.settings)}`;
    return { name, url: `${at(one.shown)}?shown`, at, one };
  });
  const names = new Set(made.map((one) => one.name));
  const kept = view.of === of ? view.versions.slice(1).filter((one) => !names.has(one.name)) : [];
  view.of = of;
  view.versions = [before, ...kept, ...made];
}
const listed = (values) => Object.entries(values).map(([name, value]) => `, ${name} ${value}`).join("");
const isWhole = ([, , wide, high]) => wide === view.size[0] && high === view.size[1];

function backToResult() {
  $("chooser").hidden = $("to-result").hidden = true;
  $("result").hidden = $("again").hidden = false;
}
function forgetResult() {
  view.versions = [];
  state.unsaved = false;
  showChooser();
  $("downloads").hidden = true;
}
function choose(side, k) {
  const { name, url } = view.versions[k];
  $(side).src = url;
  // "photo" is a model, too.
  $(side).alt = $(`${side}-tag`).textContent = k && view.versions.length === 2 ? `after: ${name}` : name;
}

function listFiles(at, result, lacks) {
  const item = (title, facts, name, at) => {
    const link = made("a", { href: at(name), download: name, className: "button", textContent: "Download" });
    link.setAttribute("aria-label", `Download ${name}`);
    link.addEventListener("click", () => (state.unsaved = false));
    const text = made("div", {}, made("b", { textContent: title }), made("small", { textContent: name }));
    text.append(made("small", { textContent: facts }));
    return made("li", {}, text, link);
  };
  const items = view.versions.slice(1).map(({ name, one, at }) => {
    const facts = `${sides(one.size)} pixels, ${bytes(one.bytes)}; took ${time(one.seconds)}${listed(one.decided)}`;
    return item(name, facts, one.file, at);
  });
  for (const text of lacks) items.push(made("li", { className: "bad", textContent: text }));
  if (result.page) {
    const facts = `a page with a slider to keep or send, ${bytes(result.page_bytes)}`;
    items.push(item("comparison", facts, result.page, at));
  }
  $("files").replaceChildren(...items);
  $("downloads").hidden = false;
}

function draw() {
  const { zoom } = view;
  const half = 0.5 / zoom;
  view.x = clamp(view.x, half, 1 - half);
  view.y = clamp(view.y, half, 1 - half);
  const move = `scale(${zoom}) translate(${-100 * (view.x - half)}%, ${-100 * (view.y - half)}%)`;
  $("left").style.transform = $("right").style.transform = move;
  const share = 100 * view.divider;
  $("cut").style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  $("divider").style.left = `${share}%`;
  // A tag over a picture of which nothing is seen is none.
  $("left-tag").hidden = share < 2;
  $("right-tag").hidden = share > 98;
  const stage = $("stage");
  stage.classList.toggle("zoomed", zoom > 1);
  stage.setAttribute("aria-valuenow", Math.round(share));
  stage.setAttribute("aria-valuetext", `${Math.round(share)} % ${$("left-tag").textContent}, zoom ${zoom.toFixed(1)}`);
}
function zoomTo(zoom, x = view.x, y = view.y) {
  view.zoom = clamp(zoom, 1, MOST_ZOOM);
  [view.x, view.y] = [x, y];
  draw();
}
function zoomOfPart() {
  return Math.min(view.size[0] / view.part[2], view.size[1] / view.part[3]);
}
function zoomToPart() {
  const [left, top, wide, high] = view.part;
  const [width, height] = view.size;
  zoomTo(zoomOfPart(), (left + wide / 2) / width, (top + high / 2) / height);
}
function zoomAround(factor, px, py) {
  // What is at these shares of the stage stays there.
  const before = view.zoom;
  const zoom = clamp(before * factor, 1, MOST_ZOOM);
  const x = view.x + (px - 0.5) * (1 / before - 1 / zoom);
  const y = view.y + (py - 0.5) * (1 / before - 1 / zoom);
  zoomTo(zoom, x, y);
}

function pan(across, down, box, scrolls) {
  // The picture goes with the pointer, and at its end the page with the finger.
  const wanted = view.y - down / box.high / view.zoom;
  zoomTo(view.zoom, view.x - across / box.wide / view.zoom, wanted);
  if (scrolls) window.scrollBy(0, (wanted - view.y) * view.zoom * box.high);
}

function fingers() {
  const stage = $("stage");
  const down = new Map();
  let mode = "";
  let from = null;
  const at = (event) => {
    const { left, top, width: wide, height: high } = stage.getBoundingClientRect();
    const [px, py] = [event.clientX, event.clientY];
    return { x: (px - left) / wide, y: (py - top) / high, wide, high, px, py };
  };
  const two = () => {
    const [a, b] = [...down.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    stage.setPointerCapture(event.pointerId);
    const point = at(event);
    down.set(event.pointerId, point);
    if (down.size === 2) mode = "pinch";
    else if (down.size === 1) {
      const near = Math.abs(point.x - view.divider) * point.wide < 28;
      mode = near || view.zoom === 1 ? "divide" : "move";
      if (mode === "divide" && event.pointerType === "mouse") divide(point.x);
      // A finger on the whole picture may be about to scroll the page.
      else if (view.zoom === 1) mode = "perhaps";
      from = { x: event.clientX, y: event.clientY, divider: view.divider };
    }
  });
  stage.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const was = down.size === 2 ? two() : null;
    const point = at(event);
    down.set(event.pointerId, point);
    if (mode === "perhaps") {
      const [across, along] = [Math.abs(event.clientX - from.x), Math.abs(event.clientY - from.y)];
      if (Math.max(across, along) > 6) mode = across > along ? "divide" : "";
    }
    if (mode === "divide") divide(point.x);
    else if (mode === "move") {
      pan(point.px - before.px, point.py - before.py, point, event.pointerType === "touch");
    } else if (mode === "pinch" && was) {
      const is = two();
      zoomTo(view.zoom, view.x - (is.x - was.x) / view.zoom, view.y - (is.y - was.y) / view.zoom);
      if (was.apart > 0.01) zoomAround(is.apart / was.apart, is.x, is.y);
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, (event) => {
      if (name === "pointercancel" && mode === "divide" && from) divide(from.divider);
      down.delete(event.pointerId);
      mode = down.size ? "" : mode;
    });
  }
  stage.addEventListener("wheel", (event) => {
    // Without Ctrl, which is also a trackpad's pinch, the page is scrolled.
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const point = at(event);
    zoomAround(Math.exp(-event.deltaY / 200), point.x, point.y);
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => {
    if (view.zoom > 1) return zoomTo(1);
    const point = at(event);
    zoomAround(Math.max(2, zoomOfPart()), point.x, point.y);
  });
}
function divide(share) {
  view.divider = clamp(share, 0, 1);
  draw();
}
function keys(event) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const step = 0.02;
  if (way && event.shiftKey) {
    zoomTo(view.zoom, view.x + (way[0] * 0.1) / view.zoom, view.y + (way[1] * 0.1) / view.zoom);
  } else if (way && way[0]) divide(view.divider + way[0] * step);
  else if (event.key === "Home") divide(0);
  else if (event.key === "End") divide(1);
  else if (event.key === "+" || event.key === "=") zoomTo(view.zoom * 1.5);
  else if (event.key === "-") zoomTo(view.zoom / 1.5);
  else if (event.key === "0") zoomTo(1);
  else return;
  event.preventDefault();
}

function listenToResult() {
  $("lefts").addEventListener("change", (event) => (choose("left", event.target.value), draw()));
  $("rights").addEventListener("change", (event) => (choose("right", event.target.value), draw()));
  $("stage").addEventListener("keydown", keys);
  $("in").addEventListener("click", () => zoomTo(view.zoom * 1.5));
  $("out").addEventListener("click", () => zoomTo(view.zoom / 1.5));
  $("to-part").addEventListener("click", zoomToPart);
  $("to-whole").addEventListener("click", () => zoomTo(1));
  $("again").addEventListener("click", showChooser);
  $("to-result").addEventListener("click", backToResult);
  fingers();
}
