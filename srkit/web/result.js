"use strict";
// What came of a job: before and after, and the downloads. page.js has the small tools.

const view = { size: [1, 1], x: 0.5, y: 0.5, zoom: 1, divider: 0.5, part: null, versions: [] };
const MOST_ZOOM = 24;

function showResult(id, result) {
  const at = (name) => `api/jobs/${id}/files/${encodeURIComponent(name)}`;
  view.size = result.size;
  view.part = result.look;
  view.versions = [{ name: "before", url: `${at(result.before)}?shown` }];
  for (const one of result.results) view.versions.push({ name: one.model, url: `${at(one.shown)}?shown` });
  fit($("stage"), ...view.size, 66);
  for (const [name, chosen] of [["left", 0], ["right", 1]]) {
    const chips = view.versions.map((one, k) => chip(name, k, one.name, k === chosen));
    $(`${name}s`).replaceChildren(...chips);
    choose(name, chosen);
  }
  $("sides").hidden = view.versions.length < 3;
  backToResult();
  $("to-result").hidden = false;
  view.divider = 0.5;
  zoomToPart();
  listFiles(at, result);
  $("picture").scrollIntoView({ block: "start" });
  $("stage").focus({ preventScroll: true });
}
function backToResult() {
  $("chooser").hidden = true;
  $("result").hidden = false;
}
function forgetResult() {
  showChooser();
  $("to-result").hidden = $("downloads").hidden = true;
}
function choose(side, k) {
  $(side).src = view.versions[k].url;
  $(side).alt = $(`${side}-tag`).textContent = view.versions[k].name;
}

function listFiles(at, result) {
  const item = (title, facts, name) => {
    const link = made("a", { href: at(name), download: name, className: "button", textContent: "Download" });
    link.setAttribute("aria-label", `Download ${name}`);
    const text = made("div", {}, made("b", { textContent: title }), made("small", { textContent: name }));
    text.append(made("small", { textContent: facts }));
    return made("li", {}, text, link);
  };
  const items = result.results.map((one) => {
    const listed = (values) => Object.entries(values).map(([name, value]) => `, ${name} ${value}`).join("");
    const facts = `${sides(one.size)} pixels, ${bytes(one.bytes)}; took ${time(one.seconds)}${listed(one.decided)}`;
    return item(`${one.model}${listed(one.settings)}`, facts, one.file);
  });
  items.push(item("comparison", `a page with a slider to keep or send, ${bytes(result.page_bytes)}`, result.page));
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
function zoomToPart() {
  const [left, top, wide, high] = view.part;
  const [width, height] = view.size;
  const zoom = Math.min(width / wide, height / high);
  zoomTo(zoom, (left + wide / 2) / width, (top + high / 2) / height);
}
function zoomAround(factor, px, py) {
  // What is at these shares of the stage stays there.
  const before = view.zoom;
  const zoom = clamp(before * factor, 1, MOST_ZOOM);
  const x = view.x + (px - 0.5) * (1 / before - 1 / zoom);
  const y = view.y + (py - 0.5) * (1 / before - 1 / zoom);
  zoomTo(zoom, x, y);
}

function fingers() {
  const stage = $("stage");
  const down = new Map();
  let mode = "";
  let from = null;
  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, wide: box.width };
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
      zoomTo(view.zoom, view.x - (point.x - before.x) / view.zoom, view.y - (point.y - before.y) / view.zoom);
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
  stage.addEventListener("dblclick", () => (view.zoom > 1 ? zoomTo(1) : zoomToPart()));
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
