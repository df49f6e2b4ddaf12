"use strict";
// The photo, shown at once, and the part of it to zoom. page.js has the small tools.

async function take(file) {
  if (!file) return;
  if (state.job && !confirm(`Stop upscaling ${state.photo.name}, and take ${file.name}?`)) return;
  complain("");
  const number = (state.sent += 1);
  const url = URL.createObjectURL(file);
  // The first is shown at once. Before another one what is there stays until it is taken.
  if (!state.photo) showFile(url);
  $("looking").textContent = `${file.name}: looking at it …`;
  $("looking").hidden = false;
  drawStart();
  try {
    await state.ready;
    const { bytes: most } = state.menu.limits;
    if (file.size > most) throw new Error(`The file has ${bytes(file.size)}; at most ${bytes(most)} are taken.`);
    const told = await ask(`api/upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    if (number === state.sent) changePhoto(told, url);
  } catch (error) {
    if (state.url !== url) URL.revokeObjectURL(url);
    if (number !== state.sent) return;
    if (!state.photo) forgetPhoto();
    complain(error.message);
  } finally {
    if (number === state.sent) {
      $("looking").hidden = true;
      drawStart();
    }
  }
}
function changePhoto(told, url) {
  if (state.job) giveUp();
  const known = state.url === url;
  state.photo = told;
  if (!known) showFile(url);
  else if ($("photo").classList.contains("unknown")) showPreview();
  forgetResult();
  choosePart(allowed(told.part), told.what);
}
function allowed([left, top, wide, high]) {
  // A part that is not more than is upscaled at once, with the same middle.
  const factor = Math.min(1, Math.sqrt(state.menu.limits.pixels / (wide * high)));
  const [across, down] = [Math.floor(wide * factor), Math.floor(high * factor)];
  return [left + (wide - across) / 2, top + (high - down) / 2, across, down];
}
function showFile(url) {
  if (state.url) URL.revokeObjectURL(state.url);
  state.url = url;
  // As the browser knows it; a format that it does not know the page shows when it was taken.
  const image = $("photo");
  image.onerror = () => {
    image.classList.add("unknown");
    if (state.photo) showPreview();
  };
  image.onload = () => {
    image.classList.remove("unknown");
    fit($("canvas"), image.naturalWidth, image.naturalHeight, 58);
  };
  image.src = url;
  $("drop").hidden = true;
  showChooser();
}
function showPreview() {
  const image = $("photo");
  image.onerror = null;
  image.src = `api/photos/${state.photo.photo}/preview`;
}
function fit(element, width, height, tallest) {
  // As wide as there is room, but not higher than a part of the screen.
  element.style.aspectRatio = `${width} / ${height}`;
  element.style.maxWidth = `min(100%, ${(tallest * width) / height}vh)`;
}
function forgetPhoto() {
  state.photo = state.part = null;
  $("chooser").hidden = $("this").hidden = true;
  $("drop").hidden = false;
  $("facts").textContent = "";
  $("becomes").textContent = "";
}
function showChooser() {
  $("result").hidden = $("again").hidden = true;
  $("chooser").hidden = $("this").hidden = false;
  $("to-result").hidden = !view.versions.length;
}

function choosePart(part, what) {
  const { width, height } = state.photo;
  const wide = clamp(Math.round(part[2]), 1, width);
  const high = clamp(Math.round(part[3]), 1, height);
  const left = clamp(Math.round(part[0]), 0, width - wide);
  const top = clamp(Math.round(part[1]), 0, height - high);
  state.part = [left, top, wide, high];
  state.what = what;
  const frame = $("part");
  frame.hidden = false;
  const share = (value, whole) => `${(100 * value) / whole}%`;
  frame.style.left = share(left, width);
  frame.style.top = share(top, height);
  frame.style.width = share(wide, width);
  frame.style.height = share(high, height);
  frame.classList.toggle("most", wide * high > 0.9 * width * height);
  frame.classList.toggle("large", high > height / 2);
  // A label that would leave the photo stands on its other side.
  const [aside, below] = [left / width > 0.7, top / height < 0.1];
  $("what").style.left = aside ? "auto" : "-2px";
  $("what").style.right = aside ? "-2px" : "auto";
  $("what").style.bottom = below ? "auto" : "calc(100% + 2px)";
  $("what").style.top = below ? (high / height > 0.8 ? "0" : "calc(100% + 2px)") : "auto";
  drawFacts();
}

function corners([left, top, wide, high], x, y) {
  // Of a frame the corner across from one, and that one.
  return [[left + (1 - x) * wide, top + (1 - y) * high], [left + x * wide, top + y * high]];
}
function between(one, other, least) {
  const [left, top] = one.map((value, k) => Math.min(value, other[k]));
  return [left, top, ...one.map((value, k) => Math.max(least, Math.abs(value - other[k])))];
}
function isMiddle([x, y]) {
  const [left, top, wide, high] = state.part;
  return Math.abs(x - left - wide / 2) < wide / 4 && Math.abs(y - top - high / 2) < high / 4;
}
function dragPart() {
  const canvas = $("canvas");
  let from = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const { width, height } = state.photo;
    return [
      clamp(((event.clientX - box.left) / box.width) * width, 0, width),
      clamp(((event.clientY - box.top) / box.height) * height, 0, height),
    ];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!state.photo || event.button || from) return;
    canvas.setPointerCapture(event.pointerId);
    from = { at: at(event), part: state.part, what: state.what, id: event.pointerId };
    from.shown = canvas.getBoundingClientRect().width / state.photo.width;
    // What a finger draws it can take hold of, too.
    from.least = event.pointerType === "touch" ? Math.max(8, 44 / from.shown) : 8;
    const { x, y } = event.target.dataset;
    // A frame around nearly all leaves no room beside it: there a new one begins within. Of a small
    // one, which its corners cover, the middle moves it.
    const within = isMiddle(from.at) || (!x && $("part").contains(event.target));
    from.moves = within && !$("part").classList.contains("most");
    const pulls = x && !from.moves;
    [from.fixed, from.loose] = pulls ? corners(state.part, Number(x), Number(y)) : [from.at, from.at];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from || event.pointerId !== from.id) return;
    const [x, y] = at(event);
    const [across, down] = [x - from.at[0], y - from.at[1]];
    if (Math.hypot(across, down) * from.shown < 5 && !from.begun) return;
    from.begun = true;
    const [left, top, wide, high] = from.part;
    if (from.moves) choosePart([left + across, top + down, wide, high], "part");
    else choosePart(between(from.fixed, [from.loose[0] + across, from.loose[1] + down], from.least), "part");
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!from || event.pointerId !== from.id) return;
    const [[x, y], [, , wide, high]] = [from.at, from.part];
    const taps = event.pointerType === "touch" && !from.begun && !from.moves && from.fixed === from.at;
    if (taps) choosePart([x - wide / 2, y - high / 2, wide, high], "part");
    from = null;
  });
  canvas.addEventListener("pointercancel", (event) => {
    if (!from || event.pointerId !== from.id) return;
    // The finger scrolls.
    if (from.begun) choosePart(from.part, from.what);
    from = null;
  });
  $("part").addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way || !state.photo) return;
    event.preventDefault();
    const [left, top, wide, high] = state.part;
    const step = Math.max(1, Math.round(Math.max(state.photo.width, state.photo.height) / 50));
    const [x, y] = way.map((one) => one * step);
    choosePart(event.shiftKey ? [left, top, wide + x, high + y] : [left + x, top + y, wide, high], "part");
  });
}
