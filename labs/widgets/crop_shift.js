// DrQ's random shift by hand: the padded picture with its window, and what the window cuts out.
const ZOOM = 5;
const POINTS = [["gripper", "sky", "circle"], ["block", "orange", "square"], ["edges", "pink", "cross"]];
const signed = (value, digits = 0) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}`;
const tidy = (value) => (Math.abs(value) < 0.05 ? 0 : value); // no "−0.0"

async function render({ model, el }) {
  const [side, pad, cameras] = ["side", "pad", "cameras"].map((trait) => model.get(trait));
  ui.mount(el, { title: "Shift a frame by hand", label: "Crop shift widget" });
  const read = async (uri) => {
    const picture = await ui.image(uri);
    const scratch = ui.h("canvas", { width: picture.width, height: picture.height });
    const pen = scratch.getContext("2d", { willReadFrequently: true });
    pen.drawImage(picture, 0, 0);
    return pen.getImageData(0, 0, picture.width, picture.height).data;
  };
  const [colors, labels] = [await read(model.get("frames")), await read(model.get("labels"))];

  const big = side + 2 * pad;
  const padded = ui.canvas(big * ZOOM, big * ZOOM, { label: "The padded frame, with the cropping window" });
  const cut = ui.canvas(side * ZOOM, side * ZOOM, { label: "What the window cuts out" });
  const figure = (canvas, ...text) => {
    canvas.style.width = "100%";
    return ui.h("figure", { class: "pnc-crop-figure" }, canvas, ui.h("figcaption", {}, ...text));
  };
  const down = ui.slider(model, "rows", { label: "Window moves down by (rows)", min: -pad, max: pad, format: (v) => signed(v) });
  const right = ui.slider(model, "columns", { label: "Window moves right by (columns)", min: -pad, max: pad, format: (v) => signed(v) });
  const draw1 = () => Math.floor(Math.random() * (2 * pad + 1)) - pad;
  const draw = ui.button("Draw a random shift", () => {
    model.set("rows", draw1());
    model.set("columns", draw1());
    model.save_changes();
  });
  const readout = ui.h("div", { "aria-live": "polite" });
  el.append(
    ui.h("div", { class: "pnc-crop" },
      figure(padded, "Padded. The dashed window is what is kept."),
      figure(cut, "Cropped: what the network gets.")),
    ui.row(
      ui.col(down, right),
      ui.col(ui.select(model, "camera", { label: "Camera", options: cameras.map(({ name }, i) => [i, name]) }),
        ui.select(model, "padding", { label: "Padding", options: [["replicate", "replicate the border"], ["zeros", "zeros"]] }),
        ui.h("div", {}, draw))),
    readout);

  /** Everything about the picture that a window at (rows, columns) sees. */
  function look(rows, columns, extra = 0) {
    const size = side + 2 * extra, zeros = model.get("padding") === "zeros";
    const width = side * cameras.length, left = model.get("camera") * side;
    const rgb = new Uint8ClampedArray(4 * size * size), label = new Uint8Array(size * size);
    const gray = new Float64Array(size * size);
    let invented = 0;
    const clamp = (value) => Math.min(Math.max(value, 0), side - 1);
    for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
      const [row, column] = [y + rows - extra, x + columns - extra];
      const outside = row !== clamp(row) || column !== clamp(column);
      const from = 4 * (clamp(row) * width + left + clamp(column)), to = y * size + x;
      invented += outside;
      rgb[4 * to + 3] = 255;
      if (outside && zeros) continue;
      for (let k = 0; k < 3; k++) rgb[4 * to + k] = colors[from + k];
      gray[to] = (colors[from] + colors[from + 1] + colors[from + 2]) / 3;
      label[to] = Math.round(labels[from] / 80);
    }
    return { rgb, label, gray, size, invented };
  }

  /** Mean (row, column) under weights. */
  function mean(view, weight) {
    let [total, rows, columns] = [0, 0, 0];
    for (let y = 0; y < view.size; y++) for (let x = 0; x < view.size; x++) {
      const w = weight(y, x, y * view.size + x);
      total += w; rows += w * y; columns += w * x;
    }
    return total ? [rows / total, columns / total] : null;
  }
  function keypoints(view) {
    const { label, gray, size } = view;
    const at = (y, x) => gray[Math.min(Math.max(y, 0), size - 1) * size + Math.min(Math.max(x, 0), size - 1)];
    return [
      mean(view, (y, x, i) => label[i] === 1),
      mean(view, (y, x, i) => label[i] === 2),
      // What a spatial softmax behind an edge filter would report.
      mean(view, (y, x) => (at(y + 1, x) - at(y - 1, x)) ** 2 + (at(y, x + 1) - at(y, x - 1)) ** 2),
    ];
  }

  function paint(canvas, view, points) {
    const small = ui.h("canvas", { width: view.size, height: view.size });
    small.getContext("2d").putImageData(new ImageData(view.rgb, view.size, view.size), 0, 0);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    points.forEach((point, i) => {
      if (!point) return;
      const [y, x] = point.map((value) => (value + 0.5) * ZOOM), r = 9;
      const shape = new Path2D();
      if (POINTS[i][2] === "circle") shape.arc(x, y, r, 0, 7);
      else if (POINTS[i][2] === "square") shape.rect(x - r, y - r, 2 * r, 2 * r);
      else { shape.moveTo(x - r, y - r); shape.lineTo(x + r, y + r); shape.moveTo(x - r, y + r); shape.lineTo(x + r, y - r); }
      for (const [color, width] of [["#000", 7], [ui.color(el, POINTS[i][1]), 4]]) {
        pen.strokeStyle = color; pen.lineWidth = width; pen.stroke(shape);
      }
    });
    return pen;
  }

  function redraw() {
    const [rows, columns] = [model.get("rows"), model.get("columns")];
    const [before, after] = [look(0, 0), look(rows, columns)];
    const [old, now] = [keypoints(before), keypoints(after)];
    const pen = paint(padded, look(0, 0, pad), old.map((point) => point?.map((value) => value + pad)));
    pen.setLineDash([]);
    pen.strokeStyle = "#000"; pen.lineWidth = 5;
    const frame = [(pad + columns) * ZOOM, (pad + rows) * ZOOM, side * ZOOM, side * ZOOM];
    pen.strokeRect(...frame);
    pen.strokeStyle = ui.color(el, "yellow"); pen.lineWidth = 3;
    pen.setLineDash([12, 8]);
    pen.strokeRect(...frame);
    pen.setLineDash([]);
    paint(cut, after, now);

    const place = (point) => point ? `${point[0].toFixed(1)}, ${point[1].toFixed(1)}` : "not seen";
    const move = (a, b) => a && b ? `${signed(tidy(b[0] - a[0]), 1)}, ${signed(tidy(b[1] - a[1]), 1)}` : "";
    const between = (points) => points[0] && points[1] ? points[1].map((value, i) => value - points[0][i]) : null;
    const line = (name, color, a, b) => ui.h("tr", {},
      ui.h("th", { scope: "row" }, color ? ui.h("span", { class: "pnc-swatch", style: `background: var(--pnc-${color})` }) : null, name),
      ...[place(a), place(b), move(a, b)].map((text) => ui.h("td", {}, text)));
    const { name, row, column } = cameras[model.get("camera")];
    const [along, across] = [Math.abs(rows) * row, Math.abs(columns) * column];
    readout.replaceChildren(
      ui.h("div", { class: "pnc-scroll" }, ui.h("table", { class: "pnc-table" },
        ui.h("thead", {}, ui.h("tr", {}, ...["row, column", "before", "after", "moved"].map((text) => ui.h("th", { scope: "col" }, text)))),
        ui.h("tbody", {}, ...POINTS.map(([point, color], i) => line(point, color, old[i], now[i])),
          line("block − gripper", null, between(old), between(now))))),
      ui.note("Gripper and block: centers of their pixels. Edges: mean place of all edges, as an edge filter with a spatial softmax would report."),
      ui.note(`On the table this shift is worth ${along.toFixed(1)} cm along the view and ${across.toFixed(1)} cm across it (${name} camera). Success in Push is 5 cm.`),
      ui.note(`${after.invented} of ${side * side} pixels are invented: ${model.get("padding") === "zeros" ? "black bars" : "copies of the border"}.`));
  }
  return ui.redraw(model, ["rows", "columns", "camera", "padding"], redraw);
}
export default { render };
