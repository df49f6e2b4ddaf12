"use strict";
const $ = (id) => document.getElementById(id);
const state = {
  ready: null, menu: null, photo: null, part: null, what: "", job: null, asking: false, url: null, sent: 0,
  only: false, unsaved: false,
};

// --- small tools -----------------------------------------------------------------------------

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const bytes = (n) => (n < 1e6 ? `${Math.max(1, Math.round(n / 1e3))} kB` : `${(n / 1e6).toFixed(1)} MB`);
const sides = ([width, height]) => `${width}\u00a0×\u00a0${height}`;
function time(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 20) return `${Math.round(seconds)} s`;
  if (seconds < 100) return `${Math.round(seconds / 5) * 5} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(seconds / 3600).toFixed(1)} h`;
}
function complain(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
  if (text) $("error").scrollIntoView({ block: "nearest" });
}
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The page does not answer. Is srkit serve still running?");
  }
  const text = await answer.text();
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    told = { error: text.replace(/^srkit: /, "") };
  }
  if (!answer.ok) throw new Error(told.error || `The page answered with ${answer.status}.`);
  return told;
}
const post = (path, what) =>
  ask(path, { method: "POST", body: JSON.stringify(what), headers: { "Content-Type": "application/json" } });

// --- models ----------------------------------------------------------------------------------

const scale = () => Number(document.querySelector("#scales input:checked").value);
const kind = () => state.menu.kinds[Number(document.querySelector("#kinds input:checked").value)];
const ticked = () =>
  [...new Set([...document.querySelectorAll(".model input:checked")].map((one) => one.value))];

function chip(name, value, text, checked, type = "radio") {
  const input = made("input", { type, name, value, checked });
  return made("label", { className: "chip" }, input, made("span", { textContent: text }));
}

function why(facts) {
  // Why a model cannot be ticked now.
  if (facts.install) return `not installed: ${facts.install}`;
  if (!facts.scales.includes(scale())) return `for ×${facts.scales.join(", ×")} only`;
  return "";
}

function row(name, word) {
  const facts = state.menu.models[name];
  const not = why(facts);
  const input = made("input", { type: "checkbox", value: name, disabled: Boolean(not) });
  const note = not || (facts.download ? `downloads ${bytes(facts.download)} when first used` : "");
  const text = made("span", {}, made("b", { textContent: name }), made("small", { textContent: word }));
  if (note) text.append(made("small", { className: "note", textContent: note }));
  return made("label", { className: "model" }, input, text);
}

function drawModels(keep = []) {
  const suggested = kind().models;
  const names = new Set(suggested.map((one) => one.name));
  $("models").replaceChildren(...suggested.map((one) => row(one.name, one.word)));
  const others = Object.keys(state.menu.models).filter((name) => !names.has(name));
  $("others").replaceChildren(...others.map((name) => row(name, state.menu.models[name].summary)));
  const boxes = [...document.querySelectorAll(".model input")].filter((box) => !box.disabled);
  for (const box of boxes) box.checked = keep.includes(box.value);
  // The first that is on this machine; of those that suit, before all others.
  const suit = boxes.filter((box) => names.has(box.value));
  const first = suit.find((box) => !state.menu.models[box.value].download) || suit[0] || boxes[0];
  if (!ticked().length && first) first.checked = true;
  // What is ticked is seen, also where none of what is suggested is installed.
  if (document.querySelector("#others :checked")) $("more").open = true;
  drawDials();
}

function drawDials() {
  const dials = new Set(ticked().flatMap((name) => state.menu.models[name].dials));
  for (const name of ["denoise", "perception"]) $(`${name}-dial`).hidden = !dials.has(name);
  const auto = $("denoise-auto").checked;
  $("denoise-told").textContent = auto ? "by the photo" : dialled("denoise", "keeps grain", "takes all");
  $("denoise").classList.toggle("off", auto);
  $("perception-told").textContent = dialled("perception", "truest", "sharpest");
  const hidden = document.querySelectorAll("#others :checked").length;
  $("more-told").textContent = hidden ? `all models (${hidden} ticked)` : "all models";
  drawFacts();
}
function dialled(name, least, most) {
  const value = Number($(name).value);
  const word = value === 0 ? ` ${least}` : value === 1 ? ` ${most}` : "";
  return `${value}${word}`;
}

