// One camera, 84 × 84 pixels of the table: where must it stand for the block to be seen?
const SIDE = 84, ZOOM = 8;
const THINGS = [["gripper", "sky"], ["object", "orange"], ["goal", "red"]];
const NAMES = { gripper: "gripper", object: "block", goal: "goal" };

async function render({ model, el }) {
  const { azimuths, elevations, distances, counts, cameras, columns } = model.get("views");
  ui.mount(el, { title: "Move the camera", label: "Camera explorer" });

  const [frames, labels] = await Promise.all([ui.image(model.get("frames")), ui.image(model.get("labels"))]);
  const screen = ui.canvas(SIDE * ZOOM, SIDE * ZOOM, { label: "What the camera sees, 84 by 84 pixels" });
  screen.style.width = "min(100%, 336px)";
  const readout = ui.h("div", { "aria-live": "polite" });
  const place = ui.note();
  const table = ui.h("div", { class: "pnc-scroll", tabindex: 0, role: "region", "aria-label": "Block pixels of all views at this distance" });

  // A named camera is left as soon as a slider moves.
  const pick = (name) => {
    const camera = cameras[name];
    for (const trait of ["azimuth", "elevation", "distance"]) model.set(trait, camera[trait]);
    model.set("camera", name);
    model.save_changes();
  };
  const presets = Object.keys(cameras).map((name) =>
    ui.button(`${name[0].toUpperCase()}${name.slice(1)} camera`, () => pick(name), { "aria-pressed": "false" }));
  const leave = () => model.set("camera", "");
  const degrees = (list) => (i) => `${list[i]}°`.replace("-", "−");
  const sliders = [
    ui.slider(model, "azimuth", { label: "Azimuth: around the table", max: azimuths.length - 1, format: degrees(azimuths) }),
    ui.slider(model, "elevation", { label: "Elevation: how steeply it looks down", max: elevations.length - 1, format: degrees(elevations) }),
    ui.slider(model, "distance", { label: "Distance to the table's center", max: distances.length - 1, format: (i) => `${distances[i]} m` }),
  ];
  for (const slider of sliders) slider.input.addEventListener("input", leave, { capture: true });

  el.append(ui.row(
    ui.h("figure", { style: "flex: 0 1 336px" }, screen, ui.h("figcaption", {}, "As the policy gets it, enlarged.")),
    ui.col(ui.h("div", { class: "pnc-row", style: "gap: .5rem" }, ...presets), ...sliders, readout, place,
      ui.checkbox(model, "outline", { label: "Outline the pixels that count" })),
  ), ui.h("p", { class: "pnc-note pnc-views-note" }, "Pixels of the block, from every azimuth (across) and elevation (down) at this distance:"), table);

  const scratch = document.createElement("canvas");
  scratch.width = scratch.height = SIDE;
  const pen = scratch.getContext("2d", { willReadFrequently: true });

  function outlines(context, x, y) {
    pen.clearRect(0, 0, SIDE, SIDE);
    pen.drawImage(labels, x, y, SIDE, SIDE, 0, 0, SIDE, SIDE);
    const pixels = pen.getImageData(0, 0, SIDE, SIDE).data;
    const at = (row, column) =>
      row < 0 || column < 0 || row >= SIDE || column >= SIDE ? 0 : Math.round(pixels[4 * (row * SIDE + column)] / 80);
    const w = 3;
    for (let row = 0; row < SIDE; row++) for (let column = 0; column < SIDE; column++) {
      const own = at(row, column);
      if (!own) continue;
      context.fillStyle = ui.color(el, THINGS[own - 1][1]);
      const [left, top] = [column * ZOOM, row * ZOOM];
      if (at(row - 1, column) !== own) context.fillRect(left, top, ZOOM, w);
      if (at(row + 1, column) !== own) context.fillRect(left, top + ZOOM - w, ZOOM, w);
      if (at(row, column - 1) !== own) context.fillRect(left, top, w, ZOOM);
      if (at(row, column + 1) !== own) context.fillRect(left + ZOOM - w, top, w, ZOOM);
    }
  }

  const indexOf = (a, e, d) => (d * elevations.length + e) * azimuths.length + a;
  function draw() {
    const [a, e, d] = ["azimuth", "elevation", "distance"].map((trait) => model.get(trait));
    const name = model.get("camera");
    const index = name ? cameras[name].index : indexOf(a, e, d);
    const [x, y] = [(index % columns) * SIDE, Math.floor(index / columns) * SIDE];
    const context = screen.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(frames, x, y, SIDE, SIDE, 0, 0, SIDE * ZOOM, SIDE * ZOOM);
    if (model.get("outline")) outlines(context, x, y);

    readout.replaceChildren(ui.h("table", { class: "pnc-table" }, ui.h("tbody", {}, ...THINGS.map(([thing, color], i) =>
      ui.h("tr", {}, ui.h("th", { scope: "row" }, ui.h("span", { class: "pnc-swatch", style: `background: var(--pnc-${color})` }), NAMES[thing]),
        ui.h("td", { class: "pnc-number" }, `${counts[index][i]} of ${(SIDE * SIDE).toLocaleString("en")} pixels`))))));
    presets.forEach((button, i) => button.setAttribute("aria-pressed", String(Object.keys(cameras)[i] === name)));
    place.textContent = name
      ? `This is the ${name} camera: azimuth ${cameras[name].true.azimuth}°, elevation ${cameras[name].true.elevation}°, distance ${cameras[name].true.distance} m.`.replace("-", "−")
      : "A view of the grid. The buttons show the two cameras that the book uses.";

    const best = Math.max(...counts.map((count) => count[1]));
    table.replaceChildren(ui.h("table", { class: "pnc-table pnc-views" },
      ui.h("thead", {}, ui.h("tr", {}, ui.h("td"), ...azimuths.map((value) => ui.h("th", { scope: "col" }, `${value}°`)))),
      ui.h("tbody", {}, ...elevations.map((value, row) => ui.h("tr", {}, ui.h("th", { scope: "row" }, `${value}°`.replace("-", "−")),
        ...azimuths.map((_, column) => {
          const count = counts[indexOf(column, row, d)][1];
          const here = !name && row === e && column === a;
          return ui.h("td", { "aria-current": here ? "true" : null,
            style: `--share: ${Math.round(70 * count / best)}%` }, String(count));
        }))))));
  }
  return ui.redraw(model, ["azimuth", "elevation", "distance", "camera", "outline"], draw);
}
export default { render };
