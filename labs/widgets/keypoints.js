// From a map to a point: softmax over the cells, then the mean position. How sharp must it be?
const BOX = 336; // drawing pixels of a picture's side
const number = (value, digits = 3) => `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}`.replace(/^−(0\.?0*)$/, "$1");

/** SpatialSoftmax of one map: its weights, its keypoint, and over how many cells it spreads. */
function softmax(map, size, temperature) {
  const highest = Math.max(...map);
  const weights = map.map((value) => Math.exp((value - highest) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  const at = (i) => -1 + 2 * i / (size - 1);
  let [x, y, entropy] = [0, 0, 0];
  weights.forEach((weight, i) => {
    const p = (weights[i] = weight / total);
    x += p * at(i % size);
    y += p * at(Math.floor(i / size));
    if (p > 0) entropy -= p * Math.log(p);
  });
  return { weights, x, y, cells: Math.exp(entropy), most: Math.max(...weights) };
}

async function render({ model, el }) {
  const [size, side, pitch, maps, names] = ["size", "side", "pitch", "maps", "names"].map((name) => model.get(name));
  ui.mount(el, { title: "From maps to keypoints", label: "Keypoints widget" });
  const photo = await ui.image(model.get("frame"));

  const put = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const clamp = (value) => Math.min(Math.max(value, 0), size - 1);
  const zoom = BOX / side, cell = BOX / size;

  const picture = ui.canvas(BOX, BOX, { label: "The frame with the keypoints of all channels" });
  const real = ui.canvas(BOX, BOX, { label: "The feature map of the chosen channel, with its keypoint" });
  const toy = ui.canvas(BOX, BOX, { label: "Synthetic map. Arrow keys move the blob." });
  toy.setAttribute("role", "application");
  toy.tabIndex = 0;
  toy.classList.add("pnc-keypoints-toy");
  const drop = (event) => {
    const box = toy.getBoundingClientRect();
    const at = (position, start, length) => clamp(Math.round(10 * ((position - start) / length * size - 0.5)) / 10);
    put({ row: at(event.clientY, box.top, box.height), column: at(event.clientX, box.left, box.width) });
  };
  toy.addEventListener("pointerdown", (event) => { toy.setPointerCapture(event.pointerId); drop(event); });
  toy.addEventListener("pointermove", (event) => { if (toy.hasPointerCapture(event.pointerId)) drop(event); });
  toy.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    put({ row: clamp(model.get("row") + step[0]), column: clamp(model.get("column") + step[1]) });
  });

  const readout = ui.h("div", { "aria-live": "polite" });
  const figure = (canvas, text) => ui.h("figure", {}, canvas, ui.h("figcaption", {}, text));
  el.append(
    ui.h("div", { class: "pnc-keypoints" },
      figure(picture, "The frame. Rings: all keypoints; cross: the chosen channel's; shade: where its weight is."),
      figure(real, "The chosen channel's feature map, a real one."),
      figure(toy, "A synthetic map. Drag the blob.")),
    ui.row(
      ui.col(
        ui.slider(model, "log_temperature", { label: "Temperature", min: -2, max: 1, step: 0.1, format: (v) => (10 ** v).toFixed(v < -1 ? 3 : 2) }),
        ui.slider(model, "height", { label: "Height of the blob", min: 0, max: 10, step: 0.5, format: (v) => v.toFixed(1) })),
      ui.col(
        ui.select(model, "channel", { label: "Channel", options: names.map((name, i) => [i, name]) }),
        ui.checkbox(model, "second", { label: "A second blob, which stays where it is" }))),
    readout);

  const rgb = (name) => {
    const hex = ui.color(el, name).slice(1);
    return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  };
  function cross(pen, x, y) {
    const r = 15;
    for (const [color, width] of [["#000", 9], [ui.color(el, "orange"), 5]]) {
      pen.strokeStyle = color; pen.lineWidth = width;
      pen.beginPath();
      pen.moveTo(x - r, y); pen.lineTo(x + r, y); pen.moveTo(x, y - r); pen.lineTo(x, y + r);
      pen.stroke();
    }
  }
  function paintMap(canvas, map, point) {
    const pen = canvas.getContext("2d"), highest = Math.max(...map, 1e-9);
    const [low, high] = [rgb("well"), rgb("blue")];
    map.forEach((value, i) => {
      pen.fillStyle = `rgb(${low.map((from, k) => Math.round(from + value / highest * (high[k] - from)))})`;
      pen.fillRect((i % size) * cell, Math.floor(i / size) * cell, cell + 1, cell + 1);
    });
    const at = (value) => ((value + 1) / 2 * (size - 1) + 0.5) * cell;
    cross(pen, at(point.x), at(point.y));
  }

  function draw() {
    const temperature = 10 ** model.get("log_temperature"), channel = model.get("channel");
    const points = maps.map((map) => softmax(map, size, temperature));
    const chosen = points[channel];

    const pen = picture.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(photo, 0, 0, BOX, BOX);
    const [r, g, b] = rgb("pink");
    chosen.weights.forEach((weight, i) => { // cell i is centered on pixel pitch · i
      pen.fillStyle = `rgba(${r}, ${g}, ${b}, ${0.75 * weight / chosen.most})`;
      const corner = (k) => (pitch * k + 0.5 - pitch / 2) * zoom;
      if (weight > 0.02 * chosen.most) pen.fillRect(corner(i % size), corner(Math.floor(i / size)), pitch * zoom, pitch * zoom);
    });
    const at = (value) => (pitch * (value + 1) / 2 * (size - 1) + 0.5) * zoom;
    for (const point of points) for (const [color, width] of [["#000", 5], [ui.color(el, "sky"), 3]]) {
      pen.strokeStyle = color; pen.lineWidth = width;
      pen.beginPath(); pen.arc(at(point.x), at(point.y), 8, 0, 7); pen.stroke();
    }
    cross(pen, at(chosen.x), at(chosen.y));
    paintMap(real, maps[channel], chosen);

    const centers = [[model.get("row"), model.get("column")], ...(model.get("second") ? [model.get("second_place")] : [])];
    const height = model.get("height"), wide = 2 * model.get("blob_width") ** 2;
    const blob = Array.from({ length: size * size }, (_, i) => centers.reduce((sum, [row, column]) =>
      sum + height * Math.exp(-((Math.floor(i / size) - row) ** 2 + (i % size - column) ** 2) / wide), 0));
    const synthetic = softmax(blob, size, temperature);
    paintMap(toy, blob, synthetic);

    const line = (name, point) => ui.h("tr", {}, ui.h("th", { scope: "row" }, name),
      ...[number(point.x), number(point.y), point.cells.toFixed(1), `${(100 * point.most).toFixed(1)}%`].map((text) => ui.h("td", {}, text)));
    const truth = [model.get("column"), model.get("row")].map((value) => number(-1 + 2 * value / (size - 1)));
    readout.replaceChildren(
      ui.h("div", { class: "pnc-scroll" }, ui.h("table", { class: "pnc-table" },
        ui.h("thead", {}, ui.h("tr", {}, ...["", "x", "y", "spread in cells", "strongest cell"].map((text) => ui.h("th", { scope: "col" }, text)))),
        ui.h("tbody", {}, line(names[channel], chosen), line("synthetic", synthetic)))),
      ui.note(height === 0 ? "Nothing is there, and the keypoint says: in the middle."
        : `The blob stands at x ${truth[0]}, y ${truth[1]}.` + (model.get("second") ? " With two blobs the keypoint is a mean: it can stand where there is neither." : "")));
  }
  return ui.redraw(model, ["log_temperature", "channel", "row", "column", "height", "second"], draw);
}
export default { render };