function drawFacts() {
  const photo = state.photo;
  const limits = state.menu.limits;
  const large = photo && photo.width * photo.height > limits.pixels;
  // What a large photo needs is not what was chosen for the next one.
  if (Boolean(large) !== $("only").disabled) {
    if (large) state.only = $("only").checked;
    $("only").checked = large || state.only;
    $("only").disabled = Boolean(large);
  }
  if (!photo) return void ($("becomes").textContent = "");
  const size = $("only").checked ? state.part.slice(2) : [photo.width, photo.height];
  const becomes = size.map((side) => side * scale());
  const most = `a part of at most ${limits.pixels / 1e6} megapixels`;
  const over = size[0] * size[1] > limits.pixels;
  let text = `${sides(size)} becomes ${sides(becomes)} pixels`;
  if (over) text = `${sides(size)} pixels are too many: make the frame smaller, to ${most}`;
  else if (large) text += `. Of a photo this large ${most} is upscaled.`;
  $("becomes").textContent = text;
  for (const id of ["becomes", "part"]) $(id).classList.toggle("bad", over);
  $("what").textContent = over ? "too large" : `zoom: ${state.what}`;
  $("facts").textContent = `${photo.name}, ${sides([photo.width, photo.height])} pixels`;
  drawStart();
}
function drawStart() {
  const looking = !$("looking").hidden;
  $("start").disabled = looking || state.asking || $("part").classList.contains("bad");
}

async function begin() {
  try {
    state.menu = await ask("api/menu");
  } finally {
    $("controls").hidden = false;
  }
  const { kinds, scales, limits } = state.menu;
  $("kinds").replaceChildren(...kinds.map((one, k) => chip("kind", k, one.name, k === 0)));
  $("scales").replaceChildren(...scales.map((s) => chip("scale", s, `×${s}`, s === state.menu.scale)));
  const finger = window.matchMedia("(pointer: coarse)").matches;
  $("limits").textContent = `${finger ? "" : "or drop it here, or paste it: "}at most ${limits.bytes / 1e6} MB and ${limits.read / 1e6} megapixels`;
  $("foot").textContent =
    `At most ${limits.pixels / 1e6} megapixels are upscaled at once. ` +
    `Photos and results are deleted after ${limits.minutes} minutes, or when srkit serve ends.`;
  drawModels();
}

// --- the job ---------------------------------------------------------------------------------

async function start(event) {
  event.preventDefault();
  if (state.job || state.asking) return;
  complain("");
  if (!state.photo) return complain("Choose a photo first.");
  if (!ticked().length) return complain("Tick a model.");
  const asked = {
    photo: state.photo.photo, scale: scale(), models: ticked(), part: state.part, only: $("only").checked,
    denoise: $("denoise-dial").hidden ? null : $("denoise-auto").checked ? "auto" : Number($("denoise").value),
    perception: $("perception-dial").hidden ? null : Number($("perception").value),
  };
  state.asking = true;
  drawStart();
  try {
    const job = await post("api/jobs", asked);
    state.job = { id: job.id, asked, models: asked.models, number: 0, done: 0 };
    showJob(job);
    $("start").hidden = true;
    $("job").hidden = false;
    wake(state.job);
    $("job").scrollIntoView({ block: "nearest" });
    follow(state.job).catch((error) => complain(error.message));
  } catch (error) {
    complain(error.message);
  }
  state.asking = false;
  drawStart();
}
function wake(job) {
  // Who taps twice on Upscale would cancel: on a phone one button is where the other was.
  $("cancel").disabled = true;
  setTimeout(() => {
    if (state.job !== job) return;
    $("cancel").disabled = false;
    if (document.activeElement === document.body) $("cancel").focus({ preventScroll: true });
  }, 1000);
}

async function follow(job) {
  let missed = 0;
  while (state.job === job) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    if (state.job !== job) return;
    try {
      const told = await ask(`api/jobs/${job.id}`);
      missed = 0;
      if (state.job !== job) return;
      const goes = ["waiting", "running"].includes(told.state);
      if (goes && !job.ending) showJob(told);
      if (goes) continue;
      endJob();
      const lacks = lacking(told, job);
      complain([told.error || "", ...lacks].filter(Boolean).join("; "));
      if (told.result) showResult(told.id, told.result, job.asked, lacks);
    } catch (error) {
      // A phone that was locked, or a network that was away, comes back.
      if ((missed += 1) < 8) continue;
      endJob();
      throw error;
    }
  }
}

function lacking(told, job) {
  // Of a result, what is not there, and why.
  if (!told.result) return [];
  const { missing, results } = told.result;
  const of = (name) => missing.some((why) => why.startsWith(`${name} `)) || results.some((one) => one.model === name);
  const rest = told.state === "done" ? [] : job.models.filter((name) => !of(name));
  return [...missing, ...rest.map((name) => `${name} was not finished`)];
}

