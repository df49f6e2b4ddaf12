"use strict";
// The photo, shown at once, and the part of it to zoom. page.js has the small tools.

async function take(file) {
  if (!file || !state.menu) return;
  complain("");
  if (state.job) cancel();
  const number = (state.sent += 1);
  showChooser();
  $("downloads").hidden = true;
  state.photo = state.part = null;
  $("part").hidden = true;
  if (state.url) URL.revokeObjectURL(state.url);
  state.url = URL.createObjectURL(file);
  // At once, as the browser knows it; a format that it does not know the page shows later.
  let unknown = false;
  const image = $("photo");
  image.onerror = () => {
    unknown = true;
    if (state.photo) image.src = `api/photos/${state.photo.photo}/preview`;
  };
  image.onload = () => fit($("canvas"), image.naturalWidth, image.naturalHeight, 58);
  image.src = state.url;
  $("drop").hidden = true;
  $("facts").textContent = `${file.name}: looking at it …`;
  $("start").disabled = true;
  try {
    const limits = state.menu.limits;
    if (file.size > limits.bytes) {
      throw new Error(`The file has ${bytes(file.size)}; at most ${bytes(limits.bytes)} are taken.`);
    }
    const told = await ask(`api/upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    if (number !== state.sent) return;
    state.photo = told;
    if (unknown) {
      image.onerror = null;
      image.src = `api/photos/${told.photo}/preview`;
    }
    choosePart(told.part, told.what);
  } catch (error) {
    if (number !== state.sent) return;
    forgetPhoto();
    complain(error.message);
  } finally {
    if (number === state.sent) $("start").disabled = false;
  }
}
function fit(element, width, height, tallest) {
  // As wide as there is room, but not higher than a part of the screen.
  element.style.aspectRatio = `${width} / ${height}`;
  element.style.maxWidth = `min(100%, ${(tallest * width) / height}vh)`;
}
function forgetPhoto() {
  state.photo = state.part = null;
  $("chooser").hidden = true;
  $("drop").hidden = false;
  $("becomes").textContent = "";
}
function showChooser() {
  $("result").hidden = true;
  $("chooser").hidden = false;
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
  $("what").textContent = `zoom: ${what}`;
  // A label that would leave the photo stands on its other side.
  const [aside, below] = [left / width > 0.7, top / height < 0.1];
  $("what").style.left = aside ? "auto" : "-2px";
  $("what").style.right = aside ? "-2px" : "auto";
  $("what").style.bottom = below ? "auto" : "calc(100% + 2px)";
  $("what").style.top = below ? (high / height > 0.8 ? "0" : "calc(100% + 2px)") : "auto";
  drawFacts();
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
    from = { at: at(event), part: [...state.part], moves: event.target === $("part"), id: event.pointerId };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from || event.pointerId !== from.id) return;
    const [x, y] = at(event);
    const [left, top, wide, high] = from.part;
    const moved = Math.hypot(x - from.at[0], y - from.at[1]);
    const box = canvas.getBoundingClientRect();
    if (moved * (box.width / state.photo.width) < 5 && !from.begun) return;
    from.begun = true;
    if (from.moves) choosePart([left + x - from.at[0], top + y - from.at[1], wide, high], "part");
    else {
      const corner = [Math.min(x, from.at[0]), Math.min(y, from.at[1])];
      const size = [Math.abs(x - from.at[0]), Math.abs(y - from.at[1])];
      choosePart([...corner, ...size.map((side) => Math.max(side, 8))], "part");
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      if (from && event.pointerId === from.id) from = null;
    });
  }
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
