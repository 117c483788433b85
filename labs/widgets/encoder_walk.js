// A white square, averaging filters: where does its light go, and how thin does it get?
const BOX = 336; // drawing pixels of a map's side, at most
const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
const times = (n) => `${n} × ${n}`;

/** One averaging layer along one axis; outside the image there is nothing. */
function average(signal, { kernel, stride, padding, cells }) {
  return Array.from({ length: cells }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < kernel; k++) sum += signal[i * stride - padding + k] ?? 0;
    return sum / kernel;
  });
}

/** How full each cell is along one axis: one list for each layer. */
function filled(layers, position, size, side) {
  let signal = Array.from({ length: side }, (_, i) => Number(i >= position && i < position + size));
  return layers.map((layer) => (signal = average(signal, layer)));
}

/** Share of the light that lies elsewhere when rows × from becomes rows × to. */
function moved(from, to) {
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  return sum(from.map((value, i) => Math.abs(to[i] - value))) / (sum(from) + sum(to));
}

function render({ model, el }) {
  const side = model.get("image_size"), encoders = model.get("encoders");
  const layers = encoders.flatMap((encoder, e) => encoder.layers.map((layer, i) => ({ ...layer, e, i })));
  ui.mount(el, { title: "Walk a small object through both encoders", label: "Encoder walk" });

  const put = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const clamp = (value, high) => Math.min(Math.max(value, 0), high);
  const inside = () => { // a large object cannot start as far out as a small one
    const last = side - model.get("size");
    for (const name of ["row", "column"]) if (model.get(name) > last) put({ [name]: last });
  };
  const arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  // ---- the image, in which the object can be dragged
  const zoom = Math.floor(BOX / side);
  const image = ui.canvas(side * zoom, side * zoom, { label: "The image with the object. Arrow keys move the object." });
  image.setAttribute("role", "application");
  image.tabIndex = 0;
  image.classList.add("pnc-walk-image");
  const drop = (event) => {
    const box = image.getBoundingClientRect(), half = model.get("size") / 2;
    const at = (position, start, length) => clamp(Math.round((position - start) / length * side - half), side - model.get("size"));
    put({ row: at(event.clientY, box.top, box.height), column: at(event.clientX, box.left, box.width) });
  };
  image.addEventListener("pointerdown", (event) => { image.setPointerCapture(event.pointerId); drop(event); });
  image.addEventListener("pointermove", (event) => { if (image.hasPointerCapture(event.pointerId)) drop(event); });
  image.addEventListener("keydown", (event) => {
    const step = arrows[event.key];
    if (!step) return;
    event.preventDefault();
    const last = side - model.get("size");
    put({ row: clamp(model.get("row") + step[0], last), column: clamp(model.get("column") + step[1], last) });
  });

  // ---- one map for each layer, in which a cell can be picked
  const maps = layers.map((layer, index) => {
    const cell = Math.floor(BOX / layer.cells);
    const name = `${encoders[layer.e].name}, layer ${layer.i + 1}`;
    const canvas = ui.canvas(cell * layer.cells, cell * layer.cells, { label: `${name}: ${times(layer.cells)} cells. Arrow keys pick a cell.` });
    canvas.setAttribute("role", "application");
    canvas.tabIndex = 0;
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const at = (position, start, length) => clamp(Math.floor((position - start) / length * layer.cells), layer.cells - 1);
      put({ layer: index, cell_row: at(event.clientY, box.top, box.height), cell_column: at(event.clientX, box.left, box.width) });
    });
    canvas.addEventListener("keydown", (event) => {
      const step = arrows[event.key];
      if (!step) return;
      event.preventDefault();
      const here = model.get("layer") === index;
      const start = here ? [model.get("cell_row"), model.get("cell_column")] : [layer.cells >> 1, layer.cells >> 1];
      const [row, column] = start.map((value, axis) => clamp(value + step[axis], layer.cells - 1));
      put({ layer: index, cell_row: row, cell_column: column });
    });
    return { ...layer, name, cell, canvas, caption: ui.h("figcaption") };
  });

  const picked = ui.note();
  picked.setAttribute("aria-live", "polite");
  const last = side - 2;
  el.append(
    ui.row(
      ui.h("figure", { class: "pnc-walk-figure" }, image, ui.h("figcaption", {}, "Drag the object. Dashed: what the picked cell sees.")),
      ui.col(
        ui.slider(model, "size", { label: "Side of the object", min: 2, max: 12, format: (v) => `${v} px` }),
        ui.slider(model, "row", { label: "Its first row", max: last }),
        ui.slider(model, "column", { label: "Its first column", max: last }),
        picked,
        ui.note("Every filter here is an average, so this is what the strides alone do. The color is scaled to each map's fullest cell; the outline holds every cell that sees any of the object. Click a cell to pick it."))),
    ...encoders.flatMap((encoder, e) => [
      ui.h("p", { class: "pnc-walk-name" }, encoder.name),
      ui.h("div", { class: "pnc-walk-maps" }, ...maps.filter((map) => map.e === e).map(({ canvas, caption }) => ui.h("figure", {}, canvas, caption))),
    ]));

  const rgb = (name) => {
    const hex = ui.color(el, name).slice(1);
    return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  };

  function draw() {
    inside();
    const [size, row, column] = ["size", "row", "column"].map((name) => model.get(name));
    const shares = encoders.map((encoder) => ({
      rows: filled(encoder.layers, row, size, side),
      columns: filled(encoder.layers, column, size, side),
      next: filled(encoder.layers, column + (column + size < side ? 1 : -1), size, side),
    }));
    const [low, high] = [rgb("well"), rgb("blue")];

    maps.forEach(({ e, i, cells, step, cell, canvas, caption }, index) => {
      const rows = shares[e].rows[i], columns = shares[e].columns[i];
      const most = Math.max(...rows) * Math.max(...columns);
      const pen = canvas.getContext("2d");
      const gap = cell >= 12 ? 1 : 0;
      for (let r = 0; r < cells; r++) for (let c = 0; c < cells; c++) {
        const strength = (rows[r] * columns[c] / most) ** 0.7; // the tail must be seen too
        pen.fillStyle = `rgb(${low.map((from, k) => Math.round(from + strength * (high[k] - from)))})`;
        pen.fillRect(c * cell, r * cell, cell, cell);
      }
      pen.fillStyle = ui.color(el, "line");
      if (gap) for (let k = 1; k < cells; k++) { pen.fillRect(k * cell, 0, gap, canvas.height); pen.fillRect(0, k * cell, canvas.width, gap); }
      const span = (list) => [list.findIndex((v) => v > 0), list.length - [...list].reverse().findIndex((v) => v > 0)];
      const [top, bottom] = span(rows), [left, right] = span(columns);
      pen.strokeStyle = ui.color(el, "orange"); pen.lineWidth = 5;
      pen.strokeRect(left * cell + 1, top * cell + 1, (right - left) * cell - 2, (bottom - top) * cell - 2);
      if (model.get("layer") === index) {
        pen.strokeStyle = ui.color(el, "pink"); pen.lineWidth = 7;
        pen.strokeRect(model.get("cell_column") * cell, model.get("cell_row") * cell, cell, cell);
      }
      caption.replaceChildren(
        ui.h("strong", {}, `Layer ${i + 1}: ${times(cells)}`), ui.h("br"),
        `object: ${(size / step).toFixed(2)} cells wide`, ui.h("br"),
        `seen by ${bottom - top} × ${right - left} cells`, ui.h("br"),
        `fullest cell: ${percent(most)}`, ui.h("br"),
        `1 px aside moves ${percent(moved(columns, shares[e].next[i]))} of it`);
    });

    const chosen = maps[model.get("layer")];
    const [r, c] = [model.get("cell_row"), model.get("cell_column")];
    const start = (k) => chosen.first + k * chosen.step;
    const pen = image.getContext("2d");
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, image.width, image.height);
    pen.fillStyle = "#fff";
    pen.fillRect(column * zoom, row * zoom, size * zoom, size * zoom);
    pen.setLineDash([9, 6]);
    pen.lineWidth = 3;
    pen.strokeStyle = ui.color(el, "pink");
    pen.strokeRect(start(c) * zoom, start(r) * zoom, chosen.field * zoom, chosen.field * zoom);
    const see = (k) => `${Math.max(start(k), 0)}–${Math.min(start(k) + chosen.field, side) - 1}`;
    const share = shares[chosen.e].rows[chosen.i][r] * shares[chosen.e].columns[chosen.i][c];
    picked.textContent = `Picked: ${chosen.name}, cell (${r}, ${c}). It sees ${times(chosen.field)} pixels: rows ${see(r)}, columns ${see(c)}. ` +
      `Object in it: ${percent(share)}.`;
  }
  return ui.redraw(model, ["size", "row", "column", "layer", "cell_row", "cell_column"], draw);
}
export default { render };