function showJob(told) {
  const job = state.job;
  const models = job.models;
  const number = models.indexOf(told.doing) + 1;
  if (number || told.done === 1) job.number = number || models.length + 1;
  if (job.doing !== told.doing) [job.doing, job.begun] = [told.doing, told.seconds];
  const takes = told.seconds - job.begun;
  let text = told.doing || "Starting";
  let share = told.done || 0;
  if (told.state === "waiting") {
    text = told.before ? `Waiting: ${told.before} before yours` : "Waiting";
  } else if (number) {
    let left;
    [share, left] = sinceTold(told);
    if (models.length > 1) text += ` (${number} of ${models.length})`;
    text += ` · ${Math.floor(share * 100)} % · ${left}`;
  } else if (takes >= 3) text += ` · ${time(takes)}`;
  $("told").textContent = text;
  $("fill").style.width = `${share * 100}%`;
  $("track").setAttribute("aria-valuenow", Math.floor(share * 100));
}
function sinceTold(told) {
  // The share that is done by now, and the time left: models tell it in long steps.
  const job = state.job;
  const now = performance.now() / 1000;
  const key = [told.doing, told.done, told.left].join();
  if (job.told !== key) {
    // What is told first of a model is foreseen, and not seen yet.
    job.seen = job.of === told.doing;
    [job.told, job.at, job.of] = [key, now, told.doing];
  }
  const since = now - job.at;
  if (told.left === null) return [job.done, "longer than expected"];
  // It slows down where it takes longer than was told, and never stands.
  const guess = told.done + (1 - told.done) * (1 - Math.exp((-1.4 * since) / Math.max(told.left, 1)));
  job.done = Math.max(job.done, Math.min(guess, 0.99));
  const left = told.left - since;
  if (left < -2) return [job.done, "longer than expected"];
  if (!job.seen) return [job.done, `${roughly(left, told.left)} left`];
  return [job.done, left < 1 ? "nearly done" : `about ${time(left)} left`];
}
function roughly(left, foreseen) {
  // A machine with other work takes a multiple of what was foreseen: no more is said than is known.
  if (foreseen < 12) return "a few seconds";
  if (left < 20) return "less than half a minute";
  if (left < 45) return "about half a minute";
  return left < 90 ? "about a minute" : `about ${time(left)}`;
}
function endJob() {
  state.job = null;
  $("start").hidden = false;
  $("job").hidden = true;
  drawStart();
}
function cancel() {
  // What is finished is kept: the end is waited for, which is soon.
  if (state.job.number < 2) {
    giveUp();
    $("start").focus({ preventScroll: true });
  } else {
    state.job.ending = true;
    $("cancel").disabled = true;
    $("told").textContent = "Cancelling";
    tellCancel(state.job);
  }
}
function giveUp() {
  const job = state.job;
  endJob();
  complain("");
  tellCancel(job);
}
function tellCancel(job) {
  post(`api/jobs/${job.id}/cancel`, {}).catch((error) => complain(error.message));
}

// --- what is listened to ---------------------------------------------------------------------

function listen() {
  for (const id of ["file", "other"]) {
    const given = () => {
      take($(id).files[0]);
      $(id).value = "";
    };
    $(id).addEventListener("change", given);
    // It may have been chosen before this was here to listen.
    given();
  }
  const picture = $("picture");
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      picture.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) picture.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    picture.classList.remove("over");
    take(event.dataTransfer.files[0]);
    if (event.dataTransfer.files.length > 1) complain("One photo at a time: the first was taken.");
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  $("kinds").addEventListener("change", () => drawModels());
  $("scales").addEventListener("change", () => drawModels(ticked()));
  $("controls").addEventListener("change", (event) => {
    if (!event.target.closest(".model")) return;
    complain("");
    drawDials();
  });
  $("denoise").addEventListener("input", () => {
    $("denoise-auto").checked = false;
    drawDials();
  });
  for (const id of ["denoise-auto", "perception"]) $(id).addEventListener("input", drawDials);
  $("only").addEventListener("change", drawFacts);
  $("controls").addEventListener("submit", start);
  $("cancel").addEventListener("click", cancel);
  window.addEventListener("beforeunload", (event) => {
    if (state.job || state.unsaved) event.preventDefault();
  });
  // Who leaves the page waits for nothing.
  window.addEventListener("pagehide", (event) => {
    if (state.job && !event.persisted) navigator.sendBeacon(`api/jobs/${state.job.id}/cancel`);
  });
  dragPart();
  listenToResult();
}

state.ready = begin();
state.ready.catch((error) => complain(error.message));
listen();
